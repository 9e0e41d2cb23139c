import { randomUUID } from 'node:crypto';
import type { Db } from '@tripline/db/database';
import { readChannelTroubles } from '@tripline/health/channel-troubles';
import { acknowledge, readIncident, reopen, resolve } from '@tripline/incidents/incidents';
import { actionIds } from '@tripline/integrations/slack/interaction';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import {
  configFor,
  failResponse,
  joinFinding,
  openIncident,
  pressOf,
  secrets,
  signedPress,
  startFakePagerDuty,
  startFakeSlack,
  startNotifier,
  submissionOf,
} from '@tripline/testing/services/notifier';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { groupIntoDigest, readDigest, recordDigestNews } from './store/digests.ts';
import { claimDue, deferNotification, listMessages } from './store/messages.ts';

let db: Db;
const closers: (() => Promise<void>)[] = [];
const closing = <T extends { close: () => Promise<void> }>(thing: T): T => {
  closers.push(() => thing.close());
  return thing;
};
const cli = { via: 'cli', id: 'ada', name: 'ada' } as const;
const until = { timeout: 15_000, interval: 20 };

beforeEach(async () => {
  const database = closing(await freshDatabase());
  db = database.db;
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(options: Parameters<typeof startFakeSlack>[0] = undefined, timing = {}) {
  const slack = closing(await startFakeSlack(options));
  const pagerduty = closing(await startFakePagerDuty());
  const running = closing(await startNotifier(db, configFor({ slack: slack.url, pagerduty: pagerduty.url }), timing));
  return { slack, pagerduty, ...running };
}

/** Every incident told at its present version, by both sinks. */
async function inStep(): Promise<boolean> {
  const { rows } = await db.pool.query<{ behind: number }>(
    `SELECT count(*) AS behind FROM incidents i CROSS JOIN (VALUES ('slack'), ('pagerduty')) s (sink)
     LEFT JOIN told t ON t.incident = i.id AND t.sink = s.sink WHERE coalesce(t.version, 0) < i.version OR t.claimed_by IS NOT NULL`,
  );
  return rows[0]!.behind === 0;
}

test('one incident is one post and one trigger', async () => {
  const { slack, pagerduty, sent, metrics } = await start();
  const id = await openIncident(db, { title: 'mallory was given write' });
  await expect.poll(inStep, until).toBe(true);
  expect(slack.requests.map(({ path }) => path)).toEqual(['/chat.postMessage']);
  expect(slack.posts()[0]!.text).toContain('mallory was given write');
  expect(pagerduty.actions()).toEqual([`trigger tripline:${id}`]);
  const messages = await listMessages(db, { incident: id });
  expect(messages.map(({ sink, kind, mode }) => [sink, kind, mode]).sort()).toEqual([
    ['pagerduty', 'trigger', 'live'],
    ['slack', 'posted', 'live'],
  ]);
  expect(sent.map(({ channel }) => channel).sort()).toEqual(['pagerduty', 'slack']);
  expect(await metrics.metrics()).toMatch(
    /tripline_notifier_notification_latency_seconds_count\{[^}]*channel="slack"[^}]*\} 1/,
  );
});

test('an alert that may have been opened is resolved when its incident is over before anybody knows', async () => {
  const pagerduty = closing(
    await startFakePagerDuty((nth) => (nth === 1 ? { status: 202, manner: 'silent' } : undefined)),
  );
  closing(await startNotifier(db, configFor({ pagerduty: pagerduty.url })));
  const id = await openIncident(db, { title: 'mallory was given write' });
  const failure = async () => (await db.pool.query('SELECT failure FROM told WHERE sink = $1', ['pagerduty'])).rows[0];
  await expect.poll(failure, until).toEqual({ failure: 'timeout' });
  await resolve(db, id, 'false', cli, 'a test of ours');
  await expect.poll(pagerduty.actions, until).toEqual([`trigger tripline:${id}`, `resolve tripline:${id}`]);
});

test('below pagerduty.minSeverity only Slack is told', async () => {
  const { slack, pagerduty } = await start();
  await openIncident(db, { severity: 'medium' });
  await expect.poll(inStep, until).toBe(true);
  expect(slack.posts()).toHaveLength(1);
  expect(pagerduty.requests).toHaveLength(0);
});

test('findings that join update the message in place, with a reply in its thread', async () => {
  const { slack, pagerduty } = await start();
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  await joinFinding(db, id, 'a second thing');
  await expect.poll(inStep, until).toBe(true);
  await joinFinding(db, id, 'a third thing');
  await expect.poll(() => slack.replies().length, until).toBe(2);
  await expect.poll(inStep, until).toBe(true);
  const [post, ...others] = slack.posts();
  expect(others).toEqual([]);
  expect(post!.updates).toBe(2);
  expect(JSON.stringify(post!.blocks)).toContain('a third thing');
  expect(slack.replies().map(({ text }) => text)).toEqual(['Joined: a second thing', 'Joined: a third thing']);
  expect(pagerduty.actions()).toEqual([`trigger tripline:${id}`]);
});

const acknowledging = (incident: string) => pressOf({ action_id: actionIds.acknowledge, value: incident });

test('a press of Acknowledge reaches Postgres, Slack and PagerDuty, with who and when', async () => {
  const { slack, pagerduty, app } = await start();
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  expect((await app.inject(signedPress(acknowledging(id)))).statusCode).toBe(200);
  const { state, acknowledged } = (await readIncident(db, id))!;
  expect([state, acknowledged!.by]).toEqual([
    'acknowledged',
    { via: 'slack', id: 'U7', name: 'ada', proof: 'slack-user:U7 linked to ada' },
  ]);
  await expect.poll(() => slack.replies().length, until).toBe(1);
  await expect.poll(() => pagerduty.requests.length, until).toBe(2);
  const shown = JSON.stringify(slack.posts()[0]!.blocks);
  expect(shown).toContain('*Acknowledged* by ada (Slack)');
  expect(shown).toContain(acknowledged!.at.slice(11, 19));
  expect(shown).not.toContain(actionIds.acknowledge);
  expect(pagerduty.actions()).toEqual([`trigger tripline:${id}`, `acknowledge tripline:${id}`]);
  expect(pagerduty.events()[1].payload.custom_details).toMatchObject({
    acknowledged_by: 'ada (Slack)',
    acknowledged_at: acknowledged!.at,
  });
});

test('every press is answered to whoever pressed, and to nobody else', async () => {
  const { slack, app } = await start();
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  const press = async (payload: object) => expect((await app.inject(signedPress(payload))).statusCode).toBe(200);
  const said = (nth: number) => expect.poll(() => slack.answered[nth], until);
  await press(acknowledging(id));
  await said(0).toEqual({ channel: 'C1', user: 'U7', text: `Done: you have ${id}.` });
  await press({ ...acknowledging(id), user: { id: 'U8' } });
  await said(1).toMatchObject({ user: 'U8', text: expect.stringContaining(`${id} is acknowledged already, by ada`) });
  const real = pressOf({ action_id: actionIds.resolve, selected_option: { value: `true ${id}` } });
  await press(real);
  await said(2).toMatchObject({ text: `Done: ${id} is resolved: it was a real breach.` });
  await press(real);
  await said(3).toMatchObject({ text: expect.stringContaining(`${id} was resolved already, by ada`) });
  await press(acknowledging(id));
  await said(4).toMatchObject({ text: expect.stringContaining('Nothing was done: INC') });
  await press(acknowledging('INC-999'));
  await said(5).toMatchObject({ text: expect.stringContaining('there is no incident INC-999') });
});

test('whoever is not linked changes nothing, and is told how to be linked', async () => {
  const { slack, app } = await start();
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  // A name is what people choose, and proves nothing.
  for (const user of [
    { id: 'U9', username: 'ada' },
    { id: 'U9', username: 'U7', name: 'ada' },
  ]) {
    expect((await app.inject(signedPress({ ...acknowledging(id), user }))).statusCode).toBe(200);
  }
  await expect.poll(() => slack.answered.length, until).toBe(2);
  expect(slack.answered[0]).toMatchObject({ user: 'U9', text: expect.stringContaining('U9: your-login') });
  expect((await readIncident(db, id))!.state).toBe('open');
  expect(slack.forms).toEqual([]);
});

test('a press in another workspace, app or channel changes nothing', async () => {
  const { slack, app } = await start();
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  const form = { callback_id: 'tripline.reason', private_metadata: `false ${id} C2` };
  const wrong = [
    [{ ...acknowledging(id), team: { id: 'T2' } }, 'wrong-workspace'],
    [{ ...acknowledging(id), api_app_id: 'A2' }, 'wrong-app'],
    [{ ...acknowledging(id), channel: { id: 'C2' } }, 'wrong-channel'],
    [submissionOf(form, 'because'), 'wrong-channel'],
    [submissionOf(form, 'because', { team: { id: 'T2' } }), 'wrong-workspace'],
  ] as const;
  for (const [payload, reason] of wrong) {
    const response = await app.inject(signedPress(payload));
    expect([response.statusCode, response.json().error.reason]).toEqual([403, reason]);
  }
  expect((await readIncident(db, id))!.state).toBe('open');
  expect(slack.answered).toEqual([]);
});

test('a message that was posted to a former channel can still be pressed there', async () => {
  const { app } = await start();
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  await db.pool.query(`UPDATE told SET channel = 'C0' WHERE sink = 'slack'`);
  expect((await app.inject(signedPress({ ...acknowledging(id), channel: { id: 'C0' } }))).statusCode).toBe(200);
  expect((await readIncident(db, id))!.state).toBe('acknowledged');
});

test.each([
  ['false', (id: string) => ({ action_id: actionIds.falsePositive, value: id })],
  ['accepted', (id: string) => ({ action_id: actionIds.resolve, selected_option: { value: `accepted ${id}` } })],
] as const)('%s asks for a reason, and resolves with it; reopening triggers again', async (resolution, action) => {
  const { slack, pagerduty, app } = await start();
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  expect((await app.inject(signedPress(pressOf(action(id))))).statusCode).toBe(200);
  await expect.poll(() => slack.forms.length, until).toBe(1);
  expect((await readIncident(db, id))!.state).toBe('open');
  const { trigger, view } = slack.forms[0]!;
  expect(trigger).toBe('1.2.3');
  const empty = await app.inject(signedPress(submissionOf(view, '  ')));
  expect(empty.json()).toMatchObject({ response_action: 'errors', errors: { reason: expect.stringContaining('why') } });
  expect((await readIncident(db, id))!.state).toBe('open');
  const submitted = await app.inject(signedPress(submissionOf(view, 'we moved the broker')));
  expect([submitted.statusCode, submitted.json()]).toEqual([200, {}]);
  expect((await readIncident(db, id))!.resolved).toMatchObject({ resolution, by: { name: 'ada' } });
  await expect.poll(() => slack.answered.at(-1)?.text, until).toContain(`Done: ${id} is resolved`);
  await expect.poll(inStep, until).toBe(true);
  expect(JSON.stringify(slack.posts()[0]!.blocks)).toMatch(/\*Resolved\* \([a-z, ]+\) by ada \(Slack\)/);
  await reopen(db, id, cli);
  await expect.poll(() => pagerduty.requests.length, until).toBe(3);
  expect(pagerduty.actions().map((action) => action.split(' ')[0])).toEqual(['trigger', 'resolve', 'trigger']);
});

test('an answer that Slack does not take changes nothing of what was done', async () => {
  const { app, logged } = await start(({ path }) =>
    path === '/chat.postEphemeral' ? { status: 200, body: '{"ok":false,"error":"user_not_in_channel"}' } : undefined,
  );
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  expect((await app.inject(signedPress(acknowledging(id)))).statusCode).toBe(200);
  expect((await readIncident(db, id))!.state).toBe('acknowledged');
  await expect.poll(() => logged.join(''), until).toContain('user_not_in_channel');
});

test('what Slack did not sign, or not lately, changes nothing', async () => {
  const { app } = await start();
  const id = await openIncident(db);
  const press = acknowledging(id);
  const unsigned = { method: 'POST' as const, url: '/slack/interactions', payload: 'payload={}' };
  for (const request of [unsigned, signedPress(press, { secret: 'other' }), signedPress(press, { ageS: 301 })]) {
    const response = await app.inject(request);
    expect([response.statusCode, response.json().error.reason]).toEqual([401, 'bad-signature']);
  }
  const nonsense = await app.inject(signedPress({ type: 'view_submission' }));
  expect([nonsense.statusCode, nonsense.json().error.reason]).toEqual([400, 'bad-interaction']);
  expect((await readIncident(db, id))!.state).toBe('open');
});

test('a storm is folded into one message, and none is missing', async () => {
  const ids = await Promise.all(
    Array.from({ length: 300 }, (_, nth) => openIncident(db, { severity: nth === 250 ? 'critical' : 'high' })),
  );
  // Slow enough that incidents pile up.
  const { slack, pagerduty } = await start(undefined, {
    intervalMs: { slack: 200 },
    timeoutMs: 5000,
    claimMs: 10_000,
  });
  await expect.poll(inStep, { timeout: 25_000, interval: 100 }).toBe(true);
  const digests = slack.posts().filter(({ text }) => text.includes('more incidents'));
  expect(digests).toHaveLength(1);
  const messages = await listMessages(db, { channel: 'slack' });
  const toldOf = new Set(messages.filter(({ kind }) => kind === 'posted' || kind === 'folded').map((m) => m.incident));
  expect(ids.filter((id) => !toldOf.has(id))).toEqual([]);
  const folded = messages.filter(({ kind }) => kind === 'folded');
  expect(digests[0]!.text).toContain(`${folded.length} more incidents`);
  expect(folded.length).toBeGreaterThan(200);
  expect(slack.posts().length).toBe(300 - folded.length + 1);
  expect(new Set(pagerduty.actions()).size).toBe(300);
  expect(pagerduty.requests).toHaveLength(300);

  // Acknowledged by the command line, a folded incident changes the digest in place.
  await resolve(db, folded[0]!.incident!, 'true', cli);
  await expect
    .poll(() => [...slack.standing.values()].find(({ text }) => text.includes('more incidents'))!.blocks, until)
    .toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          type: 'header',
          text: expect.objectContaining({ text: expect.stringContaining(`${folded.length - 1} open`) }),
        }),
      ]),
    );
  expect(slack.posts().filter(({ text }) => text.includes('more incidents'))).toHaveLength(1);
});

test('a folded incident that becomes graver leaves its digest, and gets a message of its own', async () => {
  const ids = await Promise.all(Array.from({ length: 60 }, () => openIncident(db, { severity: 'medium' })));
  const { slack } = await start(undefined, { intervalMs: { slack: 200 }, timeoutMs: 5000, claimMs: 10_000 });
  await expect.poll(inStep, { timeout: 25_000, interval: 100 }).toBe(true);
  const folded = (await listMessages(db, { channel: 'slack' })).filter(({ kind }) => kind === 'folded');
  const [same, graver] = folded.map(({ incident }) => incident!);
  expect(ids).toContain(graver);
  const own = (id: string) => slack.posts().filter(({ text }) => text.includes(`(${id})`));
  await joinFinding(db, same!, 'more of the same');
  await db.pool.query(`UPDATE incidents SET severity = 'critical' WHERE id = $1`, [graver]);
  await joinFinding(db, graver!, 'something grave');
  await expect.poll(inStep, { timeout: 25_000, interval: 100 }).toBe(true);
  expect([own(same!).length, own(graver!).length]).toEqual([0, 1]);
  expect(own(graver!)[0]!.text).toContain('CRITICAL');
});

test('a digest leaves what became graver to a message of its own, whoever comes first', async () => {
  const [same, graver] = [await openIncident(db, { severity: 'low' }), await openIncident(db, { severity: 'low' })];
  for (const incident of [same, graver]) await deferNotification(db, { incident, channel: 'slack', mode: 'live' });
  expect(await groupIntoDigest(db, { above: 1, keep: 0, mode: 'live' })).toBe(2);
  const claim = await claimDue(db, 'slack', 'newest', randomUUID(), 10_000);
  const digest = claim!.notification.id;
  await recordDigestNews(db, claim!, 'live', (await readDigest(db, digest)).news);
  expect((await readDigest(db, digest)).news).toEqual([]);
  await db.pool.query(`UPDATE incidents SET severity = 'critical' WHERE id = $1`, [graver]);
  for (const incident of [same, graver]) await joinFinding(db, incident, 'more of it');
  expect((await readDigest(db, digest)).news.map(({ incident }) => incident)).toEqual([same]);
});

test('what pages again within a digest is one reply that the channel sees, and nothing else is told for it', async () => {
  const ids = [await openIncident(db), await openIncident(db), await openIncident(db)];
  for (const incident of ids) await deferNotification(db, { incident, channel: 'slack', mode: 'live' });
  expect(await groupIntoDigest(db, { above: 1, keep: 0, mode: 'live' })).toBe(3);
  const { slack, pagerduty } = await start();
  await expect.poll(inStep, until).toBe(true);
  expect(slack.posts()).toHaveLength(1);
  for (const incident of ids.slice(0, 2)) {
    await acknowledge(db, incident, cli);
    await failResponse(db, incident, 'the token is STILL ALIVE');
  }
  await expect.poll(() => slack.broadcasts().length, until).toBe(1);
  await expect.poll(inStep, until).toBe(true);
  expect(slack.posts()).toHaveLength(1);
  const [page] = slack.broadcasts();
  expect(page!.text).toMatch(/^🔔 [12] of these incidents pages? again/);
  // Each is a page of its own for whoever is on call.
  const anew = () => pagerduty.actions().filter((action) => action.endsWith(':g2') && action.startsWith('trigger'));
  await expect.poll(anew, until).toHaveLength(2);
});

test('news is told beside a pile that waits, and the pile is told too', async () => {
  // As a day without PagerDuty leaves it.
  const waiting = await Promise.all(Array.from({ length: 80 }, () => openIncident(db)));
  await db.pool.query('DELETE FROM queue');
  await db.pool.query(
    `INSERT INTO told (incident, sink, mode, due_at) SELECT id, 'pagerduty', 'live', now() - interval '1 hour' FROM incidents`,
  );
  await db.pool.query(
    `INSERT INTO told (incident, sink, mode, version, state, story, channel, ts, told_at)
     SELECT id, 'slack', 'live', version, state, 1, 'C1', id, now() - interval '1 hour' FROM incidents`,
  );
  const { pagerduty } = await start(undefined, { intervalMs: { pagerduty: 100 }, timeoutMs: 5000, claimMs: 10_000 });
  // The burst is spent on what waited.
  await expect.poll(() => pagerduty.requests.length, until).toBeGreaterThan(20);
  const fresh = await openIncident(db);
  await expect.poll(inStep, { timeout: 25_000, interval: 100 }).toBe(true);
  const place = pagerduty.actions().indexOf(`trigger tripline:${fresh}`);
  expect(place).toBeGreaterThan(0);
  expect(place).toBeLessThan(waiting.length);
  expect(new Set(pagerduty.actions()).size).toBe(waiting.length + 1);
});

test('429 is obeyed: nothing is sent before Retry-After, and nothing is lost', async () => {
  const limited = { status: 429, headers: { 'retry-after': '1' } };
  const { slack } = await start((_request, nth) => (nth === 1 ? limited : undefined));
  await openIncident(db);
  await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  expect(slack.posts()).toHaveLength(2);
  const [first, ...rest] = slack.arrivalsMs;
  // Calls that were under way with the first one apart, all keep away.
  const soon = rest.filter((ms) => ms - first! > 100 && ms - first! < 950);
  expect(soon).toEqual([]);
  expect(rest.at(-1)! - first!).toBeGreaterThan(950);
});

test('an answer that never comes leads to one repeat at most, marked', async () => {
  const { slack, pagerduty } = await start((_request, nth) =>
    nth === 1 ? { status: 200, manner: 'silent' } : undefined,
  );
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  const [first, second, ...more] = slack.posts().map(({ blocks }) => JSON.stringify(blocks));
  expect(more).toEqual([]);
  expect(first).not.toContain('Possibly a repeat');
  expect(second).toContain('Possibly a repeat');
  const messages = await listMessages(db, { incident: id, channel: 'slack' });
  expect(messages.map(({ kind, possibly_repeated }) => [kind, possibly_repeated])).toEqual([['posted', true]]);
  expect(pagerduty.actions()).toEqual([`trigger tripline:${id}`]);
});

test('a notifier that died between post and record is taken over: one extra message, marked', async () => {
  const slack = closing(await startFakeSlack());
  const pagerduty = closing(await startFakePagerDuty());
  const id = await openIncident(db);
  // What kill -9 leaves: the incident in a dead worker's hands, a claim, and the intent to post.
  await db.pool.query(
    `UPDATE queue SET claimed_by = gen_random_uuid(), due_at = clock_timestamp() + interval '300 ms'`,
  );
  await db.pool.query(
    `INSERT INTO told (incident, sink, mode, intent, claimed_by, claimed_until)
     VALUES ($1, 'slack', 'live', 'posted', gen_random_uuid(), clock_timestamp() + interval '300 ms')`,
    [id],
  );
  closing(await startNotifier(db, configFor({ slack: slack.url, pagerduty: pagerduty.url })));
  await expect.poll(inStep, until).toBe(true);
  expect(slack.posts()).toHaveLength(1);
  expect(JSON.stringify(slack.posts()[0]!.blocks)).toContain('Possibly a repeat');
  expect(pagerduty.actions()).toEqual([`trigger tripline:${id}`]);
});

test('who was held up until its claim ran out sends nothing once somebody else has it', async () => {
  const slack = closing(await startFakeSlack());
  let heldUp = false;
  const claimLost = async () => {
    const { rowCount } = await db.pool.query(
      `UPDATE told SET claimed_by = gen_random_uuid(), claimed_until = clock_timestamp() + interval '1 hour', due_at = NULL
       WHERE sink = 'slack' AND claimed_until < clock_timestamp()`,
    );
    return rowCount;
  };
  const pool = new Proxy(db.pool, {
    get(target, name) {
      if (name !== 'query') return Reflect.get(target, name);
      return async (...given: [never]) => {
        const answer = await target.query(...given);
        if (!heldUp && JSON.stringify(given).includes('SELECT i.*')) {
          heldUp = true;
          await expect.poll(claimLost, until).toBe(1);
        }
        return answer;
      };
    },
  });
  const id = await openIncident(db);
  closing(await startNotifier({ ...db, pool }, configFor({ slack: slack.url }), { claimMs: 100 }));
  const queued = `SELECT count(*)::int AS left FROM queue WHERE purpose = 'notify' AND item = $1`;
  const left = async () => (await db.pool.query(queued, [id])).rows[0].left;
  await expect.poll(left, until).toBe(0);
  expect(heldUp).toBe(true);
  expect(slack.posts()).toEqual([]);
});

test('with nothing configured, what would have been told is recorded as a dry run', async () => {
  const { sent } = closing(await startNotifier(db, configFor({})));
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  const messages = await listMessages(db, { incident: id });
  expect(messages.map(({ sink, kind, mode }) => [sink, kind, mode]).sort()).toEqual([
    ['pagerduty', 'trigger', 'dry-run'],
    ['slack', 'posted', 'dry-run'],
  ]);
  expect(sent.every(({ line }) => line.includes(id))).toBe(true);
  await joinFinding(db, id, 'more');
  await expect
    .poll(async () => (await listMessages(db, { incident: id, channel: 'slack' })).map(({ kind }) => kind), until)
    .toEqual(['posted', 'updated', 'thread-reply']);
});

test.each(['not_in_channel', 'is_archived', 'invalid_auth'])(
  'a channel that answers %s is named, and told what it missed soon after it works again',
  async (error) => {
    let refuse = true;
    const refusal = { status: 200, body: JSON.stringify({ ok: false, error }) };
    const { slack, logged, pagerduty } = await start(() => (refuse ? refusal : undefined));
    const ids = [await openIncident(db), await openIncident(db)];
    await expect.poll(() => slack.requests.length, until).toBeGreaterThan(1);
    const named = async () => (await readChannelTroubles(db))[0];
    await expect.poll(named, until).toMatchObject({ channel: 'slack', gaveUp: true, waiting: 2 });
    const { since, reason } = (await named())!;
    expect(['no-channel', 'unauthorised']).toContain(reason);
    expect(Date.now() - Date.parse(since)).toBeLessThan(10_000);
    expect(logged.join('')).toContain(reason);
    expect(logged.join('')).not.toContain(secrets.token);
    await acknowledge(db, ids[1]!, cli);
    await expect.poll(() => pagerduty.requests.length, until).toBe(3);
    // Who is away is asked seldom, however much there is to tell.
    expect(slack.requests.length).toBeLessThan(8);

    refuse = false;
    await expect.poll(inStep, until).toBe(true);
    expect(
      slack
        .posts()
        .map(({ text }) => /\((INC-\d+)\)/.exec(text)?.[1])
        .sort(),
    ).toEqual([...ids].sort());
    expect(JSON.stringify(slack.posts())).toContain('*Acknowledged* by ada');
    expect(await readChannelTroubles(db)).toEqual([]);
  },
);

test('a sink that is away is named with how long, and forgotten once it answers or is no longer configured', async () => {
  let away = true;
  const { close } = await start(() => (away ? { status: 503 } : undefined));
  await openIncident(db);
  const named = async () => (await readChannelTroubles(db))[0];
  await expect.poll(named, until).toMatchObject({ reason: 'provider-failed', gaveUp: false, waiting: 1 });
  await db.pool.query(`UPDATE sink_troubles SET since = since - interval '6 minutes'`);
  expect(await named()).toMatchObject({ gaveUp: true });
  away = false;
  await expect.poll(named, until).toBe(undefined);
  away = true;
  await openIncident(db);
  await expect.poll(named, until).toBeDefined();
  await close();
  closers.pop();
  closing(await startNotifier(db, configFor({})));
  expect(await named()).toBe(undefined);
});

test('a message that somebody deleted is posted again with the next change', async () => {
  const gone = { status: 200, body: '{"ok":false,"error":"message_not_found"}' };
  const { slack } = await start(({ path }) => (path === '/chat.update' ? gone : undefined));
  const id = await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  await joinFinding(db, id, 'a second thing');
  await expect.poll(() => slack.posts().length, until).toBe(2);
  await expect.poll(inStep, until).toBe(true);
  expect(JSON.stringify(slack.posts()[1]!.blocks)).toContain('a second thing');
});

test('what Slack does not take of one incident is given up, and keeps no other waiting', async () => {
  const refusal = { status: 200, body: '{"ok":false,"error":"invalid_blocks"}' };
  const { slack, logged, close } = await start(({ body }) => (body.includes('INC-1') ? refusal : undefined));
  await openIncident(db);
  await openIncident(db);
  await expect.poll(inStep, until).toBe(true);
  expect(slack.posts()).toHaveLength(1);
  expect(logged.join('')).toContain('invalid_blocks');
  expect(await readChannelTroubles(db)).toEqual([]);
  await close();
  closers.pop();
  const well = closing(await startFakeSlack());
  closing(await startNotifier(db, configFor({ slack: well.url })));
  await expect.poll(() => well.posts().length, until).toBe(1);
});
