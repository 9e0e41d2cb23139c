import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact } from '@tripline/contracts/fact';
import { type Confidence, confidences } from '@tripline/contracts/finding';
import type { AnyRule, ConcludeContext, Conclusion, RuleContext } from '@tripline/contracts/rule';

/**
 * What facts know and rules conclude from them, said as plainly as it can be: every subject is looked through to know who
 * watches and what is pinned, and nothing is bounded here.
 */
type Thing = { value: unknown; flooded: boolean };
type Subject = { rule: string; workspace: string; subject: string; standing: Standing[]; watches: string[] };
type Standing = { subject: string; occasion: string; rests: { thing: string; eventId: string }[]; frozen?: true };
export type Facts = { things: Map<string, Thing>; subjects: Map<string, Subject> };

const join = (...names: string[]) => names.join('\0');
const thingName = (workspace: string, fact: string, key: string) => join(workspace, `fact:${fact}`, key);

/** What an event adds under one key; answers what was known before where that is another value. `flooded` is told of bounds; `wants`: what settings ask for. */
export function learn(
  facts: Facts,
  fact: AnyFact,
  key: string,
  event: LoggedEvent,
  nowMs: number,
  flooded: (kind: string, author: string) => void,
  wants: (name: string) => boolean,
): { before: unknown } | undefined {
  const name = thingName(event.workspace, fact.id, key);
  const before = facts.things.get(name);
  const rests = [...facts.subjects.values()].flatMap(({ standing }) => standing.flatMap(({ rests: on }) => on));
  const pinned = new Set(rests.filter(({ thing }) => thing === name).map(({ eventId }) => eventId));
  let isFlooded = before?.flooded ?? false;
  const value = fact.learn(before?.value, event, {
    key,
    nowMs,
    pinned,
    flooded: (kind, author) => {
      isFlooded = true;
      flooded(kind, author);
    },
    wants,
  });
  if (value === undefined && !isFlooded) facts.things.delete(name);
  else facts.things.set(name, { value, flooded: isFlooded });
  return JSON.stringify(value) === JSON.stringify(before?.value) ? undefined : { before: before?.value };
}

/** Subjects of a rule that one changed thing concerns. */
export function subjectsOf(
  facts: Facts,
  rule: AnyRule,
  workspace: string,
  changed: { fact: AnyFact; key: string; before: unknown },
  settings: unknown,
): string[] {
  const name = thingName(workspace, changed.fact.id, changed.key);
  const value = facts.things.get(name)?.value;
  const told = { fact: changed.fact.id, key: changed.key, value, before: changed.before };
  const named = rule.concludes!.subjects(told, settings);
  if (rule.concludes!.matters?.(told) === false) return [...named];
  const watching = [...facts.subjects.values()]
    .filter((one) => one.rule === rule.id && one.workspace === workspace && one.watches.includes(name))
    .map(({ subject }) => subject)
    .sort();
  return [...named, ...watching];
}

/** Concludes one subject; answers when it is to be concluded anew. `doubted` is asked of events by whose proof that may change. */
export function conclude(
  facts: Facts,
  rule: AnyRule,
  subject: string,
  context: RuleContext<unknown, unknown> & { learnedUntilMs: number; unlistedLearnedUntilMs: number },
  doubted: (eventId: string) => boolean,
  refuted: (eventId: string) => boolean,
): number | undefined {
  const { workspace, nowMs } = context;
  const name = join(workspace, rule.id, subject);
  const looked = new Map<string, boolean>();
  let recheckMs: number | undefined;
  let reason = 'by what was received since, it is in order';
  const recheckAt = (ms: number) => {
    if (ms > nowMs && Number.isFinite(ms)) recheckMs = Math.min(recheckMs ?? ms, ms);
  };
  const look = (watches: boolean) => (fact: AnyFact, key: string) => {
    const thing = thingName(workspace, fact.id, key);
    looked.set(thing, watches || (looked.get(thing) ?? false));
    return withoutRefuted(facts.things.get(thing)?.value, refuted);
  };
  const conclusions = rule.concludes!.conclude(subject, {
    ...context,
    read: look(false),
    watch: look(true),
    recheckAt,
    explain: (why: string) => {
      reason = why;
    },
  } as ConcludeContext<unknown>);
  const before = facts.subjects.get(name)?.standing ?? [];
  const frozen = before.filter(
    (one) =>
      one.frozen || one.rests.some(({ thing, eventId }) => !eventsIn(facts.things.get(thing)?.value).has(eventId)),
  );
  const isSame = (one: { subject: string; occasion: string }) => (other: { subject: string; occasion: string }) =>
    one.subject === other.subject && one.occasion === other.occasion;
  const isFlooded = [...looked.keys()].some((thing) => facts.things.get(thing)?.flooded);
  const standing: Standing[] = frozen.map((one) => ({ ...one, frozen: true }));
  for (const conclusion of context.learning ? [] : conclusions) {
    if (frozen.some(isSame(conclusion))) continue;
    const { heldUntilMs = 0 } = conclusion;
    if (heldUntilMs > nowMs) {
      // Not found yet; what stands is left as it is.
      recheckAt(heldUntilMs);
      standing.push(...before.filter(isSame(conclusion)));
      continue;
    }
    context.find(draftOf(conclusion, isFlooded));
    const rests = conclusion.because.map(({ fact, key, evidence }) => ({
      ...{ thing: thingName(workspace, fact.id, key), eventId: evidence.eventId },
    }));
    standing.push({ subject: conclusion.subject, occasion: conclusion.occasion, rests });
  }
  for (const one of before.filter((other) => !frozen.includes(other))) {
    if (!context.learning && conclusions.some(isSame(one))) continue;
    const own = new Set(one.rests.map(({ eventId }) => eventId));
    // What somebody sent again stands low, whatever is concluded without it.
    if ([...own].some(refuted)) {
      standing.push(one);
      continue;
    }
    const known = [...looked.keys()].flatMap((thing) => [
      ...eventsIn(withoutRefuted(facts.things.get(thing)?.value, refuted)),
    ]);
    const because = known.filter((eventId) => !own.has(eventId) && doubted(eventId));
    context.retract({ subject: one.subject, occasion: one.occasion, reason, because });
    if (because.length > 0) standing.push(one);
  }
  const watches = [...looked].flatMap(([thing, watched]) => (watched ? [thing] : []));
  if (standing.length + watches.length === 0) facts.subjects.delete(name);
  else facts.subjects.set(name, { rule: rule.id, workspace, subject, standing, watches });
  return recheckMs === undefined ? undefined : Math.ceil(recheckMs);
}

function draftOf(
  { because, confidence = 'high', heldUntilMs: _, acts: told = [], ...conclusion }: Conclusion,
  isFlooded: boolean,
) {
  const trustIn = (lines: readonly { trust: Confidence }[]) => lines.map(({ trust }) => confidences.indexOf(trust));
  const acts = [...Map.groupBy(because, ({ act, evidence }) => act ?? evidence).values()];
  const least = Math.min(confidences.indexOf(confidence), ...acts.map((lines) => Math.max(...trustIn(lines))));
  const lines = because
    .map(({ evidence }) => evidence)
    .toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time) || (a.eventId < b.eventId ? -1 : 1));
  const last = lines.at(-1)!;
  return {
    ...conclusion,
    acts: [...new Set([...told, ...because.flatMap(({ act }) => act ?? [])])].slice(0, 40),
    confidence: confidences[Math.max(0, least - (isFlooded ? 1 : 0))] as Confidence,
    evidence: lines.filter(({ eventId }, place) => lines.findIndex((other) => other.eventId === eventId) === place),
    decidedBy: { eventId: last.eventId, time: last.time },
  };
}

/** A value without the members of its lists that a refuted event told. */
function withoutRefuted(value: unknown, refuted: (eventId: string) => boolean): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const isShown = (one: unknown) => !refuted((one as { eventId?: string } | null)?.eventId ?? '');
  if (Array.isArray(value)) return value.filter(isShown).map((one) => withoutRefuted(one, refuted));
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withoutRefuted(part, refuted)]));
}

/** By which events something in a value was observed. */
function eventsIn(value: unknown): Set<string> {
  return new Set(
    [...JSON.stringify(value ?? null).matchAll(/"eventId":"((?:[^"\\]|\\.)*)"/g)].map(([, id]) =>
      JSON.parse(`"${id}"`),
    ),
  );
}
