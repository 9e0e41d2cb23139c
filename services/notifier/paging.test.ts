import type { Severity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { addNotifyJob } from '@tripline/db/queue';
import { acknowledge, addIncidentEvent, readIncident, resolve } from '@tripline/incidents/incidents';
import { tellEndedSilences } from '@tripline/incidents/silences';
import { incidentBlocks } from '@tripline/integrations/slack/message';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import {
  configFor,
  failResponse,
  find,
  startFakePagerDuty,
  startFakeSlack,
  startNotifier,
} from '@tripline/testing/services/notifier';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listMessages } from './store/messages.ts';

let db: Db;
const closers: (() => Promise<void>)[] = [];
const closing = <T extends { close: () => Promise<void> }>(thing: T): T => {
  closers.push(() => thing.close());
  return thing;
};
const ada = { via: 'cli', id: 'ada', name: 'ada', proof: 'os-user' } as const;
const until = { timeout: 15_000, interval: 20 };

beforeEach(async () => {
  db = closing(await freshDatabase()).db;
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Options = { pages?: Parameters<typeof startFakePagerDuty>[0]; timing?: Parameters<typeof startNotifier>[2] };

async function start({ pages, timing }: Options = {}) {
  const slack = closing(await startFakeSlack());
  const pagerduty = closing(await startFakePagerDuty(pages));
  const config = configFor({ slack: slack.url, pagerduty: pagerduty.url });
  return { slack, pagerduty, ...closing(await startNotifier(db, config, timing)) };
}

/** Every incident told at its present version, by both sinks, and nothing under way. */
async function inStep(): Promise<boolean> {
  const { rows } = await db.pool.query<{ behind: number }>(
    `SELECT count(*) AS behind FROM incidents i CROSS JOIN (VALUES ('slack'), ('pagerduty')) s (sink)
     LEFT JOIN told t ON t.incident = i.id AND t.sink = s.sink
     WHERE coalesce(t.version, 0) < i.version OR t.claimed_by IS NOT NULL`,
  );
  return rows[0]!.behind === 0;
}
const settled = () => expect.poll(inStep, until).toBe(true);

test('a rise in severity pages again: a new alert, then the old one is resolved, and the channel hears', async () => {
  const { slack, pagerduty } = await start();
  const id = await find(db, { severity: 'high', title: 'a key was added' });
  await settled();
  await find(db, { severity: 'critical', title: 'the key was used' });
  await settled();
  expect(pagerduty.actions()).toEqual([
    `trigger tripline:${id}`,
    `trigger tripline:${id}:g2`,
    `resolve tripline:${id}`,
  ]);
  expect(pagerduty.events()[1].payload).toMatchObject({ severity: 'critical', summary: /Pages again/ });
  expect(slack.posts()).toHaveLength(1);
  const [page, ...more] = slack.broadcasts();
  expect(more).toEqual([]);
  expect(page!.text).toBe(`🔔 🔴 CRITICAL: ${id} pages again: critical, was high: the key was used`);
});

test.each([
  ['high', 'high', ['trigger tripline:#', 'acknowledge tripline:#', 'trigger tripline:#:g2', 'resolve tripline:#']],
  ['high', 'medium', ['trigger tripline:#', 'acknowledge tripline:#']],
  [
    'critical',
    'critical',
    ['trigger tripline:#', 'acknowledge tripline:#', 'trigger tripline:#:g2', 'resolve tripline:#'],
  ],
] as [Severity, Severity, string[]][])(
  'acknowledged at %s, a further finding that is %s: nobody but a person acknowledges what came after',
  async (first, then, actions) => {
    const { slack, pagerduty } = await start();
    const id = await find(db, { severity: first });
    await settled();
    await acknowledge(db, id, ada);
    await settled();
    await find(db, { severity: then, title: 'a further thing' });
    await settled();
    const expected = actions.map((action) => action.replace('#', id));
    expect(pagerduty.actions()).toEqual(expected);
    const pages = actions.length > 2;
    expect(slack.broadcasts().map(({ text }) => text.includes('a further thing'))).toEqual(pages ? [true] : []);
    const shown = JSON.stringify(slack.posts()[0]!.blocks);
    expect(shown.includes('Pages again since')).toBe(pages && (await readIncident(db, id))!.state === 'acknowledged');

    if (!pages) return;
    // The page that came after is answered by itself, as often as it pages.
    await acknowledge(db, id, { ...ada, id: 'bob', name: 'bob' });
    await settled();
    expect(pagerduty.actions().slice(4)).toEqual([`acknowledge tripline:${id}:g2`]);
    expect(JSON.stringify(slack.posts()[0]!.blocks)).toContain('*Acknowledged* by bob');
    await resolve(db, id, 'true', ada);
    await settled();
    expect(pagerduty.actions().slice(5)).toEqual([`resolve tripline:${id}:g2`]);
  },
);

test('what became critical after somebody acknowledged it is nobody’s, and pages', async () => {
  const { slack, pagerduty } = await start();
  const id = await find(db, { severity: 'high' });
  await acknowledge(db, id, ada);
  await settled();
  await find(db, { severity: 'critical' });
  await settled();
  expect((await readIncident(db, id))!.state).toBe('open');
  expect(pagerduty.actions().at(-2)).toBe(`trigger tripline:${id}:g2`);
  expect(pagerduty.actions().filter((action) => action.endsWith(':g2'))).toEqual([`trigger tripline:${id}:g2`]);
  expect(JSON.stringify(slack.posts()[0]!.blocks)).toContain('*Nobody has it yet.*');
  expect(slack.broadcasts()).toHaveLength(1);
});

test('a response that failed pages again, whoever has the incident', async () => {
  const { slack, pagerduty } = await start();
  const id = await find(db, { severity: 'high' });
  await acknowledge(db, id, ada);
  await settled();
  await failResponse(db, id, 'revoke the token: STILL ALIVE');
  await settled();
  expect(pagerduty.actions().slice(2)).toEqual([`trigger tripline:${id}:g2`, `resolve tripline:${id}`]);
  expect(pagerduty.events()[2].payload.summary).toContain('Pages again, revoke the token: STILL ALIVE (');
  expect(slack.broadcasts().map(({ text }) => text)).toEqual([
    `🔔 🟠 HIGH: ${id} pages again: revoke the token: STILL ALIVE`,
  ]);
});

test('a response that failed is named once, beside the findings that came with it', async () => {
  const { slack } = await start({ timing: { gatherMs: 500, openingMs: 60_000 } });
  const id = await find(db, { severity: 'high', title: 'a first thing' });
  await expect.poll(() => slack.posts().length, until).toBe(1);
  await find(db, { severity: 'high', title: 'a second thing' });
  const { rows } = await db.pool.query<{ id: string }>(`SELECT id FROM findings WHERE title = 'a second thing'`);
  const text = 'Failed: stop the run; GitHub answers 403';
  const actor = { via: 'tripline', id: 'tripline', name: 'tripline' } as const;
  const detail = { finding: rows[0]!.id, ordinal: 0, state: 'failed', text };
  await addIncidentEvent(db.pool, { incident: id, kind: 'remediated', actor, detail });
  await failResponse(db, id, text, { finding: rows[0]!.id, ordinal: 0 });
  await expect.poll(() => slack.broadcasts().length, until).toBe(1);
  expect(slack.broadcasts()[0]!.text).toBe(`🔔 🟠 HIGH: ${id} pages again: ${text}; Joined: a second thing`);
});

test('what a silence kept quiet and still stands comes back as one message', async () => {
  const { slack } = await start();
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const silence = { subject: '*', until, reason: 'they move house' };
  for (const title of ['a quiet thing', 'another quiet thing']) await find(db, { severity: 'high', title, silence });
  expect(await tellEndedSilences(db)).toBe(0);
  expect(slack.requests).toEqual([]);
  await db.pool.query(`UPDATE silenced_findings SET until = clock_timestamp() - interval '1 s'`);
  expect(await tellEndedSilences(db)).toBe(1);
  await settled();
  const [post, ...more] = slack.posts();
  expect(more).toEqual([]);
  expect(post!.text).toMatch(/HIGH: 2 findings silenced until .* still stand \(INC-\d+\)$/);
  for (const title of ['a quiet thing', 'another quiet thing']) expect(JSON.stringify(post!.blocks)).toContain(title);
});

test('break-glass that was opened pages, however low', async () => {
  const { pagerduty } = await start();
  await find(db, { severity: 'low', rule: 'privilege-grant-outside-job' });
  await settled();
  expect(pagerduty.requests).toEqual([]);
  const id = await find(db, { severity: 'low', rule: 'break-glass-opened' });
  await settled();
  expect(pagerduty.actions()).toEqual([`trigger tripline:${id}:g2`]);
});

test.each([true, false])('break-glass that joins an incident pages again (acknowledged: %s)', async (acknowledged) => {
  const { slack, pagerduty } = await start();
  const id = await find(db, { severity: 'high' });
  if (acknowledged) await acknowledge(db, id, ada);
  await settled();
  const before = pagerduty.requests.length;
  const opened = { severity: 'low', rule: 'break-glass-opened', title: 'break-glass was opened for mallory' } as const;
  expect(await find(db, opened)).toBe(id);
  await settled();
  expect(pagerduty.actions().slice(before)).toEqual([`trigger tripline:${id}:g2`, `resolve tripline:${id}`]);
  expect(pagerduty.events()[before].payload.summary).toContain('Pages again, break-glass was opened for mallory');
  expect(slack.broadcasts().map(({ text }) => text)).toEqual([
    `🔔 🟠 HIGH: ${id} pages again: break-glass was opened for mallory`,
  ]);
});

test('an incident that falls below what pages has its alert resolved, and pages again when it rises', async () => {
  const { pagerduty } = await start();
  const id = await find(db, { severity: 'high' });
  await settled();
  await db.pool.query(
    `WITH line AS (INSERT INTO incident_events (incident, kind, actor, detail)
       VALUES ($1, 'lowered', '{"via":"tripline","id":"x","name":"tripline"}', '{"reason":"nobody could ask"}'))
     UPDATE incidents SET severity = 'low', version = version + 1, updated_at = clock_timestamp() WHERE id = $1`,
    [id],
  );
  await addNotifyJob(db.pool, id);
  await settled();
  expect(pagerduty.actions()).toEqual([`trigger tripline:${id}`, `resolve tripline:${id}`]);
  expect(pagerduty.events()[1].payload.summary).toContain('No longer grave enough to page');
  await find(db, { severity: 'critical' });
  await settled();
  expect(pagerduty.actions().slice(2)).toEqual([`trigger tripline:${id}:g2`]);
});

test('what rose while PagerDuty was away pages once, as it is when it is back', async () => {
  let away = false;
  const { pagerduty } = await start({ pages: () => (away ? { status: 503 } : undefined) });
  const id = await find(db, { severity: 'high' });
  await settled();
  away = true;
  const before = pagerduty.requests.length;
  await acknowledge(db, id, ada);
  await find(db, { severity: 'high', title: 'as grave' });
  await acknowledge(db, id, ada);
  await find(db, { severity: 'critical', title: 'graver' });
  await expect.poll(() => pagerduty.requests.length, until).toBeGreaterThan(before);
  // Tried in vain, with what was true then; no call is under way.
  const waits = `SELECT count(*)::int AS n FROM told WHERE sink = 'pagerduty' AND failures > 0 AND claimed_by IS NULL`;
  await expect.poll(async () => (await db.pool.query(waits)).rows[0].n, until).toBe(1);
  away = false;
  const tried = pagerduty.requests.length;
  await settled();
  const generation = (await readIncident(db, id))!.pageGeneration;
  expect(generation).toBe(2);
  const since = pagerduty.actions().slice(tried);
  expect(since[0]).toBe(`trigger tripline:${id}:g3`);
  expect(since.filter((action) => action.startsWith('trigger'))).toHaveLength(1);
  // Whatever may have been opened in between is closed.
  expect(since.slice(1).every((action) => action.startsWith('resolve'))).toBe(true);
  expect(since).toContain(`resolve tripline:${id}`);
});

test('a page whose answer never came is closed once a newer one rings', async () => {
  let silent = false;
  const { pagerduty } = await start({ pages: () => (silent ? { status: 202, manner: 'silent' } : undefined) });
  const id = await find(db, { severity: 'high' });
  await settled();
  silent = true;
  await acknowledge(db, id, ada);
  await expect.poll(() => pagerduty.actions().at(-1), until).toBe(`acknowledge tripline:${id}`);
  await find(db, { severity: 'high' });
  await expect.poll(() => pagerduty.actions().at(-1), until).toBe(`trigger tripline:${id}:g2`);
  await acknowledge(db, id, ada);
  await find(db, { severity: 'critical' });
  silent = false;
  await settled();
  const open = new Set<string>();
  for (const action of pagerduty.actions()) {
    const [verb, key] = action.split(' ');
    if (verb === 'trigger') open.add(key!);
    if (verb === 'resolve') open.delete(key!);
  }
  expect([...open]).toEqual([`tripline:${id}:g3`]);
});

test('an incident of three findings and what was done about them is two calls, and says it all', async () => {
  const { slack, pagerduty } = await start({ timing: { gatherMs: 1000, restMs: 30_000, openingMs: 60_000 } });
  const response = ['77', '78'].map((runId) => ({
    action: 'stop-run' as const,
    provider: 'github',
    instance: 'github.com',
    repository: 'acme/app',
    runId,
  }));
  const id = await find(db, { severity: 'high', title: 'the first thing', response });
  await expect.poll(() => slack.requests.length, until).toBe(1);
  for (const title of ['the second thing', 'the third thing']) await find(db, { severity: 'high', title });
  for (const [ordinal, text] of ['Done: stop the run', 'Dry run: would cancel the other'].entries()) {
    await db.pool.query(
      `WITH line AS (INSERT INTO incident_events (incident, kind, actor, detail)
         SELECT $1, 'remediated', '{"via":"tripline","id":"x","name":"tripline"}',
           json_build_object('finding', id, 'ordinal', $3::int, 'state', 'done', 'text', $2::text)
         FROM findings WHERE response <> '[]')
       UPDATE incidents SET version = version + 1, updated_at = clock_timestamp() WHERE id = $1`,
      [id, text, ordinal],
    );
  }
  await settled();
  expect(slack.requests.map(({ path }) => path)).toEqual(['/chat.postMessage', '/chat.update']);
  const [post] = slack.posts();
  const blocks = post!.blocks as { type: string }[];
  expect(blocks.length).toBeLessThanOrEqual(incidentBlocks);
  expect(blocks[1]!.type).toBe('actions');
  for (const part of ['the first thing', 'the second thing', 'the third thing', 'would cancel the other'])
    expect(JSON.stringify(blocks)).toContain(part);
  expect(JSON.stringify(blocks).split('user `mallory`')).toHaveLength(2);
  expect(pagerduty.actions()).toEqual([`trigger tripline:${id}`]);
});

test('an incident that grows graver at once is two calls: its message, and a page that tells what came', async () => {
  const { slack, pagerduty } = await start({ timing: { gatherMs: 500, restMs: 3000, openingMs: 60_000 } });
  const id = await find(db, { severity: 'medium', title: 'the first thing' });
  await expect.poll(() => slack.requests.length, until).toBe(1);
  await find(db, { severity: 'high', title: 'the second thing' });
  await find(db, { severity: 'critical', title: 'the third thing' });
  await expect.poll(() => slack.broadcasts().length, until).toBe(1);
  expect(slack.requests).toHaveLength(2);
  expect(slack.broadcasts()[0]!.text).toContain('high, was medium: the second thing');
  expect(slack.broadcasts()[0]!.text).toContain('critical, was high: the third thing');
  // PagerDuty waits for nothing.
  expect(pagerduty.actions()[0]).toMatch(`trigger tripline:${id}:g`);
  await settled();
  expect(slack.requests.map(({ path }) => path)).toEqual(['/chat.postMessage', '/chat.postMessage', '/chat.update']);
  expect(JSON.stringify(slack.posts()[0]!.blocks)).toContain('the third thing');
});

test('what a person did is told at once, whatever waits for more to come', async () => {
  const { slack } = await start({ timing: { gatherMs: 60_000, restMs: 60_000, openingMs: 60_000 } });
  const id = await find(db, { severity: 'high' });
  await expect.poll(() => slack.posts().length, until).toBe(1);
  await find(db, { severity: 'high', title: 'a second thing' });
  await acknowledge(db, id, ada);
  await expect
    .poll(() => slack.replies().map(({ text }) => text), until)
    .toEqual(['Acknowledged by ada (the command line)']);
  expect(JSON.stringify(slack.posts()[0]!.blocks)).toContain('a second thing');
});

test('what waits for more to come survives the end of the process', async () => {
  const first = await start({ timing: { gatherMs: 600, openingMs: 60_000 } });
  await find(db, { severity: 'high' });
  await expect.poll(() => first.slack.posts().length, until).toBe(1);
  await find(db, { severity: 'high', title: 'a second thing' });
  await first.close();
  closers.pop();
  const config = configFor({ slack: first.slack.url, pagerduty: first.pagerduty.url });
  closing(await startNotifier(db, config));
  await settled();
  expect(JSON.stringify(first.slack.posts()[0]!.blocks)).toContain('a second thing');
  const kinds = (await listMessages(db, { channel: 'slack' })).map(({ kind }) => kind);
  expect(kinds.slice(0, 2)).toEqual(['posted', 'updated']);
});

test('what an override keeps from paging is told, and rings nobody until something that may page comes', async () => {
  const { slack, pagerduty } = await start();
  const id = await find(db, { severity: 'critical', title: 'a key was added', pages: false });
  await settled();
  expect(await find(db, { severity: 'critical', title: 'another key was added', pages: false })).toBe(id);
  await settled();
  expect(pagerduty.actions()).toEqual([]);
  expect([slack.posts().length, slack.broadcasts().length]).toEqual([1, 0]);
  expect(await find(db, { severity: 'medium', title: 'a branch was unprotected' })).toBe(id);
  await settled();
  expect(pagerduty.actions()).toEqual([]);
  expect(await find(db, { severity: 'high', title: 'the key was used' })).toBe(id);
  await settled();
  expect(pagerduty.actions()).toEqual([`trigger tripline:${id}:g3`]);
  expect(await readIncident(db, id)).toMatchObject({ severity: 'critical', pageSeverity: 'high' });
});

test('what may not page lets an acknowledged incident be', async () => {
  const { slack, pagerduty } = await start();
  const id = await find(db, { severity: 'high', title: 'a key was added' });
  await settled();
  await acknowledge(db, id, ada);
  await settled();
  await find(db, { severity: 'critical', title: 'the key was used', pages: false });
  await settled();
  expect(pagerduty.actions()).toEqual([`trigger tripline:${id}`, `acknowledge tripline:${id}`]);
  expect(slack.broadcasts()).toEqual([]);
  expect(await readIncident(db, id)).toMatchObject({
    state: 'acknowledged',
    severity: 'critical',
    pageSeverity: 'high',
  });
});
