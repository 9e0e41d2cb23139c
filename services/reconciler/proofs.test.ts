import { loadConfig } from '@tripline/config/config';
import { toEventRecord } from '@tripline/contracts/event-record';
import { askAboutDeliveries } from '@tripline/db/delivery-questions';
import { inTransaction } from '@tripline/db/transaction';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { topics } from '@tripline/stream/stream';
import { type FakeHook, handClock, startFakeHook } from '@tripline/testing/fakes/github-hook';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { addToTrail, makeTrailDays } from '@tripline/trail/trail';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createReconciler } from './reconciler.ts';

const minuteMs = 60_000;
const startMs = Date.parse('2026-05-01T12:00:00Z');

let database: Awaited<ReturnType<typeof freshDatabase>>;
let time: ReturnType<typeof handClock>;
let github: FakeHook;
let close: (() => Promise<void>) | undefined;
/** What the receiver answers. */
let status: number;

beforeEach(async () => {
  database = await freshDatabase();
  time = handClock(startMs);
  status = 202;
  github = await startFakeHook({ clock: time.clock, pageSize: 3, post: async () => status });
});
afterEach(async () => {
  await close?.();
  await github.close();
  await database.close();
});

function start(hooks = [{ organization: 'Acme', id: '42' }]) {
  const config = loadConfig({}, '/nonexistent');
  const reconciler = createReconciler({
    config: { github: { ...config.github, hooks, hookToken: 'ghp_hookToken0123456789abcdefghij', apiUrl: github.url } },
    db: database.as('reconciler'),
    logger: createLogger({ service: 'reconciler', level: 'silent' }),
    clock: time.clock,
    metrics: createMetrics({ service: 'reconciler' }),
  });
  close = reconciler.close;
}
async function minutes(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await time.move(minuteMs);
}
/** The detector doubts a delivery that it heard just now, or `agoMs` before. */
const doubt = (guid: string, { event = 'member', agoMs = 0, isAskable = true } = {}) => {
  const heardMs = time.clock.nowMs() - agoMs;
  const question = { workspace: 'acme', eventId: `github:${guid}`, source: '//github.com/acme', event };
  return inTransaction(database.db, (client) =>
    askAboutDeliveries(client, [{ ...question, heardMs, sentMs: heardMs, isAskable }]),
  );
};
/** A delivery of GitHub's that the trail has: so its list is one that names such events. */
async function heard(event = 'member'): Promise<string> {
  const guid = await github.deliver(event, {});
  const record = toEventRecord({
    ...{ id: `github:${guid}`, source: '//github.com/acme', type: 'dev.cdeventsx.tripline-grant.added' },
    ...{ time: new Date().toISOString(), workspace: 'acme', trust: 'high' },
    data: {
      'tripline.grant.kind': 'collaborator',
      'tripline.grant.grantee': 'bob',
      'tripline.grant.target': 'acme/app',
    },
  });
  const { rows } = await database.db.pool.query('SELECT count(*)::int AS n FROM trail');
  const place = { topic: topics.events, partition: rows[0].n, offset: 0, appendedAtMs: Date.now(), fault: null };
  await makeTrailDays(database.db.pool, [place], new Set());
  await inTransaction(database.db, (client) => addToTrail(client, null, [{ ...place, ...record }]));
  return guid;
}
async function answers(): Promise<string[]> {
  const { rows } = await database.db.pool.query('SELECT event_id, workspace, data FROM outbox ORDER BY id');
  return rows.map(({ event_id, workspace, data }) => {
    expect(event_id).toBe(`proof:${data['tripline.delivery.id']}`);
    expect(workspace).toBe('acme');
    return `${data['tripline.delivery.id']} ${data['tripline.delivery.proof']}`;
  });
}

describe('of a delivery that the detector doubts, the list of GitHub', () => {
  test('that names it vouches for it, once', async () => {
    const guid = await github.deliver('member', {});
    await doubt(guid);
    start();
    await minutes(4);
    expect(await answers()).toEqual([`github:${guid} listed`]);
  });

  test('that names others of the kind and not it says that it is none, once it was read past its time', async () => {
    await heard();
    start();
    await minutes(1);
    await doubt('forged', { agoMs: -1000 });
    await minutes(1);
    expect(await answers()).toEqual([]);
    await minutes(3);
    expect(await answers()).toEqual(['github:forged not-listed']);
  });

  test('that names none of the kind says nothing by its silence', async () => {
    await heard('push');
    await doubt('of-another-webhook');
    start();
    await minutes(4);
    expect(await answers()).toEqual(['github:of-another-webhook unavailable']);
  });

  test('that cannot be read answers nothing until it can', async () => {
    await heard();
    github.refusal = { status: 502, body: '{}' };
    await doubt('forged');
    start();
    await minutes(5);
    expect(await answers()).toEqual([]);
    github.refusal = null;
    await minutes(15);
    expect(await answers()).toEqual(['github:forged not-listed']);
  });

  test('that names its id under another event does not vouch for it', async () => {
    await heard();
    const guid = await github.deliver('push', {});
    await doubt(guid);
    start();
    await minutes(4);
    expect(await answers()).toEqual([`github:${guid} not-listed`]);
  });

  test('that names it vouches for none of another organisation', async () => {
    const named = await heard();
    await doubt(named);
    start([{ organization: 'other', id: '44' }]);
    await minutes(3);
    expect(await answers()).toEqual([]);
  });

  test('is read as far down as it may stand there, page by page', async () => {
    const former = await heard();
    for (let nth = 0; nth < 10; nth += 1) await github.deliver('push', { nth });
    start();
    await minutes(30);
    await doubt(former, { agoMs: 30 * minuteMs });
    await doubt('forged', { agoMs: 25 * minuteMs });
    await minutes(3);
    expect((await answers()).sort()).toEqual(['github:forged not-listed', `github:${former} listed`].sort());
  });

  test('of another organisation is not waited for, and all of its own are', async () => {
    await heard();
    await doubt('forged');
    start([
      { organization: 'Acme', id: '42' },
      { organization: 'acme', id: '43' },
      { organization: 'other', id: '44' },
    ]);
    await minutes(4);
    expect(await answers()).toEqual(['github:forged not-listed']);
    const { rows } = await database.db.pool.query('SELECT looked FROM delivery_questions');
    expect(rows[0].looked.toSorted()).toEqual(['org:acme/42', 'org:acme/43']);
  });
});

test('where no list can be asked, that is the answer at once', async () => {
  await doubt('unasked', { isAskable: false });
  await doubt('unasked', { isAskable: false });
  expect(new Set(await answers())).toEqual(new Set(['github:unasked unavailable']));
});

test('when a delivery about access was first attempted is told the log, once it arrived by a later attempt', async () => {
  status = 503;
  const guid = await heard();
  const other = await heard('push');
  start();
  await minutes(2);
  const told = async () => {
    const { rows } = await database.db.pool.query("SELECT event_id, data FROM outbox WHERE event_id LIKE 'late:%'");
    return rows;
  };
  expect(await told()).toEqual([]);
  status = 202;
  await minutes(20);
  expect(await told()).toEqual([
    {
      event_id: `late:github:${guid}`,
      data: {
        'tripline.delivery.id': `github:${guid}`,
        'tripline.delivery.proof': 'listed',
        'tripline.delivery.late': true,
        'tripline.delivery.first_attempt_at': new Date(startMs).toISOString(),
      },
    },
  ]);
  expect(other).not.toBe(guid);
});
