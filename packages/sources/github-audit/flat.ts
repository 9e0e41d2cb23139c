import type { Attributes } from '@tripline/contracts/attributes';
import { clip } from '@tripline/contracts/text';
import { text } from '../untrusted.ts';

type Flat = NonNullable<Attributes['tripline.audit.record']>;
type Value = Flat[string];

const mostFields = 100;
const mostOfList = 100;
/** Of one text, in UTF-16 units; of an element of a list; and of all keys and texts together. */
const limits = { text: 1024, element: 256, whole: 32_768 };
const deepest = 6;

/**
 * A record's own fields under the provider's names, nested ones by a dotted path: at most 100, single values before lists, so
 * that no list pushes out what tells who did what. Whatever looks like a credential, or stands under the name of one, is
 * redacted.
 */
export function flatRecord(record: Readonly<Record<string, unknown>>): Flat {
  const single: [string, Value][] = [];
  const lists: [string, Value][] = [];
  collect(record, '', 0, single, lists);
  const flat: [string, Value][] = [];
  let units = 0;
  for (const [name, value] of [...single, ...lists]) {
    units += name.length + sizeOf(value);
    if (flat.length === mostFields || units > limits.whole) break;
    flat.push([name, value]);
  }
  return Object.fromEntries(flat);
}

function collect(
  holder: Readonly<Record<string, unknown>>,
  path: string,
  depth: number,
  single: [string, Value][],
  lists: [string, Value][],
): void {
  for (const [key, value] of Object.entries(holder)) {
    if (single.length + lists.length >= 4 * mostFields) return;
    // No object of JavaScript may own it.
    if (key === '__proto__') continue;
    const name = text(path + key, 200)!;
    if (typeof value === 'string') single.push([name, isSecret(key) ? redacted : textOf(value, limits.text)]);
    else if (typeof value === 'number' || typeof value === 'boolean' || value === null) single.push([name, value]);
    else if (Array.isArray(value)) lists.push([name, isSecret(key) ? redacted : listOf(value)]);
    else if (typeof value !== 'object') continue;
    else if (isSecret(key)) single.push([name, redacted]);
    else if (depth === deepest) single.push([name, textOf(JSON.stringify(value), limits.text)]);
    else collect(value as Record<string, unknown>, `${name}.`, depth + 1, single, lists);
  }
}

/** Elements that are not text are given as JSON. */
const listOf = (values: readonly unknown[]): string[] =>
  values
    .slice(0, mostOfList)
    .map((value) => textOf(typeof value === 'string' ? value : withoutSecrets(value), limits.element));

/** JSON of a list's element, without what stands under the name of a secret. */
const withoutSecrets = (value: unknown): string =>
  JSON.stringify(value, (key, inner: unknown) => (isSecret(key) ? redacted : inner)) ?? '';

const redacted = '[redacted]';
/** Hashes and ids of tokens are their identities; `secret_name` and its like are names. */
const isSecret = (name: string): boolean =>
  /(?:^|[_-])(?:token|secret|password|passwd|passphrase|private_key|authorization|cookie)$/i.test(name) &&
  !/^hashed_/i.test(name);

/** Untrusted text without credentials, those in a URL's query included. */
function textOf(value: string, limit: number): string {
  const told = text(value, 4096)!;
  return clip(told.includes('=') ? told.replace(parameter, withoutValue) : told, limit);
}
const parameter = /([?&][\w.-]{1,60}=)[^&#\s"]{1,4096}/g;
const withoutValue = (whole: string, name: string): string =>
  /(?:token|secret|password|passwd|key|sig|signature|code)=$/i.test(name) ? `${name}${redacted}` : whole;

function sizeOf(value: Value): number {
  if (typeof value === 'string') return value.length;
  return Array.isArray(value) ? value.reduce((sum, one) => sum + one.length, 0) : 8;
}
