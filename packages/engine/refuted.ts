/** Of each value without what some events told, which events those were. */
const known = new WeakMap<object, { events: readonly string[]; rest: unknown }>();

/**
 * A fact's value without the observations of some events: as if they had not been received. A value is a set of observations,
 * so each is a member of a list; what is no list stays. The same value where it holds none of them.
 */
export function withoutEvents(value: unknown, events: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const before = known.get(value);
  if (before?.events === events) return before.rest;
  const rest = without(value, new Set(events));
  known.set(value, { events, rest });
  return rest;
}

function without(value: unknown, events: ReadonlySet<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const kept = value.filter((one) => !isOf(one, events));
    const parts = kept.map((one) => without(one, events));
    return kept.length === value.length && parts.every((part, place) => part === value[place]) ? value : parts;
  }
  const parts = Object.entries(value).map(([name, part]) => [name, without(part, events)] as const);
  const isSame = parts.every(([name, part]) => part === value[name as keyof typeof value]);
  return isSame ? value : Object.fromEntries(parts);
}

const isOf = (one: unknown, events: ReadonlySet<string>): boolean =>
  typeof one === 'object' && one !== null && 'eventId' in one && events.has(one.eventId as string);
