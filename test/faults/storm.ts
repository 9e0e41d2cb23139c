import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import type { Fault, FaultOutcome, Ground } from './fault.ts';
import { until } from './service-process.ts';
import { openIncidents, startSinks, startTellers, unfinished } from './sinks.ts';

/** Thousands of findings within ten seconds, each an incident of its own, into one channel. */
export const storm: Fault = {
  name: 'storm',
  what: 'findings within 10 s into one channel, each with a credential to revoke',
  sizes: { ci: 200, full: 10_000, unit: 'findings' },
  run,
};

const seconds = 10;

async function run(ground: Ground, size: number): Promise<FaultOutcome> {
  const { db, close } = await freshDatabaseOn(ground.postgresUrl);
  const sinks = await startSinks(() => undefined);
  // Slack's own pace; PagerDuty's is quicker than real, so that its end is reached.
  const running = await startTellers(db, sinks, {
    timeoutMs: 10_000,
    claimMs: 20_000,
    intervalMs: { slack: 1000, pagerduty: 1 },
  });
  try {
    const begun = performance.now();
    const first = await openIncidents(db, 1);
    for (let opened = 1; opened < size; ) {
      const due = Math.min(size, Math.ceil((size * (performance.now() - begun)) / (seconds * 1000)));
      if (due > opened) await openIncidents(db, due - opened);
      opened = due;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    let left = await unfinished(db);
    const done = async () => {
      left = await unfinished(db);
      return left.slack + left.pagerduty + left.steps === 0;
    };
    await until(done, { patienceMs: 60_000 + size * 60, what: 'the end of the storm' }).catch(() => {});
    const differences = left.slack + left.pagerduty + left.steps === 0 ? [] : [`unfinished: ${JSON.stringify(left)}`];
    const tookS = (performance.now() - begun) / 1000;

    // Each incident has its own message, or a line in the history that names its digest, which the channel shows.
    const { rows } = await db.pool.query<{ silent: number; digests: number; folded: number }>(
      `SELECT (SELECT count(*)::int FROM incidents i WHERE NOT EXISTS (SELECT FROM messages m
                WHERE m.incident = i.id AND m.sink = 'slack' AND m.kind IN ('posted', 'folded'))) AS silent,
         (SELECT count(*)::int FROM told WHERE incident IS NULL AND ts IS NOT NULL) AS digests,
         (SELECT count(*)::int FROM told WHERE digest IS NOT NULL) AS folded`,
    );
    const { silent, digests, folded } = rows[0]!;
    if (silent > 0) differences.push(`${silent} incidents were dropped silently`);
    const posts = sinks.posts();
    const own = posts.filter(({ text }) => /\(INC-\d+\)/.test(text)).length;
    const counted = posts
      .map(({ text }) => Number(/^(\d+) more incidents/.exec(text)?.[1] ?? 0))
      .reduce((sum, n) => sum + n, 0);
    if (own + counted !== size) differences.push(`the channel tells of ${own} + ${counted} incidents, not of ${size}`);
    if (posts.length > tookS + 10) differences.push(`${posts.length} messages in ${tookS.toFixed(0)} s`);
    const keys = sinks.events.filter(({ action }) => action === 'trigger').map(({ dedupKey }) => dedupKey);
    if (new Set(keys).size !== size || keys.length !== size)
      differences.push(`${keys.length} pages of ${size} incidents`);
    const alive = Array.from({ length: size }, (_, nth) => first + nth).filter(
      (key) => !sinks.deleted.has(String(key)),
    ).length;
    if (alive > 0) differences.push(`${alive} credentials live`);
    return {
      size: `${size} findings in ${seconds} s`,
      compared: 'incidents with messages, pages and dead credentials',
      differences,
      figure: `the channel got ${posts.length} messages (${digests} digests of ${folded}), ${sinks.replies()} replies; all done after ${tookS.toFixed(0)} s`,
    };
  } finally {
    await running.close();
    await sinks.close();
    await close();
  }
}
