import { redactText } from '@tripline/runtime/redact';
import { parseJsonObject } from './json.ts';

/** Parts of a content that are described; the others are counted. */
const partLimit = 180;
const depthLimit = 8;
const fieldsAnObject = 60;
const itemsAList = 3;

/**
 * What may be kept of content of unknown form: names of fields, kinds and lengths of values, and the values of those few fields
 * that are documented to hold no secret. A text of unknown form may be a secret that has no form of its own, which no pattern
 * sees. At most 16 KiB of JSON; what was cut is said.
 *
 * @param content JSON, or the bytes of what may be JSON.
 */
export function outlineOf(content: unknown): string {
  let parts = 0;
  const described = (value: unknown, depth: number): unknown => {
    parts += 1;
    if (typeof value === 'string') return `text of ${value.length} characters`;
    if (typeof value === 'number') return 'number';
    if (typeof value !== 'object' || value === null) return value ?? null;
    if (depth === depthLimit) return 'nested deeper than is shown';
    return Array.isArray(value) ? ofList(value, depth) : ofObject(value as Record<string, unknown>, depth);
  };
  const ofList = (list: readonly unknown[], depth: number): unknown[] => {
    const shown: unknown[] = [];
    for (const item of list.slice(0, itemsAList)) if (parts < partLimit) shown.push(described(item, depth + 1));
    if (shown.length < list.length) shown.push(`${list.length - shown.length} more`);
    return shown;
  };
  const ofObject = (object: Record<string, unknown>, depth: number): object => {
    const shown: [string, unknown][] = [];
    const names = Object.keys(object);
    for (const name of names.slice(0, fieldsAnObject)) {
      if (parts >= partLimit) break;
      const value = object[name];
      const isSafe = typeof value !== 'object' && (documented[name] ?? idForm)(name, value);
      if (isSafe) parts += 1;
      shown.push([safeName(name, shown.length), isSafe ? value : described(value, depth + 1)]);
    }
    if (shown.length < names.length) shown.push(['…', `${names.length - shown.length} more fields`]);
    return Object.fromEntries(shown);
  };
  if (!Buffer.isBuffer(content)) return JSON.stringify(described(content, 0));
  const parsed = parseJsonObject(content);
  return JSON.stringify(
    'body' in parsed ? described(parsed.body, 0) : `${content.length} bytes that are no JSON object`,
  );
}

/** A name of a field as GitHub's are: words in lower case. Any other may be a secret, and is described like a value. */
function safeName(name: string, nth: number): string {
  const digits = name.length > 40 ? 0 : name.replace(/\D/g, '').length;
  const isName = /^[@_]?[a-z][a-z0-9_.-]{0,39}$/.test(name) && digits <= 3 && redactText(name) === name;
  return isName && name.split(/[_.-]/).every((word) => word.length <= 20)
    ? name
    : `field ${nth + 1}, its name of ${name.length} characters`;
}

type Form = (name: string, value: unknown) => boolean;
const textOf =
  (form: RegExp): Form =>
  (_, value) =>
    typeof value === 'string' && form.test(value) && redactText(value) === value;
const time: Form = (_, value) =>
  (typeof value === 'number' && Number.isFinite(value)) ||
  (typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]{0,10}(?:Z|[+-]\d\d:\d\d)$/.test(value));

/** GitHub's fields that hold no secret, and the form in which each is kept: another one is described. */
const documented: Readonly<Record<string, Form | undefined>> = Object.assign(Object.create(null), {
  action: textOf(/^[a-z_.]{1,64}$/),
  _document_id: textOf(/^[\w-]{20,24}$/),
  org: textOf(/^[A-Za-z0-9-]{1,39}$/),
  '@timestamp': time,
  created_at: time,
});

/** Ids of organisations, users, repositories and so on: whole numbers. */
const idForm: Form = (name, value) =>
  /(?:^|_)id$/.test(name) && (Number.isSafeInteger(value) || (typeof value === 'string' && /^\d{1,20}$/.test(value)));
