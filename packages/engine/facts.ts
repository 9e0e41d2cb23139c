import type { LoggedEvent } from '@tripline/contracts/event';

/** Two tellings of one act lie so far apart at most, by their own times, ms. */
const apartMs = 60_000;
/** As many facts of one act are remembered, the newest. */
const mostFacts = 50;

/** A fact as it is kept under what its act is, without the minute. */
type Fact = { name: string; nth: number; base: string; timeMs: number; tellers: string[] };
type FactRow = { facts: Fact[] };

/** The key under which the engine keeps the facts that `event` may tell of; undefined where its name says which it is. */
export function factKeyOf(id: string): string | undefined {
  const at = id.lastIndexOf('@');
  return at > 0 && minute.test(id.slice(at + 1)) ? id.slice(0, at) : undefined;
}
const minute = /^\d{4}-\d\d-\d\dT\d\d:\d\dZ$/;

/**
 * Which fact an event tells: the nth telling by one teller is the nth fact, and another teller's nth telling is its twin.
 * A minute's border parts no twins.
 */
export function resolveFact(
  event: LoggedEvent,
  { id, teller }: { id: string; teller: string },
  row: FactRow | undefined,
): { name: string; row: FactRow } {
  const timeMs = Date.parse(event.time);
  const facts = row?.facts ?? [];
  const twin = facts
    .filter((fact) => Math.abs(fact.timeMs - timeMs) <= apartMs && !fact.tellers.includes(teller))
    .sort((a, b) => a.timeMs - b.timeMs || a.nth - b.nth)[0];
  if (twin !== undefined) {
    const told = { ...twin, tellers: [...twin.tellers, teller] };
    return { name: twin.name, row: { facts: facts.map((fact) => (fact === twin ? told : fact)) } };
  }
  const nth = 1 + Math.max(0, ...facts.filter(({ base }) => base === id).map((fact) => fact.nth));
  const name = nth === 1 ? id : `${id}~${nth}`;
  const kept = [...facts, { name, nth, base: id, timeMs, tellers: [teller] }];
  return { name, row: { facts: kept.sort((a, b) => a.timeMs - b.timeMs || a.nth - b.nth).slice(-mostFacts) } };
}
