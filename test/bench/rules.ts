import type { AttributeName } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import { type AnyRule, defineRule } from '@tripline/contracts/rule';
import type { Effects } from '@tripline/engine/effects';
import { createEngine } from '@tripline/engine/engine';
import { configureRule } from '@tripline/engine/settings';
import { rule as oneRule } from '@tripline/rules/build-from-unreviewed-commit';
import { partitionOf } from '@tripline/stream/partition';
import type { StreamRecord } from '@tripline/stream/stream';
import { runBatch } from '@tripline/testing/timeline/play';
import { z } from 'zod';
import { createChance, makeCorpus } from './corpus.ts';
import { interleave, ratio, type Series } from './measure.ts';
import { recordsOf } from './records.ts';

/**
 * What 999 further rules cost beside one of ours: µs of CPU an event in the engine, without log and database. The
 * further rules read one to three of the types of event that come, and each waits for some values of one attribute: an
 * actor, a repository, a branch, a workflow, an environment, a kind of grant. What a few of them wait for comes, and
 * they keep a count of it.
 *
 *     node test/bench/rules.ts [deliveries]
 */
export async function benchRules(options: { deliveries: number; rounds: number }): Promise<Series[]> {
  const { batches, types } = logOf(options.deliveries);
  const contestant = (name: string, rules: readonly AnyRule[]) => ({
    name,
    unit: 'µs CPU an event',
    run: async () => judgeAll(rules, batches),
  });
  return interleave(
    [
      contestant('1,000 rules, each waiting for a value (`where`)', [oneRule, ...furtherRules(999, types, true)]),
      contestant('1,000 rules, each asked for its keys', [oneRule, ...furtherRules(999, types, false)]),
      contestant('1 rule', [oneRule]),
    ],
    options.rounds,
  );
}

/**
 * What rows of data cost that each wait for actions of an audit log, beside none: µs of CPU an event, of which every tenth
 * is an audit record. 600 are as many as a provider has actions worth a row.
 */
export async function benchAuditRows(options: { deliveries: number; rounds: number }): Promise<Series[]> {
  const { batches } = logOf(options.deliveries);
  const mixed = batches.map((records) => records.map((record, nth) => (nth % 10 === 0 ? auditRecord(record) : record)));
  const contestant = (count: number) => ({
    name: `${count === 1 ? '1 rule' : `${count} rules`} of which each waits for an action of the audit log`,
    unit: 'µs CPU an event',
    run: async () => judgeAll(auditRules(count), mixed),
  });
  return interleave([contestant(600), contestant(40), contestant(1)], options.rounds);
}

export const actions = Array.from({ length: 600 }, (_, nth) => `category_${nth % 40}.action_${nth}`);

/** An audit record in the place of another one of the log; `more`: what else it tells. */
export function auditRecord(record: StreamRecord, more: Record<string, unknown> = {}): StreamRecord {
  const { ce_bodysha256: _, ...headers } = record.headers;
  const action = actions[record.offset % actions.length]!;
  const data = { 'tripline.audit.action': action, 'user.name': `admin-${record.offset % 7}`, ...more };
  return {
    ...record,
    headers: { ...headers, ce_type: 'dev.cdeventsx.tripline-audit.recorded' satisfies EventType },
    value: Buffer.from(JSON.stringify(data)),
  };
}

/** Each finds an action where its actor is somebody who never comes, so that it costs what it costs to look. */
function auditRules(count: number): AnyRule[] {
  return actions.slice(0, count).map((action, nth) =>
    defineRule<unknown, unknown>({
      id: `audit-row-${nth}`,
      title: 'A row',
      description: 'Finds one action.',
      severity: 'low',
      confidence: 'low',
      principles: [1],
      attack: ['T1078'],
      owasp: ['CICD-SEC-1'],
      feeds: { needs: ['github-audit'] },
      falseAlarms: [],
      reads: ['dev.cdeventsx.tripline-audit.recorded'],
      where: { attribute: 'tripline.audit.action', oneOf: [action] },
      settings: z.object({}),
      learns: false,
      judge(event, context) {
        if ((event.data as Record<string, unknown>)['user.name'] !== 'nobody') return;
        const nothing = { evidence: [], entities: [], response: [], remedy: [] };
        context.find({ ...nothing, subject: action, title: 'It was done', summary: '', confidence: 'low' });
      },
    }),
  );
}

const partitions = 12;
const batchRecords = 1000;

type Log = { batches: StreamRecord[][]; types: EventType[] };

/** The corpus as the log would hand it over, partition by partition, and the types of event in it. */
export function logOf(deliveries: number, { attackEvery = 500, answered = false } = {}): Log {
  const startMs = Date.now();
  const corpus = makeCorpus({ deliveries, workspaces: 200, attackEvery, seed: 42, startMs, answered });
  const kept: StreamRecord[][] = Array.from({ length: partitions }, () => []);
  const types = new Set<string>();
  for (const [nth, record] of recordsOf(corpus).entries()) {
    const partition = partitionOf(record.key, partitions);
    const records = kept[partition]!;
    records.push({ ...record, partition, offset: records.length, appendedAtMs: startMs + nth });
    types.add(record.headers['ce_type']!);
  }
  const batches = kept.flatMap((records) =>
    Array.from({ length: Math.ceil(records.length / batchRecords) }, (_, nth) =>
      records.slice(nth * batchRecords, (nth + 1) * batchRecords),
    ),
  );
  return { batches, types: [...types].sort() as EventType[] };
}

/** µs of CPU an event; `onVerdict` is given all that is found. */
export function judgeAll(
  rules: readonly AnyRule[],
  batches: StreamRecord[][],
  onVerdict: (verdict: Effects['verdicts'][number]) => void = () => {},
): number {
  const configured = rules.map((rule) => configureRule(rule));
  const nothing = { logTimeMs: 0, engineRows: [], timers: [], dedup: [] };
  const openEngine = () => createEngine({ rules: configured, learningDays: 0 }, nothing);
  const engines = Array.from({ length: partitions }, openEngine);
  const before = process.cpuUsage();
  for (const records of batches) {
    const engine = engines[records[0]!.partition]!;
    const { poison, verdicts } = runBatch(engine, { records, caughtUpAtMs: null }, () => []);
    if (poison.length > 0) throw new Error(poison[0]!.reason);
    for (const verdict of verdicts) onVerdict(verdict);
    engine.commit();
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / batches.flat().length;
}

const waits: readonly { attribute: AttributeName; values: (nth: number) => string[] }[] = [
  { attribute: 'user.name', values: (nth) => [`contractor-${nth}`, `release-bot-${nth}`] },
  { attribute: 'vcs.repository.name', values: (nth) => [`bench-org-${nth % 200}/app-${nth % 7}-infra`] },
  { attribute: 'vcs.ref.head.name', values: (nth) => [`release/${nth}`, `hotfix/${nth}`] },
  { attribute: 'tripline.pipeline.path', values: (nth) => [`.github/workflows/deploy-${nth}.yml`] },
  { attribute: 'deployment.environment.name', values: (nth) => [nth % 25 === 0 ? 'production' : `region-${nth}`] },
  { attribute: 'tripline.grant.kind', values: (nth) => [nth % 2 ? 'deploy-key' : 'org-member'] },
  { attribute: 'tripline.pipeline.trigger', values: () => ['workflow_dispatch', 'issue_comment'] },
];

/** Rules as users would write them; the same numbers give the same rules, found by `where` or left to `keys`. */
function furtherRules(count: number, types: readonly EventType[], byWhere: boolean): AnyRule[] {
  const chance = createChance(7);
  return Array.from({ length: count }, (_, nth): AnyRule => {
    const reads = Array.from({ length: 1 + chance.upTo(3) }, () => types[chance.upTo(types.length)]!);
    const wait = waits[chance.upTo(waits.length)]!;
    const oneOf = wait.values(nth);
    const wanted = new Set<unknown>(oneOf);
    const waitsFor = (event: LoggedEvent) => wanted.has((event.data as Record<string, unknown>)[wait.attribute]);
    const key = (event: LoggedEvent) => `count:${(event.data as Record<string, unknown>)[wait.attribute]}`;
    return defineRule<{ count: number }, unknown>({
      id: `further-${nth}`,
      title: 'A further rule',
      description: 'Counts what it waits for.',
      severity: 'low',
      confidence: 'low',
      principles: [1],
      attack: ['T1078'],
      owasp: ['CICD-SEC-1'],
      feeds: { needs: ['github'] },
      falseAlarms: [],
      reads,
      ...(byWhere ? { where: { attribute: wait.attribute, oneOf } } : {}),
      settings: z.object({}),
      state: z.object({ count: z.number() }),
      learns: false,
      keys: (event) => (waitsFor(event) ? [key(event)] : []),
      judge: (event, context) =>
        context.set(key(event), { count: (context.get(key(event))?.count ?? 0) + 1 }, 86_400_000),
    });
  });
}

if (import.meta.main) {
  const series = await benchRules({ deliveries: Number(process.argv[2] ?? 20_000), rounds: 3 });
  const one = series.at(-1)!;
  for (const many of series.slice(0, -1)) {
    const { median, min, max } = ratio(many, one);
    console.log(`${many.name}: ${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)}) × the cost of ${one.name}`);
  }
}
