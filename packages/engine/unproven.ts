import type { LoggedEvent } from '@tripline/contracts/event';
import type { StreamRecord } from '@tripline/stream/stream';
import type { KeyedState } from './keyed-state/state.ts';
import type { Timers } from './timers.ts';

/** The pseudo-rule under which the engine keeps events that nobody has vouched for, and their timers. */
export const unprovenRule = '@unproven';
/** So long an answer is waited for; then it counts as one that nobody could give. */
export const answerWithinMs = 15 * 60_000;
/**
 * As long as anything may be concluded anew from what such a delivery told. Forgotten sooner, it would count as proved: what
 * a finding rests on is looked up whenever it is found again.
 */
const rememberMs = 60 * 24 * 3_600_000;
/** So many wait in a workspace; beyond that the oldest is judged as if nobody could be asked. */
const mostWaiting = 200;
/** Of those that were judged so, as many are listed; the rows of others last as long, or a flood would make them proven. */
const mostJudged = 1000;
/** A larger value waits for no answer. */
const largestBytes = 65_536;

/** An event that waits for its answer, as it lay in the log; `fact`: which it tells. */
export type Waiting = Pick<StreamRecord, 'topic' | 'partition' | 'offset' | 'key' | 'headers'> & {
  value: string;
  fact?: string;
};
/**
 * `findings`: those that rest on it, among others perhaps, and whose they are. `refuted`: after it was judged as one for
 * which nobody vouched, the provider's list said that it is none of its own.
 */
export type UnprovenRow = {
  heardMs: number;
  waiting?: Waiting;
  findings: { id: string; rule: string }[];
  refuted?: true;
  /** Subjects whose conclusions it had a part in by being doubted. */
  asks?: Subject[];
  /** What facts learned of it, once it was judged without proof. */
  learned?: Learned[];
};
export type Learned = { fact: string; key: string };
export type Subject = { rule: string; subject: string };
/** `refuted`: those of `judged` of which the provider's list says that they are none of its own. */
type Lists = { waiting: string[]; judged: string[]; refuted?: string[] };

/**
 * Deliveries whose body was received before under another id, while the provider's own list has not named them. Whoever kept
 * a body can send it again, so they are kept until it is known: a row each, by event id, in state of the engine's own.
 */
export function createUnproven({ state, timers }: { state: KeyedState; timers: Timers }) {
  const slot = (workspace: string, key: string) => state.slot(workspace, unprovenRule, key);
  const listsOf = (workspace: string, nowMs: number) => state.get(slot(workspace, ''), nowMs) as Lists | undefined;
  const keepLists = (workspace: string, lists: Lists, nowMs: number) =>
    state.set(slot(workspace, ''), lists, rememberMs, nowMs);
  const read = (workspace: string, id: string, nowMs: number) =>
    id === '' ? undefined : (state.get(slot(workspace, id), nowMs) as UnprovenRow | undefined);
  const keep = (workspace: string, id: string, row: UnprovenRow, nowMs: number) =>
    state.set(slot(workspace, id), row, rememberMs, nowMs);
  const timerOf = (workspace: string, id: string) => ({ workspace, rule: unprovenRule, id });

  function leaveLists(workspace: string, id: string, nowMs: number): Lists {
    const { waiting, judged, ...rest } = listsOf(workspace, nowMs) ?? { waiting: [], judged: [] };
    const isOther = (other: string) => other !== id;
    return { ...rest, waiting: waiting.filter(isOther), judged: judged.filter(isOther) };
  }

  return {
    read,
    /** Keeps an event until its answer comes. False when it is too large for that. */
    wait(event: LoggedEvent, record: StreamRecord, fact: string | undefined, nowMs: number): boolean {
      const { workspace, id } = event;
      const value = record.value?.toString('utf8') ?? '';
      const isSmall = value.length <= largestBytes;
      const { topic, partition, offset, key, headers } = record;
      const waiting = { topic, partition, offset, key, headers, value, ...(fact === undefined ? {} : { fact }) };
      keep(workspace, id, { heardMs: nowMs, findings: [], ...(isSmall ? { waiting } : {}) }, nowMs);
      const lists = leaveLists(workspace, id, nowMs);
      if (!isSmall) {
        keepLists(workspace, judgedToo(lists, id), nowMs);
        return false;
      }
      keepLists(workspace, { ...lists, waiting: [...lists.waiting, id] }, nowMs);
      timers.set({ ...timerOf(workspace, id), dueMs: nowMs + answerWithinMs, keys: [] });
      return true;
    },
    /** The one that waits longest, when there are too many. */
    oneTooMany(workspace: string, nowMs: number): string | undefined {
      const { waiting } = listsOf(workspace, nowMs) ?? { waiting: [] };
      return waiting.length > mostWaiting ? waiting[0] : undefined;
    },
    /** It waits no longer, and is remembered as one for which nobody vouched. */
    giveUp(workspace: string, id: string, row: UnprovenRow, nowMs: number): void {
      keepLists(workspace, judgedToo(leaveLists(workspace, id, nowMs), id), nowMs);
      timers.clear(timerOf(workspace, id));
      const { waiting: _, ...judged } = row;
      keep(workspace, id, judged, nowMs);
    },
    /** It was answered for. */
    forget(workspace: string, id: string, nowMs: number): void {
      const lists = leaveLists(workspace, id, nowMs);
      if (lists.waiting.length + lists.judged.length === 0) state.delete(slot(workspace, ''));
      else keepLists(workspace, lists, nowMs);
      timers.clear(timerOf(workspace, id));
      state.delete(slot(workspace, id));
    },
    /** The provider's list does not name it, and it was judged already: rules that know it are told when they ask. */
    refute(workspace: string, id: string, row: UnprovenRow, nowMs: number): void {
      keep(workspace, id, { ...row, refuted: true }, nowMs);
      const lists = listsOf(workspace, nowMs) ?? { waiting: [], judged: [id] };
      const refuted = [...(lists.refuted ?? []).filter((other) => other !== id), id].slice(-mostJudged);
      keepLists(workspace, { ...lists, refuted }, nowMs);
    },
    /** Events that are none of the provider's, the latest of them; the same list while it is as it was. */
    refutedIn: (workspace: string, nowMs: number): readonly string[] | undefined => listsOf(workspace, nowMs)?.refuted,
    /** Remembers what facts learned of an event for which nobody vouched. */
    learn(workspace: string, id: string, learned: readonly Learned[], nowMs: number): void {
      const row = read(workspace, id, nowMs);
      if (row !== undefined && learned.length > 0)
        keep(workspace, id, { ...row, learned: learned.slice(0, 100) }, nowMs);
    },
    /** Whether nobody has vouched for some event of the workspace. */
    isAny: (workspace: string, nowMs: number): boolean => listsOf(workspace, nowMs) !== undefined,
    /** What speaks against an event; undefined where nothing does. */
    doubtOf(workspace: string, id: string, nowMs: number): 'unproven' | 'refuted' | undefined {
      const row = listsOf(workspace, nowMs) === undefined ? undefined : read(workspace, id, nowMs);
      return row && (row.refuted ? 'refuted' : 'unproven');
    },
    /** Which of these events nobody has vouched for. */
    among(workspace: string, ids: readonly string[], nowMs: number): string[] {
      if (listsOf(workspace, nowMs) === undefined) return [];
      return [...new Set(ids)].filter((id) => read(workspace, id, nowMs) !== undefined);
    },
    /** Remembers that a finding rests on these events. */
    rest(workspace: string, ids: readonly string[], finding: { id: string; rule: string }, nowMs: number): void {
      for (const id of ids) {
        const row = read(workspace, id, nowMs);
        if (row === undefined || row.findings.length >= 100) continue;
        if (row.findings.some((other) => other.id === finding.id)) continue;
        keep(workspace, id, { ...row, findings: [...row.findings, finding] }, nowMs);
      }
    },
    /** Remembers that a subject is to be concluded anew once it is known what the event is. */
    ask(workspace: string, id: string, subject: Subject, nowMs: number): void {
      const row = read(workspace, id, nowMs);
      const asks = row?.asks ?? [];
      if (row === undefined || asks.length >= 100) return;
      if (asks.some((one) => one.rule === subject.rule && one.subject === subject.subject)) return;
      keep(workspace, id, { ...row, asks: [...asks, subject] }, nowMs);
    },
  };

  function judgedToo(lists: Lists, id: string): Lists {
    return { ...lists, judged: [...lists.judged, id].slice(-mostJudged) };
  }
}
export type Unproven = ReturnType<typeof createUnproven>;
