import type { Db } from '@tripline/db/database';
import { type FreshDatabase, freshDatabase } from '@tripline/testing/postgres/postgres';
import { configFor, secrets, startFakeSlack, startNotifier } from '@tripline/testing/services/notifier';
import { example, startStepUps } from '@tripline/testing/services/step-ups';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const closers: (() => Promise<void>)[] = [];
const closing = <T extends { close: () => Promise<void> }>(thing: T): T => {
  closers.push(() => thing.close());
  return thing;
};
const until = { timeout: 15_000, interval: 20 };

let database: FreshDatabase;
let db: Db;
let stage: Awaited<ReturnType<typeof startStepUps>>;
beforeEach(async () => {
  database = closing(await freshDatabase());
  db = database.db;
  // Nobody signs in here.
  const provider = { issuer: 'http://127.0.0.1:9', state: { next: undefined, authorizations: [] } };
  stage = closing(await startStepUps(database.as('broker'), provider));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(options: Parameters<typeof startFakeSlack>[0] = undefined) {
  const slack = closing(await startFakeSlack(options));
  const running = closing(await startNotifier(db, configFor({ slack: slack.url })));
  const posts = () =>
    slack.requests.map(({ path, body }) => {
      const { channel = '', ts = '', text = '', blocks = '' } = Object.fromEntries(new URLSearchParams(body));
      return { path, channel, ts, said: `${text} ${blocks}` };
    });
  return { ...running, posts };
}
/** What is queued by now; each prompt that somebody was written to of is looked at again when it expires. */
const waiting = async () =>
  (await db.pool.query(`SELECT item FROM queue WHERE item NOT LIKE '% expired' OR due_at <= now()`)).rows.length;
const isDone = () => expect.poll(waiting, until).toBe(0);

test('whoever is asked is written to where only they read it: what waits and where, and never the number', async () => {
  const { posts, logged } = await start();
  const link = await stage.opened();
  await expect.poll(() => posts().length, until).toBe(1);
  await isDone();
  const [post] = posts();
  expect(post).toMatchObject({ path: '/chat.postMessage', channel: 'U7' });
  for (const said of ['acme/api', 'run 9, attempt 1', '41ab41ab41ab', 'production', 'deploy-api', link.url])
    expect(post!.said).toContain(said);
  expect(post!.said.replaceAll(link.url, '')).not.toContain(link.number);
  // Asked again for the same, it is the same prompt, and nobody is written to again.
  await stage.opened();
  expect(await waiting()).toBe(0);
  expect(posts()).toHaveLength(1);
  expect(logged.join('\n')).not.toContain(secrets.token);
});

test('whom Slack’s people do not name is told of in the channel, by login', async () => {
  const { posts } = await start();
  await stage.opened(stage.asking({ actor: { id: '12', name: 'mallory' } }));
  await expect.poll(() => posts().map(({ channel }) => channel), until).toEqual(['C1']);
  expect(posts()[0]!.said).toContain('`mallory`');
});

test('whom Slack lets nobody write to is mentioned in the channel', async () => {
  const { posts } = await start((request) =>
    new URLSearchParams(request.body).get('channel') === 'U7'
      ? { status: 200, body: '{"ok":false,"error":"channel_not_found"}' }
      : undefined,
  );
  await stage.opened();
  await expect.poll(() => posts().map(({ channel }) => channel), until).toEqual(['U7', 'C1']);
  expect(posts()[1]!.said).toContain('<@U7>');
});

test('where Slack is away it is tried again, until it was answered or has expired', async () => {
  let isAway = true;
  const { posts } = await start(() => (isAway ? { status: 500, body: '' } : undefined));
  await stage.opened();
  await expect.poll(() => posts().length, until).toBeGreaterThan(0);
  expect(await waiting()).toBe(1);
  isAway = false;
  await isDone();
  expect(posts().at(-1)).toMatchObject({ channel: 'U7' });
  isAway = true;
  const before = posts().length;
  await stage.opened(stage.asking({ actor: { id: '8', name: 'bob' } }));
  await expect.poll(() => posts().length, until).toBeGreaterThan(before);
  await db.pool.query(`UPDATE access_step_ups SET state = 'closed' WHERE state = 'open'`);
  await isDone();
});

test('what a stranger wrote mentions nobody, and looks like no line of ours', async () => {
  const { posts } = await start();
  await stage.opened(
    stage.asking({ environment: '<!channel>`\n*Approved* <https://evil.example|here>', ref: 'refs/heads/<!here>' }),
  );
  await expect.poll(() => posts().length, until).toBe(1);
  expect(posts()[0]!.said).not.toMatch(/<!|<https:\/\/evil|`\\n\*Approved/);
});

test('without Slack nobody is written to, and nothing is left over', async () => {
  closing(await startNotifier(db, configFor({})));
  await stage.opened();
  await isDone();
});

describe('once nobody is asked any more, each message says so in the place of its link', () => {
  const changes = (posts: () => { path: string; channel: string; ts: string; said: string }[]) =>
    posts().filter(({ path }) => path === '/chat.update');

  test.each([
    ['approved', 'Approved by `ada` at '],
    ['refused', 'Denied by `ada` at '],
  ] as const)('%s: by whom and when', async (is, said) => {
    const { posts } = await start();
    const link = await stage.opened();
    await expect.poll(() => posts().length, until).toBe(1);
    await isDone();
    await stage.answer(link.id, is === 'approved' ? { is, number: link.number } : { is });
    await expect.poll(() => changes(posts).length, until).toBe(1);
    await isDone();
    const [change] = changes(posts);
    expect(change!.said).toContain(said);
    expect(change!.said).toContain('acme/api');
    for (const gone of ['/step-up/', 'Open it', link.number]) expect(change!.said).not.toContain(gone);
    expect(posts()).toHaveLength(2);
  });

  test('of several messages each, and by the name that Slack gave it', async () => {
    const { posts } = await start((request) =>
      request.path === '/chat.postMessage'
        ? { status: 200, body: JSON.stringify({ ok: true, channel: `D${request.body.length}`, ts: '17.1' }) }
        : undefined,
    );
    const mfa = { ...example.policy.needs.mfa!, of: 'owners' as const, owners: ['ada', 'mallory'] };
    const policy = { ...example.policy, needs: { ...example.policy.needs, mfa } };
    const lock = { ...example.lock, people: { ada: { id: '11' }, mallory: { id: '12' } } };
    const link = await stage.opened(stage.asking({}, { policy, lock }));
    await expect
      .poll(
        () =>
          posts()
            .map(({ channel }) => channel)
            .sort(),
        until,
      )
      .toEqual(['C1', 'U7']);
    await isDone();
    await stage.answer(link.id, { is: 'refused' });
    await expect.poll(() => changes(posts).length, until).toBe(2);
    for (const { channel, ts } of changes(posts)) expect([channel, ts]).toEqual([expect.stringMatching(/^D/), '17.1']);
  });

  test('nobody answered in time, or the number was wrong three times', async () => {
    const { posts } = await start();
    await stage.opened();
    await expect.poll(() => posts().length, until).toBe(1);
    await isDone();
    await db.pool.query('UPDATE access_step_ups SET expires_at = now()');
    await db.pool.query(`UPDATE queue SET due_at = now() WHERE item LIKE '% expired'`);
    await expect.poll(() => changes(posts).length, until).toBe(1);
    const link = await stage.opened(stage.asking({ sha: '5779'.repeat(10) }));
    await expect.poll(() => posts().length, until).toBe(3);
    await isDone();
    const number = link.number === '0000' ? '0001' : '0000';
    for (let nth = 0; nth < 3; nth += 1) await stage.answer(link.id, { is: 'approved', number });
    await expect.poll(() => changes(posts).length, until).toBe(2);
    for (const { said } of changes(posts)) expect(said).toContain('Nobody approved it; it is over at ');
  });

  test('though it was answered while it was being sent', async () => {
    const { posts } = await start();
    const client = await db.pool.connect();
    // Where it was sent cannot be written down yet.
    await client.query('BEGIN; LOCK TABLE access_prompt_messages IN EXCLUSIVE MODE');
    const link = await stage.opened();
    await expect.poll(() => posts().length, until).toBe(1);
    await stage.answer(link.id, { is: 'refused' });
    await expect.poll(waiting, until).toBe(1);
    await client.query('COMMIT');
    client.release();
    await expect.poll(() => changes(posts).length, until).toBe(1);
    await isDone();
    expect(changes(posts)).toHaveLength(1);
  });

  test('though Slack is away when it is answered; one that somebody deleted is left', async () => {
    let answer: { status: number; body: string } | undefined;
    const { posts } = await start(() => answer);
    const link = await stage.opened();
    await expect.poll(() => posts().length, until).toBe(1);
    await isDone();
    answer = { status: 503, body: '' };
    await stage.answer(link.id, { is: 'refused' });
    await expect.poll(() => changes(posts).length, until).toBeGreaterThan(0);
    expect(await waiting()).toBe(1);
    answer = { status: 200, body: '{"ok":false,"error":"message_not_found"}' };
    await isDone();
  });
});

test('the notifier reads no number', async () => {
  await expect(database.as('notifier').pool.query('SELECT number FROM access_step_ups')).rejects.toThrow(
    'permission denied',
  );
});
