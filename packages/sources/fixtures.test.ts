import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gazette } from '@tripline/testing/fakes/gazette/feed';
import { describe, expect, test } from 'vitest';
import type { Feed } from './feed.ts';
import type { Polled } from './polled.ts';
import { feeds } from './registry.ts';
import type { Source } from './source.ts';
import { createWorkspaces } from './workspace.ts';

/**
 * A delivery of a feed as its sender makes it, whole: settings under which it is taken, headers with its proof, body (sent
 * as JSON.stringify writes it), and what it gives.
 */
type Fixture = {
  settings: Parameters<typeof createWorkspaces>[0];
  receivedAt: string;
  headers: Record<string, string>;
  body: Record<string, unknown>;
  /** The sender bears a token and signs no body, so that only the token proves it. */
  isProvedByToken?: true;
  gives: Record<string, unknown>;
};

const all: readonly Feed[] = feeds;
const posted = all.flatMap(({ name, load }) => (load === undefined ? [] : [{ name, load }]));
const fixturesIn = (folder: string) => readdirSync(folder).filter((file) => file.endsWith('.json'));

describe.each(posted)('the fixtures of $name', ({ name, load }) => {
  const folder = join(import.meta.dirname, name, 'fixtures');
  const files = fixturesIn(folder).filter((file) => !file.startsWith('polled-'));

  test.each(files)(
    '%s is proved and gives what it says; without the secret, or with a byte more, nothing',
    async (file) => {
      const fixture = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Fixture;
      const source: Source = await load();
      const raw = JSON.stringify(fixture.body);
      expect(hear(source, fixture, raw)).toMatchObject(fixture.gives);
      const refused = { refusal: { status: 401, reason: 'bad-signature' } };
      const secrets = source.secrets(fixture.settings).map((one) => ({ ...one, secret: `${one.secret} of another` }));
      expect(hear(source, fixture, raw, secrets)).toMatchObject(refused);
      if (!fixture.isProvedByToken) expect(hear(source, fixture, `${raw} `)).toMatchObject(refused);
    },
  );
});

/** An answer of a feed that is asked, whole: settings under which it is asked, where it stood, and what the answer gives. */
type PolledFixture = {
  settings: unknown;
  cursor: string | null;
  begunAt: string;
  now: string;
  /** Path and query of the request that it answers. */
  asks: string;
  answer: { status: number; headers: Record<string, string>; body: unknown };
  gives: Record<string, unknown>;
};

const polled = [
  ...all.map((feed) => ({ feed, folder: join(import.meta.dirname, feed.name) })),
  { feed: gazette, folder: join(import.meta.dirname, '../testing/fakes/gazette') },
].flatMap(({ feed: { name, loadPolled }, folder }) =>
  loadPolled === undefined ? [] : [{ name, loadPolled, folder: join(folder, 'fixtures') }],
);

describe.each(polled)('the answers of $name', ({ loadPolled, folder }) => {
  const files = fixturesIn(folder).filter((file) => file.startsWith('polled-'));
  test('are there', () => expect(files.length).toBeGreaterThan(0));

  test.each(files)('%s gives what it says; broken off, or of any status, it gives no event', async (file) => {
    const fixture = JSON.parse(readFileSync(join(folder, file), 'utf8')) as PolledFixture;
    const feed: Polled = await loadPolled();
    const target = feed.targets(fixture.settings)[0]!;
    const [begunMs, nowMs] = [Date.parse(fixture.begunAt), Date.parse(fixture.now)];
    const asked = { target, cursor: fixture.cursor, begunMs, nowMs };
    expect(feed.request(asked).url).toBe(`${target.apiUrl}${fixture.asks}`);
    const { status, headers, body } = fixture.answer;
    const whole = Buffer.from(JSON.stringify(body));
    expect(feed.read({ status, headers, body: whole }, asked)).toMatchObject(fixture.gives);
    for (let bytes = 0; bytes < whole.length; bytes += 1)
      expect(feed.read({ status, headers, body: whole.subarray(0, bytes) }, asked)).toHaveProperty('refused');
    for (const other of [204, 302, 400, 401, 403, 404, 429, 500, 503])
      expect(feed.read({ status: other, headers, body: whole }, asked)).toHaveProperty('refused');
  });
});

function hear(
  source: Source,
  { settings, receivedAt, headers }: Fixture,
  raw: string,
  secrets = source.secrets(settings),
) {
  const rawBody = Buffer.from(raw);
  const receivedAtMs = Date.parse(receivedAt);
  const verified = source.verify(rawBody, headers, secrets, receivedAtMs);
  if ('refusal' in verified) return verified;
  const bodySha256 = createHash('sha256').update(rawBody).digest('hex');
  const delivery = { headers, rawBody, bodySha256, receivedAtMs, secretScope: verified.secretScope };
  return source.normalise(delivery, createWorkspaces(settings));
}
