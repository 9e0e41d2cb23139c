import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import { createRandom } from '../simulation/random.ts';
import type { Fault, FaultOutcome, Ground } from './fault.ts';
import { until } from './service-process.ts';
import { type Call, type Manner, openIncidents, startSinks, startTellers, unfinished } from './sinks.ts';

/**
 * Slack, PagerDuty and GitHub that answer 429, 5xx, half an answer, nothing at all, no JSON, or 200 that says no. Each
 * message, page and revocation meets up to two of these before all is well.
 */
export const sinksFaulty: Fault = {
  name: 'sinks-faulty',
  what: 'sinks that answer 429, 5xx, half, nothing, no JSON or “no”',
  sizes: { ci: 30, full: 500, unit: 'incidents' },
  run,
};

const faultsEach = 2;
const half: Manner = { kind: 'half' };
const silent: Manner = { kind: 'silent' };
const failed: Manner = { kind: 'answer', status: 503, body: 'away' };
const limited: Manner = { kind: 'answer', status: 429, body: '', headers: { 'retry-after': '1' } };
const noJson: Manner = { kind: 'answer', status: 200, body: '{"ok":tr', done: true };
const manners: Record<Call['sink'], readonly Manner[]> = {
  slack: [
    half,
    silent,
    failed,
    limited,
    noJson,
    { kind: 'answer', status: 200, body: '{"ok":false,"error":"internal_error"}' },
  ],
  pagerduty: [half, silent, failed, limited],
  github: [half, silent, failed, limited],
};

/** After these nobody knows whether the call was carried out. */
function isUnknown(manner: Manner): boolean {
  return (
    manner.kind !== 'answer' || manner.done === true || manner.status >= 500 || manner.body.includes('internal_error')
  );
}

async function run(ground: Ground, incidents: number): Promise<FaultOutcome> {
  const { db, close } = await freshDatabaseOn(ground.postgresUrl);
  const random = createRandom(11);
  const met = new Map<string, number>();
  const unknown = new Map<string, number>();
  const sinks = await startSinks((call) => {
    const subject = subjectOf(call);
    if (subject === undefined) return undefined;
    const count = met.get(subject) ?? 0;
    if (count === faultsEach || random.next() < 0.5) return undefined;
    met.set(subject, count + 1);
    const manner = manners[call.sink][Math.floor(random.next() * manners[call.sink].length)]!;
    if (isUnknown(manner)) unknown.set(subject, (unknown.get(subject) ?? 0) + 1);
    return manner;
  });
  const first = await openIncidents(db, incidents);
  const running = await startTellers(db, sinks, {
    timeoutMs: 500,
    claimMs: 2000,
    intervalMs: { slack: 1, pagerduty: 2 },
  });
  try {
    let left = await unfinished(db);
    const done = async () => {
      left = await unfinished(db);
      return left.slack + left.pagerduty + left.steps === 0;
    };
    // PagerDuty fails every other call, and is asked ever more seldom for it: 0.7 s an incident, as measured.
    await until(done, { patienceMs: 60_000 + incidents * 2000, what: 'the end of all that was to be told' }).catch(
      () => {},
    );
    const differences = left.slack + left.pagerduty + left.steps === 0 ? [] : [`unfinished: ${JSON.stringify(left)}`];

    const numbers = Array.from({ length: incidents }, (_, nth) => first + nth);
    const { rows: folded } = await db.pool.query<{ id: string }>(
      'SELECT incident AS id FROM told WHERE digest IS NOT NULL',
    );
    const inDigest = new Set(folded.map(({ id }) => id));
    const postsOf = new Map<string, { plain: number; marked: number }>();
    for (const { text, marked } of sinks.posts()) {
      const id = /\((INC-\d+)\)/.exec(text)?.[1];
      if (id === undefined) continue;
      const counted = postsOf.get(id) ?? { plain: 0, marked: 0 };
      postsOf.set(id, { plain: counted.plain + (marked ? 0 : 1), marked: counted.marked + (marked ? 1 : 0) });
    }
    const triggered = new Set(
      sinks.events.filter(({ action }) => action === 'trigger').map(({ dedupKey }) => dedupKey),
    );
    for (const number of numbers) {
      const id = `INC-${number}`;
      const { plain, marked } = postsOf.get(id) ?? { plain: 0, marked: 0 };
      if (plain + marked === 0 && !inDigest.has(id)) differences.push(`Slack never received ${id}`);
      if (plain > 1) differences.push(`Slack shows ${id} ${plain} times unmarked`);
      if (marked > (unknown.get(`slack ${id}`) ?? 0))
        differences.push(`${marked} marked repeats of ${id} without a reason`);
      if (!triggered.has(`tripline:${id}`)) differences.push(`PagerDuty never received ${id}`);
      if (!sinks.deleted.has(String(number))) differences.push(`the deploy key of ${id} lives`);
    }
    if (triggered.size !== incidents) differences.push(`${triggered.size} alerts of ${incidents} incidents`);
    const steps = await db.pool.query<{ state: string; n: number }>(
      `SELECT state || ' ' || coalesce(check_result, '') AS state, count(*)::int AS n FROM remediations GROUP BY 1`,
    );
    for (const { state, n } of steps.rows) if (state !== 'done dead') differences.push(`${n} steps ended as ${state}`);
    const faults = [...met.values()].reduce((sum, count) => sum + count, 0);
    const marked = sinks.posts().filter((post) => post.marked).length;
    return {
      size: `${incidents} incidents, ${faults} faults`,
      compared: 'incidents with posts, alerts and dead keys',
      differences,
      figure: `${sinks.posts().length} posts, of which ${marked} marked as possible repeats`,
    };
  } finally {
    await running.close();
    await sinks.close();
    await close();
  }
}

/** What a call is about, where it is to meet faults: the first message, the page, the revocation. */
function subjectOf({ sink, method, path, body }: Call): string | undefined {
  if (sink === 'slack') {
    const form = new URLSearchParams(body);
    const id = /\((INC-\d+)\)/.exec(form.get('text') ?? '')?.[1];
    return path.endsWith('chat.postMessage') && !form.has('thread_ts') && id !== undefined ? `slack ${id}` : undefined;
  }
  if (sink === 'pagerduty') return `pagerduty ${(JSON.parse(body) as { dedup_key: string }).dedup_key}`;
  return method === 'DELETE' && path.includes('/keys/') ? `github ${path}` : undefined;
}
