import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyFact, Observed } from '@tripline/contracts/fact';
import { type Entity, type Evidence, isSameEntity } from '@tripline/contracts/finding';
import type { Because } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { observedBy } from '@tripline/facts/bounds';

/** One event as a line of a finding's evidence. `url` defaults to the run or repository that the event names. */
export function tell(event: LoggedEvent, what: string, url?: string): Evidence {
  return lineOf(observedBy(event, url), what);
}

/** The same of what was kept of an event. */
export function lineOf({ eventId, eventType, time, url }: Observed, what: string): Evidence {
  return { eventId, eventType, time, what: clip(what, 500), ...(url === undefined ? {} : { url }) };
}

/** The evidence in order of the events' own times, each event once. */
export function inOrder(lines: readonly (Evidence | undefined)[]): Evidence[] {
  const once = new Map<string, Evidence>();
  for (const line of lines) if (line && !once.has(line.eventId)) once.set(line.eventId, line);
  return [...once.values()].sort(
    (a, b) => Date.parse(a.time) - Date.parse(b.time) || (a.eventId < b.eventId ? -1 : a.eventId > b.eventId ? 1 : 0),
  );
}

/**
 * Things that a finding names, each once and `most` of a kind; where there are more of a kind, one that says so: no exception
 * or silence lists it, since those are for what they see, and how much there is others choose. `of`: the finding's subject.
 */
export function namedOnce(entities: readonly Entity[], of: string, most = 20): Entity[] {
  const named: Entity[] = [];
  const byKind = new Map<Entity['kind'], Entity[]>();
  const others = new Map<Entity['kind'], Entity>();
  for (const entity of entities) {
    const { kind } = entity;
    const alike = byKind.get(kind) ?? [];
    byKind.set(kind, alike);
    if (alike.some((one) => isSameEntity(one, entity))) continue;
    if (alike.length >= most) {
      others.set(kind, { kind, id: clip(`(others of ${of})`, 500) });
      continue;
    }
    alike.push(entity);
    named.push(entity);
  }
  return [...named, ...others.values()];
}

/** The first twelve digits of a commit, as people read them. */
export function shortSha(revision: string): string {
  return revision.slice(0, 12);
}

/** What a fact observed under `key`, as the reason of a conclusion. */
export function because(fact: AnyFact, key: string, observed: Observed, what: string): Because {
  const { eventId, eventType, time, url, trust, fact: act } = observed;
  const link = url === undefined ? {} : { url };
  const evidence = { eventId, eventType, time, what: clip(what, 500), ...link };
  return { fact, key, trust, evidence, ...(act === undefined ? {} : { act }) };
}
