import { systemClock } from '@tripline/runtime/clock';
import { createHttp } from '@tripline/runtime/http';
import { createLogger } from '@tripline/runtime/logger';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { configFor, pressOf, signedPress } from '@tripline/testing/services/notifier';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addInteractions } from './interactions.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
let app: ReturnType<typeof createHttp>;
let said: string[];
beforeEach(async () => {
  database = await freshDatabase();
  said = [];
  app = createHttp({ ready: async () => {} });
  const answers = {
    postEphemeral: async (to: { user: string }, { text }: { text: string }) => {
      said.push(`${to.user}: ${text}`);
      return { kind: 'done' as const };
    },
    ask: async () => ({ kind: 'done' as const }),
  };
  addInteractions(app, {
    ...{ db: database.as('notifier'), clock: systemClock },
    logger: createLogger({ service: 'notifier', level: 'silent' }),
    slack: { ...configFor({ slack: 'http://127.0.0.1:9' }).slack!, answers },
  });
  await database.db.pool.query(
    `INSERT INTO access_requests (id, workspace, repository, permission, grantee, for_ms, reason, asked_by, asked_at)
     VALUES ('ask-1', 'acme', 'acme/api', 'write', 'ada', 60000, 'INC-12', '{"name":"ada"}', now())`,
  );
});
afterEach(async () => {
  await app.close();
  await database.close();
});
const ending = { action_id: 'tripline.access.end', value: 'ask-1' };
const press = async (action: object, change: object = {}) =>
  (await app.inject(signedPress(pressOf(action, change)))).statusCode;
const ends = async () => (await database.db.pool.query('SELECT request, by FROM access_request_ends')).rows;

test('whoever is linked denies or ends by a press, in a message to themselves too', async () => {
  expect(await press(ending, { channel: { id: 'D7' } })).toBe(200);
  expect(await ends()).toMatchObject([{ request: 'ask-1', by: { via: 'slack', id: 'U7', name: 'ada' } }]);
  expect(await press(ending, { user: { id: 'U8' } })).toBe(200);
  expect(said).toEqual([
    expect.stringContaining('U7: Done'),
    expect.stringContaining('U8: Nothing of it is left to end'),
  ]);
});

test.each([
  ['of somebody who is not linked', ending, { user: { id: 'U9' } }, 200],
  ['of another workspace', ending, { team: { id: 'T9' } }, 403],
  ['of another app', ending, { api_app_id: 'A9' }, 403],
  ['that names no request', { ...ending, value: 'INC-1' }, {}, 400],
  ['that opens the page', { action_id: 'tripline.access.open' }, {}, 200],
])('a press %s ends nothing', async (_, action, change, status) => {
  expect(await press(action, change)).toBe(status);
  expect(await ends()).toEqual([]);
});
