import type { Db } from '@tripline/db/database';
import { acknowledge } from '@tripline/incidents/incidents';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import type { Fault, FaultOutcome, Ground } from './fault.ts';
import { recordFindings, someFinding } from './recorded-findings.ts';
import { until } from './service-process.ts';
import { openIncidents, type Sinks, startSinks, startTellers, unfinished } from './sinks.ts';

/**
 * Slack and PagerDuty refuse every call, for what may be a day: incidents pile up, as many as `size`. Credentials are
 * revoked all the same. When the sinks are back, a fresh incident is told soon, people see a bounded number of messages,
 * and PagerDuty hears of each at its own pace. What was told before and paged anew meanwhile, twice, pages once.
 */
export const sinksAway: Fault = {
  name: 'sinks-away',
  what: 'Slack and PagerDuty away while incidents pile up',
  sizes: { ci: 600, full: 1_000_000, unit: 'incidents' },
  run,
};

/** PagerDuty is waited for to hear of so many of those that piled up; the rest would follow at the same pace. */
const drainedAtMost = 2000;
const memoryLimitMib = 512;

async function run(ground: Ground, size: number): Promise<FaultOutcome> {
  const { db, close } = await freshDatabaseOn(ground.postgresUrl);
  let away = false;
  const sinks = await startSinks(({ sink }) =>
    away && sink !== 'github' ? { kind: 'answer', status: 503, body: 'away' } : undefined,
  );
  const differences: string[] = [];
  const rising = await tellThem(db, sinks);
  away = true;
  await pageAnewTwice(db, rising);
  for (let left = size; left > 0; left -= 50_000) {
    await openIncidents(db, Math.min(left, 50_000), { remediate: false });
    ground.say(`${Math.max(0, left - 50_000)} incidents are still to be opened`);
  }
  await db.pool.query('ANALYZE');
  const running = await startTellers(db, sinks);
  try {
    // Other work goes on beside the pile, from its beginning to its end.
    await revokes(db, sinks, 'while jobs pile up', differences);
    await until(() => noTellJobs(db), { patienceMs: 60_000 + size * 20, what: 'the end of the jobs' });
    await revokes(db, sinks, 'beside what waits', differences);
    differences.push(...(await scans(db)));
    const tried = sinks.calls.slack + sinks.calls.pagerduty;
    if (tried > 200) differences.push(`${tried} calls were made of sinks that were away`);

    away = false;
    const fresh = await openIncidents(db, 1, { severity: 'critical', remediate: false });
    const hears = () => sinks.events.some(({ dedupKey }) => dedupKey === `tripline:INC-${fresh}`);
    await until(hears, { patienceMs: 90_000, what: `the page of INC-${fresh}` }).catch((error) =>
      differences.push(error.message),
    );
    const before = sinks.events.length;
    if (before > 200) differences.push(`${before} older pages came before a fresh one`);

    const toHear = Math.min(size, drainedAtMost);
    const drained = async () => {
      const left = await unfinished(db);
      return left.slack === 0 && (size > drainedAtMost ? sinks.events.length >= toHear : left.pagerduty === 0);
    };
    // Counting a million takes seconds of both cores, which is not to be what is waited for.
    const waiting = { patienceMs: 120_000 + size * 5, everyMs: 10 + size / 100, what: 'that all were told' };
    await until(drained, waiting).catch((error) =>
      differences.push(`${error.message}: ${JSON.stringify(sinks.calls)}`),
    );
    const posts = sinks.posts().length;
    if (posts > 60) differences.push(`the channel got ${posts} messages`);
    const pages = sinks.events.filter(({ action }) => action === 'trigger').map(({ dedupKey }) => dedupKey);
    const twice = pages.length - new Set(pages).size;
    if (twice > 0) differences.push(`${twice} pages came twice`);
    differences.push(...(await anew(sinks, rising)));
    const residentMib = process.memoryUsage().rss / 1024 / 1024;
    if (residentMib > memoryLimitMib) differences.push(`${residentMib.toFixed(0)} MiB are resident`);
    return {
      size: `${size} incidents, ${size * 2} jobs`,
      compared: 'incidents with what Slack and PagerDuty heard; plans of the claims; revocations beside',
      differences,
      figure: `${tried} calls of the sinks while away, ${posts} messages in the channel, ${before} pages before the fresh one, ${residentMib.toFixed(0)} MiB resident`,
    };
  } finally {
    await running.close();
    await sinks.close();
    await close();
  }
}

/** Some incidents that people hear of, and acknowledge, before the sinks go away: their ids. */
async function tellThem(db: Db, sinks: Sinks): Promise<string[]> {
  await recordFindings(
    db,
    Array.from({ length: 5 }, (_, nth) => someFinding(`rising ${nth}`, { person: `p${nth}` })),
  );
  const running = await startTellers(db, sinks);
  const told = async () => (await unfinished(db)).slack + (await unfinished(db)).pagerduty === 0;
  await until(told, { patienceMs: 60_000, what: 'what is told before the sinks go away' });
  await running.close();
  const { rows } = await db.pool.query<{ id: string }>('SELECT id FROM incidents ORDER BY id');
  return rows.map(({ id }) => id);
}

const somebody = { via: 'cli', id: 'ada', name: 'ada', proof: 'os-user' } as const;

/** Each is acknowledged and pages anew for what comes after, twice, while nobody hears it. */
async function pageAnewTwice(db: Db, incidents: readonly string[]): Promise<void> {
  for (const round of [1, 2]) {
    for (const incident of incidents) await acknowledge(db, incident, somebody);
    await recordFindings(
      db,
      incidents.map((_, nth) => someFinding(`rising ${nth} ${round}`, { person: `p${nth}` })),
    );
  }
}

/** Pages of what paged anew that are too many, too few, or not the newest. */
async function anew(sinks: Sinks, incidents: readonly string[]): Promise<string[]> {
  const heard = (incident: string) =>
    sinks.events
      .filter(({ dedupKey }) => dedupKey === `tripline:${incident}` || dedupKey.startsWith(`tripline:${incident}:`))
      .map(({ action, dedupKey }) => `${action} ${dedupKey}`);
  const expected = (incident: string) =>
    ['trigger #', 'trigger #:g3', 'resolve #'].map((event) => event.replace('#', `tripline:${incident}`));
  await until(() => incidents.every((incident) => heard(incident).length >= 3), {
    patienceMs: 60_000,
    what: 'the pages of what paged anew',
  }).catch(() => {});
  return incidents
    .filter((incident) => heard(incident).join() !== expected(incident).join())
    .map((incident) => `${incident} paged anew while PagerDuty was away, and it heard ${heard(incident).join(', ')}`);
}

/** Twenty findings arrive, and their credentials die. */
async function revokes(db: Db, sinks: Sinks, when: string, differences: string[]): Promise<void> {
  const first = await openIncidents(db, 20);
  const dead = () => Array.from({ length: 20 }, (_, nth) => sinks.deleted.has(String(first + nth))).every(Boolean);
  await until(dead, { patienceMs: 60_000, what: `20 revocations ${when}` }).catch((error) =>
    differences.push(error.message),
  );
}

async function noTellJobs(db: Db): Promise<boolean> {
  const { rows } = await db.pool.query(`SELECT FROM queue WHERE purpose = 'notify' LIMIT 1`);
  return rows.length === 0;
}

/** Claims of what waits that read all of it. */
async function scans(db: Db): Promise<string[]> {
  await db.pool.query('ANALYZE told');
  const lines: string[] = [];
  for (const order of ['ASC', 'DESC']) {
    const { rows } = await db.pool.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT id FROM told t WHERE sink = 'pagerduty' AND due_at <= now() AND (claimed_until IS NULL OR claimed_until <= now())
       ORDER BY due_at ${order} LIMIT 1 FOR UPDATE SKIP LOCKED`,
    );
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    if (!plan.includes('told_due') || plan.includes('Sort'))
      lines.push(`a claim does not read told_due in order:\n${plan}`);
  }
  return lines;
}
