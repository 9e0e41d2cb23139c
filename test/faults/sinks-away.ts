import type { Db } from '@tripline/db/database';
import { freshDatabaseOn } from '../setup/fresh-database.ts';
import type { Fault, Ground, Outcome } from './fault.ts';
import { until } from './service-process.ts';
import { openIncidents, type Sinks, startSinks, startTellers, unfinished } from './sinks.ts';

/**
 * Slack and PagerDuty refuse every call, for what may be a day: incidents pile up, as many as `size`. Credentials are
 * revoked all the same. When the sinks are back, a fresh incident is told soon, people see a bounded number of messages,
 * and PagerDuty hears of each at its own pace.
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

async function run(ground: Ground, size: number): Promise<Outcome> {
  const { db, close } = await freshDatabaseOn(ground.postgresUrl);
  let away = true;
  const sinks = await startSinks(({ sink }) =>
    away && sink !== 'github' ? { kind: 'answer', status: 503, body: 'away' } : undefined,
  );
  const differences: string[] = [];
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
    const keys = new Set(sinks.events.map(({ dedupKey }) => dedupKey));
    if (keys.size !== sinks.events.length) differences.push(`${sinks.events.length - keys.size} pages came twice`);
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

/** Twenty findings arrive, and their credentials die. */
async function revokes(db: Db, sinks: Sinks, when: string, differences: string[]): Promise<void> {
  const first = await openIncidents(db, 20);
  const dead = () => Array.from({ length: 20 }, (_, nth) => sinks.deleted.has(String(first + nth))).every(Boolean);
  await until(dead, { patienceMs: 60_000, what: `20 revocations ${when}` }).catch((error) =>
    differences.push(error.message),
  );
}

async function noTellJobs(db: Db): Promise<boolean> {
  const { rows } = await db.pool.query(`SELECT FROM graphile_worker.jobs WHERE key LIKE 'tell-%' LIMIT 1`);
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
