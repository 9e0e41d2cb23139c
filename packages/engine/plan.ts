import { type EventType, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import { eventTypeOf, fromEventRecord } from '@tripline/contracts/event-record';
import type { AnyFact } from '@tripline/contracts/fact';
import { internalEventTypes } from '@tripline/contracts/internal';
import type { StreamRecord } from '@tripline/stream/stream';
import type { Batch, Reading, Step } from './batch.ts';
import type { Dedup } from './dedup.ts';
import { reasonOf } from './effects.ts';
import type { FactsInUse, Learning } from './learn-facts.ts';
import { type Readers, readersByType } from './readers.ts';
import type { Scopes } from './scopes.ts';
import { type ConfiguredRule, settingsFor } from './settings.ts';
import { observeInventory, type WorkspaceFacts } from './workspace-facts.ts';

export const inventoryType = 'dev.cdeventsx.tripline-inventory.observed' satisfies EventType;
export const proofType = 'dev.cdeventsx.tripline-delivery.looked-up' satisfies EventType;
/** Read by the engine itself, whatever rules there are. */
const ownTypes: ReadonlySet<EventType | undefined> = new Set([inventoryType, proofType]);
const summarizedType = 'dev.cdeventsx.tripline-deliveries.summarized' satisfies EventType;

const noReadings: readonly Reading[] = [];
const noLearnings: readonly Learning[] = [];
const noKeys: readonly string[] = [];

/** What an engine has to do with records of one type: looked up once for each of them. */
type Kind = {
  type: EventType;
  reading: Readers | undefined;
  learning: readonly AnyFact[] | undefined;
  /** Only Tripline itself may write it. */
  mayLie: boolean;
  /** The engine itself reads it. */
  isOwn: boolean;
  /** Whether its bytes may tell that it need not be parsed. */
  mayBePassedOver: boolean;
};

export type Planning = ReturnType<typeof createPlanning>;

/** Reads the records of a batch as far as some rule or fact wants them, and names the keys that they touch. */
export function createPlanning(parts: {
  rules: readonly ConfiguredRule[];
  facts: FactsInUse;
  dedup: Dedup;
  scopes: Scopes;
  batch: Batch;
  originFault: ((record: StreamRecord) => string | null) | undefined;
}) {
  const { facts, dedup, scopes, originFault } = parts;
  const { counts } = parts.batch;
  const readers = readersByType(parts.rules);
  /** Workspaces as this batch will change them. */
  const planned = new Map<string, WorkspaceFacts>();

  /** By the header `ce_type`, of the types that there are. */
  const kinds = new Map<string, Kind>();
  function kindOf(headers: StreamRecord['headers']): Kind | undefined {
    const known = kinds.get(headers['ce_type']!);
    if (known !== undefined) return known;
    const type = eventTypeOf(headers);
    if (type === undefined) return undefined;
    const [reading, isOwn] = [readers.of(type), ownTypes.has(type)];
    const kind: Kind = {
      ...{ type, reading, isOwn, learning: facts.of(type), mayLie: internalEventTypes.has(type) },
      mayBePassedOver: !isOwn && !readers.wantAll(reading) && facts.passing.mayPassOver(type),
    };
    kinds.set(type, kind);
    return kind;
  }

  /** Reads a record as far as it must be; undefined when nothing follows from it. */
  function prepare(record: StreamRecord, atMs: number): Step | undefined {
    const { headers, value } = record;
    const kind = kindOf(headers);
    // What the receiver says of itself makes no workspace, and is read only where a rule judges it.
    if (kind?.type === summarizedType && kind.reading === undefined) return undefined;
    const workspace = headers['ce_workspace'] ?? '';
    const fault = scopes.faultOf(workspace) ?? (kind?.mayLie ? (originFault?.(record) ?? null) : null);
    if (fault !== null) return unread(record, atMs, workspace, false, fault);
    if (kind !== undefined && kind.learning === undefined && !kind.isOwn && !readers.mayWant(kind.reading, value))
      return scopes.knownOf(workspace, atMs) === undefined ? unread(record, atMs, workspace, false, null) : undefined;
    let event: LoggedEvent;
    let repeated: boolean;
    try {
      const { partition, offset } = record;
      if (kind?.mayBePassedOver && tellsNothing(kind.type, record, atMs) && !readers.mayWant(kind.reading, value)) {
        const arrival = dedup.classify(nameOf(kind.type, headers), atMs);
        if (arrival === 'duplicate') counts.duplicates += 1;
        const isNews = arrival === 'repeated' || (arrival === 'new' && scopes.knownOf(workspace, atMs) === undefined);
        return isNews ? unread(record, atMs, workspace, arrival === 'repeated', null) : undefined;
      }
      event = fromEventRecord(record, { partition, offset, appendedAtMs: atMs });
      const arrival = dedup.classify(event, atMs);
      if (arrival === 'duplicate') {
        counts.duplicates += 1;
        return undefined;
      }
      repeated = arrival === 'repeated';
      if (isEvent(event, inventoryType)) planInventory(event as LoggedEvent<typeof inventoryType>, atMs);
    } catch (error) {
      return unread(record, atMs, workspace, false, reasonOf(error));
    }
    const known = planned.get(workspace) ?? scopes.knownOf(workspace, atMs);
    const { learnings, readings } = partsOf(event, known);
    return { record, atMs, workspace, event, learnings, readings, repeated, fault };
  }

  /** @throws {z.ZodError} when a rule does not take the settings that it brings. */
  function planInventory(event: LoggedEvent<typeof inventoryType>, atMs: number): void {
    const { workspace } = event;
    const before = planned.get(workspace) ?? scopes.knownOf(workspace, atMs) ?? { firstSeenMs: atMs };
    const after = observeInventory(before, event, atMs);
    for (const configured of parts.rules) settingsFor(configured, after, workspace);
    planned.set(workspace, after);
  }

  /** Seen from its bytes. What is cut off, or has no id that it could be known by, is read, and so set aside. */
  function tellsNothing(type: EventType, { headers, value }: StreamRecord, atMs: number): boolean {
    const { ce_id: id, ce_source: source, ce_time: time, ce_workspace: workspace = '' } = headers;
    if (!id || !source || !time || value === null || !isObjectText(value)) return false;
    return facts.passing.byBytes(type, value, (fact) =>
      facts.isMoreWanted(fact, workspace, planned.get(workspace) ?? scopes.knownOf(workspace, atMs)),
    );
  }

  /** What facts and rules have to do with an event. */
  function partsOf(event: LoggedEvent, known: WorkspaceFacts | undefined): Pick<Step, 'learnings' | 'readings'> {
    const learning = facts.of(event.type);
    const learnings: Learning[] = [];
    const isWanted = (fact: AnyFact): boolean => facts.isMoreWanted(fact, event.workspace, known);
    for (const fact of learning ?? []) {
      const one = learningOf(fact, event, isWanted);
      if (one !== undefined) learnings.push(one);
    }
    const reading = readers.of(event.type);
    const readings: Reading[] = [];
    for (const configured of reading === undefined ? [] : readers.wanting(reading, event)) {
      const part = readingOf(configured, event, known);
      if (part !== undefined) readings.push(part);
    }
    return { learnings, readings };
  }

  /** Undefined when the event tells the fact nothing. */
  function learningOf(fact: AnyFact, event: LoggedEvent, isWanted: (fact: AnyFact) => boolean): Learning | undefined {
    if (facts.passing.byData(fact, event, isWanted)) return undefined;
    try {
      const told = fact.keys(event);
      if (told.length === 0) return undefined;
      const keys = told.length === 1 ? told : [...new Set(told)];
      return { fact, keys, slots: scopes.slotsOfFact(fact.id, event.workspace, keys), fault: null };
    } catch (error) {
      return { fact, keys: [], slots: [], fault: reasonOf(error) };
    }
  }

  /** Undefined when the rule passes the event over. */
  function readingOf(
    configured: ConfiguredRule,
    event: LoggedEvent,
    known: WorkspaceFacts | undefined,
  ): Reading | undefined {
    const { rule } = configured;
    if (rule.judge === undefined) return undefined;
    if (rule.keys === undefined) return { configured, keys: noKeys, slots: [], fault: null };
    try {
      const keys = rule.keys(event, settingsFor(configured, known, event.workspace));
      if (keys.length === 0) return undefined;
      return { configured, keys, slots: scopes.slotsOf(rule.id, event.workspace, keys), fault: null };
    } catch (error) {
      return { configured, keys: [], slots: [], fault: reasonOf(error) };
    }
  }

  return {
    partsOf,
    /** Fills the batch's steps, and says how far its timers are due. */
    read(records: readonly StreamRecord[], caughtUpAtMs: number | null): void {
      const { batch } = parts;
      planned.clear();
      for (const record of records) {
        batch.lastRecordMs = Math.max(batch.lastRecordMs, record.appendedAtMs);
        const step = prepare(record, batch.lastRecordMs);
        if (step !== undefined) batch.steps.push(step);
      }
      planned.clear();
      batch.untilMs = Math.max(batch.lastRecordMs, caughtUpAtMs ?? 0);
    },
  };
}

/** A record that is not read, or that nobody can read. */
const unread = (
  record: StreamRecord,
  atMs: number,
  workspace: string,
  repeated: boolean,
  fault: string | null,
): Step => ({
  ...{ record, atMs, workspace, event: null, learnings: noLearnings, readings: noReadings, repeated, fault },
});

const [opened, closed] = [0x7b, 0x7d];
const isObjectText = (value: Buffer): boolean => value[0] === opened && value[value.length - 1] === closed;

/** What an event is known by, from its headers alone. */
function nameOf(type: EventType, headers: StreamRecord['headers']): Parameters<Dedup['classify']>[0] {
  const { ce_id: id = '', ce_source: source = '', ce_bodysha256: bodySha256 } = headers;
  return bodySha256 === undefined ? { type, id, source } : { type, id, source, bodySha256 };
}
