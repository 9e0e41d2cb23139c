import type { LoggedEvent } from '@tripline/contracts/event';

/** Two tellings of one act lie so far apart at most, by their own times, ms. */
const apartMs = 60_000;
/** One that bears no time of its own has that of its receipt, which may be so long after the act: as long as the provider delivers again. */
const lateMs = 72 * 3_600_000;
/** As many facts of one act are remembered, the newest. */
const mostFacts = 50;

/** A fact as it is kept under what its act is, without the minute. */
type Fact = {
  name: string;
  nth: number;
  base: string;
  timeMs: number;
  tellers: string[];
  /** The time is that of a receipt. */
  timeless?: true;
  /** Account of who did it. */
  by?: string;
};
type FactRow = { facts: Fact[] };

/** The key under which the engine keeps the facts that `event` may tell of; undefined where its name says which it is. */
export function factKeyOf(id: string): string | undefined {
  const at = id.lastIndexOf('@');
  return at > 0 && minute.test(id.slice(at + 1)) ? id.slice(0, at) : undefined;
}
const minute = /^\d{4}-\d\d-\d\dT\d\d:\d\dZ$/;

/**
 * Which fact an event tells: the nth telling by one teller is the nth fact, and another teller's nth telling is its twin.
 * A minute's border parts no twins, and where one of them is dated by its receipt, neither does how late that was: then both must
 * name the same account, since within days somebody else may have done the like. Tellings of one teller are never twins, so
 * there are at least as many facts as any one feed tells acts.
 */
export function resolveFact(
  event: LoggedEvent,
  { id, teller }: { id: string; teller: string },
  row: FactRow | undefined,
): { name: string; row: FactRow } {
  const timeMs = Date.parse(event.time);
  const facts = row?.facts ?? [];
  const others = facts.filter(({ tellers }) => !tellers.includes(teller));
  const { 'tripline.time.received': received, 'user.id': by } = event.data;
  const timeless = received === true;
  const twin =
    others
      .filter((fact) => Math.abs(fact.timeMs - timeMs) <= apartMs)
      .sort((a, b) => a.timeMs - b.timeMs || a.nth - b.nth)[0] ??
    others
      .filter((fact) => isLate(fact, { timeMs, timeless, by }))
      .sort((a, b) => Math.abs(a.timeMs - timeMs) - Math.abs(b.timeMs - timeMs) || a.nth - b.nth)[0];
  if (twin !== undefined) {
    // It has the time of the act once one of its tellings does.
    const { timeless: wasTimeless, ...dated } = twin;
    const known: Fact = wasTimeless && !timeless ? { ...dated, timeMs } : twin;
    const told = { ...known, tellers: [...twin.tellers, teller] };
    return { name: twin.name, row: { facts: facts.map((fact) => (fact === twin ? told : fact)) } };
  }
  const nth = 1 + Math.max(0, ...facts.filter(({ base }) => base === id).map((fact) => fact.nth));
  const name = nth === 1 ? id : `${id}~${nth}`;
  const fresh: Fact = { name, nth, base: id, timeMs, tellers: [teller] };
  const kept: Fact[] = [...facts, { ...fresh, ...(timeless ? { timeless } : {}), ...(by === undefined ? {} : { by }) }];
  return { name, row: { facts: kept.sort((a, b) => a.timeMs - b.timeMs || a.nth - b.nth).slice(-mostFacts) } };
}

/** Whether one bears the time of the act, and the other was received within the days after: of an act by the same account. */
function isLate(
  fact: Pick<Fact, 'timeMs' | 'timeless' | 'by'>,
  told: { timeMs: number; timeless: boolean; by: string | undefined },
): boolean {
  if ((fact.timeless === true) === told.timeless || fact.by === undefined || fact.by !== told.by) return false;
  const afterMs = told.timeless ? told.timeMs - fact.timeMs : fact.timeMs - told.timeMs;
  return afterMs >= 0 && afterMs <= lateMs;
}
