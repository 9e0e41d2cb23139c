import { createHmac } from 'node:crypto';
import { loadConfig } from '@tripline/config/config';
import { createHttp } from '@tripline/runtime/http';
import { createLogger } from '@tripline/runtime/logger';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addAccessCommands } from './access-commands.ts';

const secret = 'a signing secret of sixteen';
const environment = {
  DATABASE_URL: 'postgres://localhost/tripline',
  ...{ TRIPLINE_SLACK_BOT_TOKEN: 'xoxb-a-token-of-sixteen', TRIPLINE_SLACK_CHANNEL: 'C1' },
  ...{ TRIPLINE_SLACK_SIGNING_SECRET: secret, TRIPLINE_SLACK_TEAM_ID: 'T1', TRIPLINE_SLACK_APP_ID: 'A1' },
};
const usual = loadConfig(environment, '/');
const config = {
  ...usual,
  slack: { ...usual.slack!, people: { U7: 'ada' } },
  broker: { ...usual.broker, peopleApp: { id: '7', privateKey: 'a key of sixteen characters' } },
};
const nowMs = Date.parse('2026-11-28T12:00:00Z');

let database: Awaited<ReturnType<typeof freshDatabase>>;
let app: ReturnType<typeof createHttp>;
const appOf = (of: Parameters<typeof addAccessCommands>[1]['config']) => {
  const http = createHttp({ ready: async () => {} });
  const logger = createLogger({ service: 'notifier', level: 'silent' });
  const clock = { nowMs: () => nowMs, pause: async () => {} };
  addAccessCommands(http, { config: of, db: database.as('notifier'), clock, logger });
  return http;
};
beforeEach(async () => {
  database = await freshDatabase();
  app = appOf(config);
});
afterEach(async () => {
  await app.close();
  await database.close();
});

type Sent = { text: string; user?: string; team?: string; appId?: string; ageS?: number; by?: string };
async function type({ text, user = 'U7', team = 'T1', appId = 'A1', ageS = 0, by = secret }: Sent, at = app) {
  const fields = { team_id: team, api_app_id: appId, user_id: user, user_name: 'mallory', command: '/tripline', text };
  const payload = new URLSearchParams(fields).toString();
  const timestamp = String(nowMs / 1000 - ageS);
  const signature = createHmac('sha256', by).update(`v0:${timestamp}:${payload}`).digest('hex');
  const { statusCode, body } = await at.inject({
    ...{ method: 'POST', url: '/slack/commands', payload },
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': timestamp,
      'x-slack-signature': `v0=${signature}`,
    },
  });
  const { text: said, error } = JSON.parse(body) as { text?: string; error?: { reason?: string } };
  return [statusCode, said ?? error?.reason ?? body] as const;
}
const asking = 'request acme/api maintain --for 30m --reason INC-12 — the queue stands';
const requests = async () =>
  (
    await database.db.pool.query(
      'SELECT id, kind, repository, permission, grantee, for_ms, reason, asked_by FROM access_requests ORDER BY asked_at, id',
    )
  ).rows;

test('a linked person asks for themselves, once however often Slack sends it', async () => {
  const [status, said] = await type({ text: asking });
  expect([status, said]).toEqual([200, expect.stringMatching(/^Asked, as ask-[0-9a-f]{32}:/)]);
  await Promise.all([type({ text: asking }), type({ text: asking })]);
  expect(await requests()).toEqual([
    {
      ...{ id: /ask-\w+/.exec(said)![0], kind: 'collaborator', repository: 'acme/api', permission: 'maintain' },
      ...{ grantee: 'ada', for_ms: 1_800_000, reason: 'INC-12 — the queue stands' },
      asked_by: { via: 'slack', id: 'U7', name: 'ada', proof: 'slack-user:U7 linked to ada' },
    },
  ]);
  // Slack writes one dash for two.
  await type({ text: 'access request team acme/responders —for 1h —reason INC-13' });
  expect((await requests()).at(-1)).toMatchObject({ kind: 'team-member', permission: 'member', for_ms: 3_600_000 });
});

test('more time is asked for what is given, and anybody linked may end', async () => {
  const id = /ask-\w+/.exec((await type({ text: asking }))[1])![0];
  const more = `extend ${id} --for 20m --reason still`;
  expect(await type({ text: more })).toEqual([200, expect.stringContaining('Nobody has')]);
  await database.db.pool.query(
    `INSERT INTO access_rights (request, state, due_at, policy, owner, repository_id, repository, grantee_id, grantee, former, given_until)
     VALUES ($1, 'given', now(), 'fixing', 'acme', '74', 'acme/api', '11', 'ada', 'none', now())`,
    [id],
  );
  expect(await type({ text: more })).toEqual([200, expect.stringContaining('has to approve that again')]);
  expect((await database.db.pool.query('SELECT request, for_ms, reason FROM access_extensions')).rows).toEqual([
    { request: id, for_ms: 1_200_000, reason: 'still' },
  ]);
  expect(await type({ text: `end ${id}` })).toEqual([200, expect.stringContaining('takes it back')]);
  expect(await type({ text: `end ${id}` })).toEqual([200, expect.stringContaining('is left to end')]);
  expect((await database.db.pool.query('SELECT by FROM access_request_ends')).rows[0].by).toMatchObject({
    name: 'ada',
  });
});

test.each<[string, Sent, number, string]>([
  ['signed by another', { text: asking, by: 'another secret of sixteen' }, 401, 'bad-signature'],
  ['of six minutes ago', { text: asking, ageS: 301 }, 401, 'bad-signature'],
  ['of another workspace', { text: asking, team: 'T2' }, 403, 'wrong-workspace'],
  ['of another app', { text: asking, appId: 'A2' }, 403, 'wrong-app'],
  ['by somebody who is not linked', { text: asking, user: 'U8' }, 200, 'does not know who you are'],
  ['by nobody', { text: asking, user: 'x' }, 400, 'bad-command'],
  ['without a reason', { text: 'request acme/api write --for 30m' }, 200, '--reason'],
  ['for too long', { text: 'request acme/api write --for 25h --reason x' }, 200, 'longer than a day'],
  ['of no such right', { text: 'request acme/api owner --for 1h --reason x' }, 200, 'no right on acme/api'],
  ['that names a channel', { text: 'end <!channel>' }, 200, '&lt;!channel&gt;'],
  ['that says nothing', { text: '' }, 200, '/tripline request acme/api write'],
])('a command %s asks for nothing', async (_, sent, status, said) => {
  expect(await type(sent)).toEqual([status, expect.stringContaining(said)]);
  expect(await requests()).toEqual([]);
});

test('nothing is asked for where nothing gives, and nobody answers for Slack where it is not configured', async () => {
  const without = appOf({ ...config, broker: usual.broker });
  expect(await type({ text: asking }, without)).toEqual([200, expect.stringContaining('broker.peopleApp')]);
  const unset = appOf({ ...config, slack: undefined } as never);
  expect(await type({ text: asking }, unset)).toEqual([404, 'not-configured']);
  expect(await requests()).toEqual([]);
  await Promise.all([without.close(), unset.close()]);
});

test('the role of the notifier asks, and can say of nothing that it was approved', async () => {
  for (const forged of [`UPDATE access_rights SET state = 'given'`, `UPDATE access_step_ups SET state = 'approved'`])
    await expect(database.as('notifier').pool.query(forged)).rejects.toThrow('permission denied');
});
