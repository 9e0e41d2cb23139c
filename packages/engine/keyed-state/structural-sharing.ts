/**
 * What a rule keeps is what JSON would give back of it, so that a rule reads the same before and after a restart.
 * Rules mostly keep what is JSON already and shares most of its parts with what they read, so a look at the parts that
 * are new is far cheaper than a text of the whole and back.
 *
 * Answers `before`, itself such a value or undefined, when `value` is the same as JSON text; otherwise `value`, or a
 * copy where JSON leaves something out or turns it into something else. What is answered must not be changed any more.
 * @throws {Error} when `value` is no JSON at all.
 */
export function shareUnchanged(value: unknown, before: unknown): unknown {
  const found = look(value, before);
  if (found === same) return before;
  if (found === other) return value;
  const text = JSON.stringify(value);
  if (text === undefined) throw new Error('state must be JSON');
  return before !== undefined && JSON.stringify(before) === text ? before : JSON.parse(text);
}

const same = 0;
/** Another value, and plain JSON. */
const other = 1;
/** JSON has no word for some part of it. */
const foreign = 2;
type Found = typeof same | typeof other | typeof foreign;

function look(value: unknown, before: unknown): Found {
  if (value === before && value !== undefined) return same;
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return other;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? other : foreign;
    case 'object':
      if (value === null) return other;
      if (Array.isArray(value)) return lookAtList(value, Array.isArray(before) ? before : noList);
      return Object.getPrototypeOf(value) === Object.prototype ? lookAtFields(value as Fields, before) : foreign;
    default:
      return foreign;
  }
}

type Fields = Record<string, unknown>;
const noList: unknown[] = [];

function lookAtList(value: unknown[], before: unknown[]): Found {
  let found: Found = value.length === before.length && before !== noList ? same : other;
  for (let at = 0; at < value.length; at += 1) {
    const part = look(value[at], before[at]);
    if (part === foreign) return foreign;
    if (part === other) found = other;
  }
  return found;
}

/** The order of fields counts: it is part of the text. */
function lookAtFields(value: Fields, before: unknown): Found {
  if (typeof before !== 'object' || before === null || Array.isArray(before)) {
    for (const name in value) if (look(value[name], undefined) === foreign) return foreign;
    return other;
  }
  const former = before as Fields;
  const names = Object.keys(former);
  let found: Found = same;
  let at = 0;
  for (const name in value) {
    const part = value[name];
    if (names[at] !== name) {
      found = other;
      // Of a field that stood elsewhere, or of a name that every object has, nothing is taken over.
      const seen = look(part, Object.hasOwn(former, name) ? former[name] : undefined);
      if (seen === foreign) return foreign;
    } else if (part !== former[name] || part === undefined) {
      const seen = look(part, former[name]);
      if (seen === foreign) return foreign;
      if (seen === other) found = other;
    }
    at += 1;
  }
  return at === names.length ? found : other;
}
