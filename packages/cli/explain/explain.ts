import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '@tripline/config/config';
import type { LoggedEvent } from '@tripline/contracts/event';
import { fromEventRecord } from '@tripline/contracts/event-record';
import type { Excepted } from '@tripline/contracts/exception';
import type { AnyFact } from '@tripline/contracts/fact';
import type { Finding } from '@tripline/contracts/finding';
import { silenceOf } from '@tripline/contracts/silence';
import type { Db } from '@tripline/db/database';
import type { RuleSet } from '@tripline/detector/load-rules';
import { coverOf } from '@tripline/detector/record-batches';
import { passingOver } from '@tripline/engine/passing-over';
import type { ConfiguredRule } from '@tripline/engine/settings';
import { findFindings, type StoredFinding } from '@tripline/incidents/findings';
import { listSilences } from '@tripline/incidents/silences';
import { topics } from '@tripline/stream/stream';
import { type Found, findEvent, type KeptRecord, readLog } from '@tripline/trail/read-log';
import { createJudge } from '../replay/judge.ts';
import { withSuperseders } from '../replay/replay.ts';
import { openScratch } from '../replay/scratch.ts';
import { type Step, traced } from './trace.ts';

/**
 * Why a rule did or did not find something in an event.
 *
 * - `off`, `unknown-event`, `faulty`: it never came to the rule.
 * - `not-read`, `filtered`: events of this type, or like this one, tell the rule nothing.
 * - `learning`: the workspace is still learned.
 * - `waiting`: something may yet explain it; `untilMs` by the log's time.
 * - `not-found`: the rule looked, and concluded nothing.
 * - `found`: it did; what became of each finding stands with it.
 */
export type Answer =
  | { kind: 'off' | 'unknown-event' | 'faulty' | 'not-read' | 'filtered' | 'learning'; why: string }
  | { kind: 'not-found' | 'waiting'; why: string; untilMs?: number }
  | { kind: 'found'; why: string; findings: Outcome[] };

/** A finding that the event gave, and what became of it since. */
export type Outcome = {
  id: string;
  title: string;
  severity: string;
  /** Why nobody hears of it, as recorded, else as judged; null where people do. */
  heldBy: 'excepted' | 'silenced' | 'superseded' | 'retracted' | null;
  why: string | null;
  /** What exceptions and silences of today would make of it, where that is something else than was recorded. */
  today: Held | null;
  /** As it stands in Postgres; null where the detector has not recorded it. */
  recorded: Pick<StoredFinding, 'id' | 'incident'> | null;
};

type Held = Pick<Outcome, 'heldBy' | 'why'>;

/** `remarks`: what else bears on how the event was judged, a sentence each. */
export type Explanation = { event: LoggedEvent | null; verdict: Answer; steps: Step[]; remarks: string[] };

/**
 * Says why a rule did or did not find something in an event, by judging what the trail kept of its workspace from `from` on up
 * to it anew: nothing is recorded or told. What happened before `from` is not known to it.
 */
export async function explain(
  { db, config, set }: { db: Db; config: Config; set: RuleSet },
  { rule: id, event: eventId, from }: { rule: string; event: string; from: Date },
): Promise<Explanation> {
  const told = await findEvent(db, eventId);
  const [first] = told;
  if (first === undefined) {
    const why = `no event ${eventId} is in the audit trail; \`tripline events\` lists those that are, and what was not kept`;
    return { event: null, verdict: { kind: 'unknown-event', why }, steps: [], remarks: [] };
  }
  if (first.fault !== null || first.record.value === null || first.workspace === null) {
    const why = `no reader can process its record: ${first.fault ?? 'it has no value'}`;
    return { event: null, verdict: { kind: 'faulty', why }, steps: [], remarks: [] };
  }
  const event = fromEventRecord(first.record, first.record);
  const remarks = remarksOn(told);
  const configured = set.rules.find(({ rule }) => rule.id === id);
  if (configured === undefined)
    return {
      event,
      verdict: { kind: 'off', why: `${id} is not among the rules in force (\`rules.off\`)` },
      steps: [],
      remarks,
    };
  const unread = whyUnread(configured, event);
  if (unread !== undefined) return { event, verdict: unread, steps: [], remarks };
  const found = { ...first, workspace: first.workspace };
  return { event, remarks, ...(await judged({ db, config, set }, configured, found, from)) };
}

/** Why the rule never looks at an event, as far as rule and event alone tell. */
function whyUnread({ rule, settings }: ConfiguredRule, event: LoggedEvent): Answer | undefined {
  const facts = rule.concludes?.uses ?? [];
  const isJudged = rule.judge !== undefined && rule.reads.includes(event.type);
  const told = facts.filter((fact) => fact.reads.includes(event.type));
  if (!isJudged && told.length === 0) {
    const types = [...new Set([...rule.reads, ...facts.flatMap(({ reads }) => reads)])].map(shortType).sort();
    return { kind: 'not-read', why: `it does not read ${shortType(event.type)}, but ${types.join(', ')}` };
  }
  const filters = [
    ...(isJudged ? [whyFiltered(rule, settings, event)] : []),
    ...told.map((fact) => whyPassedOver(fact, event)),
  ];
  if (filters.includes(undefined)) return undefined;
  return { kind: 'filtered', why: filters.join('; ') };
}

function whyFiltered(
  { where, has, keys }: ConfiguredRule['rule'],
  settings: unknown,
  event: LoggedEvent,
): string | undefined {
  const data: Record<string, unknown> = event.data;
  if (where !== undefined && !where.oneOf.some((value) => value === data[where.attribute])) {
    const given = data[where.attribute] === undefined ? 'has none' : `has ${JSON.stringify(data[where.attribute])}`;
    const listed = where.oneOf.slice(0, 5).map((value) => JSON.stringify(value));
    const wanted = `${listed.join(', ')}${where.oneOf.length > 5 ? ' …' : ''}`;
    return `it reads only events whose ${where.attribute} is ${wanted}, and this one ${given}`;
  }
  if (where === undefined && has !== undefined && data[has] === undefined)
    return `it reads only events that have ${has}, and this one has none`;
  if (keys !== undefined && keys(event, settings).length === 0)
    return 'it passes events like this one over: nothing in it concerns what the rule watches';
  return undefined;
}

function whyPassedOver(fact: AnyFact, event: LoggedEvent): string | undefined {
  if (passingOver(new Map()).byData(fact, event, () => false) || fact.keys(event).length === 0)
    return `it tells nothing of ${fact.id}`;
  return undefined;
}

async function judged(
  { db, config, set }: { db: Db; config: Config; set: RuleSet },
  configured: ConfiguredRule,
  { record, workspace }: Found & { workspace: string },
  from: Date,
): Promise<Pick<Explanation, 'verdict' | 'steps'>> {
  const id = configured.rule.id;
  const trace = traced(configured);
  const rules = withSuperseders(set.rules, [id]).map((one) => (one === configured ? trace.configured : one));
  const folder = mkdtempSync(join(tmpdir(), 'tripline-explain-'));
  const scratch = openScratch(folder);
  try {
    const judge = createJudge(config, rules, scratch, trace.forget);
    const now = new Date();
    const stretch = { topic: topics.events, partition: record.partition, workspace };
    const isIt = (one: KeptRecord) => one.offset === record.offset;
    let steps: Step[] = [];
    const found = new Set<string>();
    let fault: string | undefined;
    const before = new Date(Math.min(from.getTime(), record.appendedAtMs));
    for await (const records of readLog(db, { ...stretch, from: before, to: now })) {
      const at = records.findIndex(isIt);
      if (at === -1) {
        judge.judge({ records, caughtUpAtMs: null });
        continue;
      }
      judge.judge({ records: records.slice(0, at), caughtUpAtMs: null });
      const { verdicts, poison } = judge.judge({ records: [records[at]!], caughtUpAtMs: null });
      steps = trace.take();
      fault = poison.find(({ rule }) => rule !== null)?.reason;
      for (const verdict of verdicts) {
        if ('finding' in verdict && verdict.finding.rule === id) found.add(verdict.finding.id);
        if (verdict.kind === 'grown' && verdict.change.rule === id) found.add(verdict.change.findingId);
      }
      judge.judge({ records: records.slice(at + 1), caughtUpAtMs: null });
    }
    judge.judge({ records: [], caughtUpAtMs: now.getTime() });
    // What was held back until later is found by then.
    for (const [findingId, { rule, evidence }] of judge.standing.findings) {
      if (rule === id && evidence.some(({ eventId }) => eventId === record.headers['ce_id'])) found.add(findingId);
    }
    if (fault !== undefined) return { verdict: { kind: 'faulty', why: `the rule threw: ${fault}` }, steps };
    if (found.size === 0) return { verdict: whyNotFound(steps), steps };
    const findings: Outcome[] = [];
    const policies = { ...set, silences: [...set.silences, ...(await listSilences(db))] };
    for (const findingId of found) findings.push(await outcomeOf(db, policies, judge.standing, findingId));
    return {
      verdict: { kind: 'found', why: `it found ${findings.map(({ title }) => `“${title}”`).join(', ')}`, findings },
      steps,
    };
  } finally {
    scratch.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function remarksOn(told: readonly Found[]): string[] {
  const later = told.slice(1).map(({ record }) => new Date(record.appendedAtMs).toISOString());
  const repeats = told[0]?.repeats;
  return [
    ...(later.length > 0 ? [`Its delivery came again at ${later.join(', ')}, which adds nothing.`] : []),
    ...(repeats == null
      ? []
      : [
          `Its body was received before as ${repeats}: until the provider's list names it, it sets nothing off and takes nothing back.`,
        ]),
  ];
}

function whyNotFound(steps: readonly Step[]): Answer {
  const saying = steps.flatMap(({ found }) => found);
  if (saying.length > 0 && steps.some(({ isLearning }) => isLearning)) {
    const titles = saying.map(({ title }) => `“${title}”`).join(', ');
    return { kind: 'learning', why: `the workspace is still learned: otherwise it would be ${titles}` };
  }
  const held = saying.flatMap(({ heldUntilMs }) => (heldUntilMs === undefined ? [] : [heldUntilMs]));
  if (held.length > 0) {
    const untilMs = Math.min(...held);
    const isNever = untilMs === Number.POSITIVE_INFINITY;
    const why = isNever
      ? 'what is known neither explains nor proves it'
      : `something may yet explain it, until ${new Date(untilMs).toISOString()} of the log's time`;
    return { kind: 'waiting', why, ...(isNever ? {} : { untilMs }) };
  }
  if (steps.length === 0) return { kind: 'not-found', why: 'nothing that the rule concludes of was concerned' };
  const reasons = [...new Set(steps.flatMap((step) => step.reasons))];
  const missing = steps.flatMap(({ looked }) => looked.filter(({ value }) => value === null));
  return {
    kind: 'not-found',
    why:
      reasons.length > 0
        ? reasons.join('; ')
        : missing.length > 0
          ? `it looked, and nothing follows; not known is ${missing.map(({ fact, key }) => `${fact ?? 'its own state'} ${key}`).join(', ')}`
          : 'it looked, and nothing follows from what is known',
  };
}

async function outcomeOf(
  db: Db,
  set: RuleSet,
  { findings, retracted, superseded }: ReturnType<typeof createJudge>['standing'],
  findingId: string,
): Promise<Outcome> {
  const finding = findings.get(findingId)!;
  const [recorded] = await findFindings(db, findingId, 1);
  const { id, title, severity } = finding;
  const bySettings = heldBySettings(set, finding);
  const judged: Held = retracted.has(findingId)
    ? { heldBy: 'retracted', why: 'what came later explained it' }
    : superseded.has(findingId)
      ? { heldBy: 'superseded', why: 'a narrower rule found the same' }
      : bySettings;
  const held = recorded === undefined ? judged : heldAsRecorded(recorded);
  const isOfSettings = held.heldBy === null || held.heldBy === 'excepted' || held.heldBy === 'silenced';
  return {
    ...{ id, title, severity, ...held },
    today: isOfSettings && held.heldBy !== bySettings.heldBy ? bySettings : null,
    recorded: recorded === undefined ? null : { id: recorded.id, incident: recorded.incident },
  };
}

function heldBySettings(set: RuleSet, finding: Finding): Held {
  const excepted = coverOf(set)(finding);
  if (excepted !== undefined) return { heldBy: 'excepted', why: whyExcepted(excepted) };
  const silence = silenceOf(finding, set.silences);
  if (silence === undefined) return { heldBy: null, why: null };
  const { id, until, reason } = silence;
  return { heldBy: 'silenced', why: `${id === undefined ? '' : `${id} `}until ${until}: ${reason}` };
}

function heldAsRecorded({ retracted, supersededBy, excepted, incident, silencedBy }: StoredFinding): Held {
  if (retracted) return { heldBy: 'retracted', why: retracted.reason };
  if (supersededBy) return { heldBy: 'superseded', why: 'a narrower rule found the same' };
  if (excepted) return { heldBy: 'excepted', why: whyExcepted(excepted) };
  // One that still stood when its silence ended has an incident.
  return incident === null && silencedBy !== null
    ? { heldBy: 'silenced', why: silencedBy }
    : { heldBy: null, why: null };
}

const whyExcepted = ({ owner, until, reason }: Excepted) => `by ${owner}, until ${until}: ${reason}`;

/** `ref.pushed` for `dev.cdeventsx.tripline-ref.pushed`. */
export const shortType = (type: string): string => type.replace(/^dev\.cdevents(?:x\.tripline-|\.)/, '');
