import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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

describe.each(feeds)('the fixtures of $name', ({ name, load }) => {
  const folder = join(import.meta.dirname, name, 'fixtures');
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

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
