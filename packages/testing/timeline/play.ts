import { type EventData, type EventType, parseEvent, type TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Finding } from '@tripline/contracts/finding';
import type { DeliveryQuestion, LookUp } from '@tripline/contracts/job';
import type { AnyRule } from '@tripline/contracts/rule';
import type { Effects, FindingChange, FindingVerdict, Poison, Retraction } from '@tripline/engine/effects';
import { createEngine, type EngineBatch, type Snapshot } from '@tripline/engine/engine';
import { joinKey, type StateKey } from '@tripline/engine/keyed-state/keys';
import type { StateRow } from '@tripline/engine/keyed-state/state';
import { configureRule } from '@tripline/engine/settings';
import type { SetTimer } from '@tripline/engine/timers';
import { type StreamRecord, topics } from '@tripline/stream/stream';

/**
 * The kit by which a rule is tested, ours and a user's alike: a timeline of events goes through the real engine, with
 * the log's time, timers, duplicates and state, and nothing of it needs a broker or a database.
 *
 *     const { findings } = playTimeline({ rules: [rule], events: [at(0, 'dev.cdevents…', { … })], untilMs: 600_000 });
 */
export type LoggedEventInput<T extends EventType = EventType> = T extends EventType ? EventInput<T> : never;

type EventInput<T extends EventType> = {
  /** When the log took it in, ms since the epoch. */
  atMs: number;
  type: T;
  data: EventData<T>;
  /** Defaults to `event-<place in the timeline, from 1>`. */
  id?: string;
  /** When it happened, RFC 3339; defaults to `atMs`. Earlier than `atMs` makes it late. */
  time?: string;
  source?: string;
  workspace?: string;
  trust?: TriplineEvent['trust'];
  bodySha256?: string;
};

export type Timeline = {
  rules: readonly AnyRule[];
  events: readonly LoggedEventInput[];
  /** The log's time up to which the partition is caught up at the end: timers due by then fire. */
  untilMs: number;
  /** Settings by rule id, as under `rules.settings` in tripline.yaml. */
  settings?: Record<string, Record<string, unknown>>;
  /** Days of learning for rules that learn; 0 unless told otherwise, as after an import. */
  learningDays?: number;
  /** Ends the engine after each event and starts a new one from what was committed, through JSON. */
  restartAfterEach?: boolean;
  /** Every event is logged twice in a row. */
  duplicated?: boolean;
  /** How many records a batch holds; all in one when absent. */
  batchRecords?: number;
};

export type Played = {
  /** Findings that stand, in the order in which they were found. */
  findings: Finding[];
  /** Findings that were taken back and do not stand again, with why. */
  retracted: (Retraction & { finding: Finding })[];
  /** Of findings that stand, ids of those for which a narrower rule speaks, with the finding that does. */
  superseded: ReadonlyMap<string, string>;
  /** What became of findings that stand: proven, lowered, grown, or superseded, in order. */
  changes: ({ kind: 'proven' | 'lowered' | 'grown' | 'superseded' } & FindingChange)[];
  lookUps: LookUp[];
  /** Deliveries about which the provider's list is asked. */
  questions: DeliveryQuestion[];
  /** Every finding, whether it stands or not. */
  all: Finding[];
  /** Events and timers on which a rule threw, and records that nobody could read. A test of a rule expects none. */
  poison: Poison[];
  /** Rows of state and timers that stand at the end. */
  rows: { state: number; timers: number };
  /** Rows written, for the price of a rule. */
  written: number;
};

/** An event of a timeline, typed by its kind. */
export function at<T extends EventType>(
  atMs: number,
  type: T,
  data: EventData<T>,
  more: Omit<EventInput<T>, 'atMs' | 'type' | 'data'> = {},
): LoggedEventInput<T> {
  return { atMs, type, data, ...more } as LoggedEventInput<T>;
}

/**
 * Plays a timeline through the engine.
 * @throws {z.ZodError} when an event is none, so that a test cannot pass on data that no source would write.
 */
export function playTimeline(timeline: Timeline): Played {
  const rules = timeline.rules.map((rule) => configureRule(rule, timeline.settings?.[rule.id]));
  const kept = createKept();
  const options = { rules, learningDays: timeline.learningDays ?? 0, cachedKeys: 1000, peek: kept.peek };
  let engine = createEngine(options, kept.snapshot());
  const records = toRecords(timeline);

  const size = timeline.batchRecords ?? (timeline.restartAfterEach ? 1 : Math.max(records.length, 1));
  for (let from = 0; from < records.length; from += size) {
    kept.keep(runBatch(engine, { records: records.slice(from, from + size), caughtUpAtMs: null }, kept.read));
    engine.commit();
    if (timeline.restartAfterEach) engine = createEngine(options, kept.snapshot());
  }
  kept.keep(runBatch(engine, { records: [], caughtUpAtMs: timeline.untilMs }, kept.read));
  return kept.played();
}

/** One batch through plan and evaluate, with rows from `read`. What follows is neither committed nor rolled back. */
export function runBatch(
  engine: ReturnType<typeof createEngine>,
  batch: EngineBatch,
  read: (keys: readonly StateKey[]) => StateRow[],
): Effects {
  let missing = engine.plan(batch);
  for (;;) {
    engine.hold(missing, read(missing));
    const result = engine.evaluate();
    if ('effects' in result) return result.effects;
    missing = result.missing;
  }
}

/** The timeline's events as the log would hand them over, in order of log time. */
export function toRecords(timeline: Pick<Timeline, 'events' | 'duplicated'>): StreamRecord[] {
  const events = timeline.events.map((input, place) => ({ ...input, id: input.id ?? `event-${place + 1}` }));
  const logged = events.flatMap((input) => (timeline.duplicated ? [input, input] : [input]));
  return logged
    .toSorted((a, b) => a.atMs - b.atMs)
    .map((input, offset) => {
      const event = parseEvent({
        id: input.id,
        source: input.source ?? '//github.com/acme',
        type: input.type,
        time: input.time ?? new Date(input.atMs).toISOString(),
        workspace: input.workspace ?? 'acme',
        trust: input.trust ?? 'high',
        ...(input.bodySha256 === undefined ? {} : { bodySha256: input.bodySha256 }),
        data: input.data,
      });
      return { ...toEventRecord(event), topic: topics.events, partition: 0, offset, appendedAtMs: input.atMs };
    });
}

/** What Postgres would keep, as JSON text, so that a restart sees what a restart would see. */
export function createKept() {
  const state = new Map<string, string>();
  const timers = new Map<string, string>();
  const dedup: Uint8Array[] = [];
  const all: Finding[] = [];
  /** Of findings that are retracted now, by id. */
  const retractions = new Map<string, Retraction>();
  const superseded = new Map<string, string>();
  const changes: Played['changes'] = [];
  const lookUps: LookUp[] = [];
  const questions: DeliveryQuestion[] = [];
  const poison: Poison[] = [];
  let logTimeMs = 0;
  let written = 0;

  /** As Postgres changes a finding's row. */
  function change({ kind, change: of }: Extract<FindingVerdict, { change: FindingChange }>): void {
    changes.push({ kind, ...of });
    if (kind === 'superseded') {
      supersede(of.findingId, of.by);
      return;
    }
    const place = all.findIndex(({ id }) => id === of.findingId);
    const { unproven, ...finding } = all[place]!;
    const still = unproven && kind !== 'proven' ? { unproven } : {};
    const lowered = kind === 'lowered' ? { severity: 'low' as const, response: [] } : {};
    const { title = finding.title, summary = finding.summary, severity = finding.severity } = of;
    const evidence = [...finding.evidence, ...(of.evidence ?? [])];
    evidence.sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
    const entities = [...finding.entities, ...(of.entities ?? [])];
    const had = new Set(finding.response.map((step) => JSON.stringify(step)));
    const response = [...finding.response, ...(of.response ?? []).filter((step) => !had.has(JSON.stringify(step)))];
    const grown = { title, summary, severity, evidence, entities, response };
    all[place] = { ...finding, ...still, ...grown, ...lowered };
  }

  function supersede(id: string, by: string | null | undefined): void {
    if (by == null) superseded.delete(id);
    else superseded.set(id, by);
  }

  /** It stands again as it was found first, and as proven as what was received now. */
  function reinstate({ id, unproven }: Finding): void {
    retractions.delete(id);
    const place = all.findIndex((finding) => finding.id === id);
    const { unproven: _, ...finding } = all[place]!;
    all[place] = unproven ? { ...finding, unproven } : finding;
  }

  return {
    keep(effects: Effects): void {
      for (const { workspace, rule, key, json, expiresMs } of effects.state) {
        const name = joinKey(workspace, rule, key);
        if (json === null) state.delete(name);
        else state.set(name, JSON.stringify({ workspace, rule, key, value: JSON.parse(json), expiresMs }));
      }
      for (const timer of effects.timers) {
        const name = joinKey(timer.workspace, timer.rule, timer.id);
        if (timer.dueMs === null) timers.delete(name);
        else timers.set(name, JSON.stringify(timer));
      }
      if (effects.dedup !== null) dedup.push(effects.dedup);
      for (const verdict of effects.verdicts) {
        if ('finding' in verdict) supersede(verdict.finding.id, verdict.supersededBy);
        // What was taken back and forgotten since may be found anew.
        if (verdict.kind === 'found' && retractions.has(verdict.finding.id)) reinstate(verdict.finding);
        else if (verdict.kind === 'found') all.push(verdict.finding);
        else if (verdict.kind === 'retracted') retractions.set(verdict.retraction.findingId, verdict.retraction);
        else if (verdict.kind === 'reinstated') reinstate(verdict.finding);
        else change(verdict);
      }
      lookUps.push(...effects.lookUps.map(({ lookup }) => lookup));
      questions.push(...effects.questions);
      poison.push(...effects.poison);
      logTimeMs = effects.logTimeMs;
      written += effects.state.length + effects.timers.length;
    },
    read(keys: readonly StateKey[]): StateRow[] {
      return keys.flatMap(({ workspace, rule, key }) => {
        const row = state.get(joinKey(workspace, rule, key));
        return row === undefined ? [] : [JSON.parse(row) as StateRow];
      });
    },
    /** As a detector has some rows in memory, and must fetch others. */
    peek(key: StateKey): StateRow | null | undefined {
      const name = joinKey(key.workspace, key.rule, key.key);
      if (name.charCodeAt(name.length - 1) % 4 === 0) return undefined;
      const row = state.get(name);
      return row === undefined ? null : (JSON.parse(row) as StateRow);
    },
    snapshot(): Snapshot {
      const rows = [...state.values()].map((row) => JSON.parse(row) as StateRow);
      return {
        logTimeMs,
        engineRows: rows.filter((row) => row.rule.startsWith('@')),
        timers: [...timers.values()].map((timer) => JSON.parse(timer) as SetTimer),
        dedup: [...dedup],
      };
    },
    played(): Played {
      return {
        findings: all.filter((finding) => !retractions.has(finding.id)),
        retracted: all.flatMap((finding) => {
          const retraction = retractions.get(finding.id);
          return retraction === undefined ? [] : [{ ...retraction, finding }];
        }),
        superseded: new Map([...superseded].filter(([id]) => !retractions.has(id))),
        changes,
        lookUps,
        questions,
        all,
        poison,
        rows: { state: state.size, timers: timers.size },
        written,
      };
    },
  };
}

/**
 * The same events in another order, logged at the same moments: what arrives first is drawn by `random` (0 ≤ x < 1).
 * An event keeps its own `time`; one that is not given gets the moment at which it was to be logged.
 */
export function permuted(events: readonly LoggedEventInput[], random: () => number): LoggedEventInput[] {
  const moments = events.map(({ atMs }) => atMs).sort((a, b) => a - b);
  const named = events.map((event, place) => ({
    ...event,
    id: event.id ?? `event-${place + 1}`,
    time: event.time ?? new Date(event.atMs).toISOString(),
  }));
  for (let last = named.length - 1; last > 0; last -= 1) {
    const drawn = Math.floor(random() * (last + 1));
    [named[last], named[drawn]] = [named[drawn]!, named[last]!];
  }
  return named.map((event, place) => ({ ...event, atMs: moments[place]! }));
}

/** The same events, those that `which` picks logged `lateMs` later than they happened. */
export function late(
  events: readonly LoggedEventInput[],
  lateMs: number,
  which: (event: LoggedEventInput, place: number) => boolean,
): LoggedEventInput[] {
  return events.map((event, place) => {
    const named = { ...event, id: event.id ?? `event-${place + 1}` };
    if (!which(event, place)) return named;
    return { ...named, time: event.time ?? new Date(event.atMs).toISOString(), atMs: event.atMs + lateMs };
  });
}
