import { countColons, endOfString, parseJsonObject } from './json.ts';
import { type Refusal, refuse } from './refusal.ts';

/** Records that one body may hold: ten times what a collector gathers. */
const objectLimit = 10_000;
/** Keys of all of them together. */
const allKeysLimit = 1_000_000;

/** An object that cannot be parsed, and its bytes. */
type Unparsed = { refusal: Refusal; bytes: Buffer };

/**
 * Parses a body of JSON objects one after another, with or without white space between, each under the limits of one body. An
 * object that is none is told in its place, and its neighbours are read: one that does not end, too, where another begins on a
 * line of its own. A body whose end is missing was cut off, and is refused whole.
 */
export function parseJsonObjects(
  rawBody: Buffer,
): { objects: ({ body: Record<string, unknown> } | Unparsed)[] } | { refusal: Refusal } {
  if (rawBody.length > 4 * allKeysLimit && countColons(rawBody.toString('latin1')) > allKeysLimit)
    return { refusal: refuse(400, 'too-many-keys', `The body has more than ${allKeysLimit} keys`) };
  const objects = [];
  // Once one did not end, each is looked for within its own line: so the whole is read once, whatever is broken.
  let isByLine = false;
  let lineEnd = 0;
  for (let at = nextByte(rawBody, 0); at < rawBody.length; ) {
    if (objects.length === objectLimit)
      return { refusal: refuse(413, 'body-too-large', `Send at most ${objectLimit} records at once`) };
    if (isByLine && at >= lineEnd) lineEnd = endOfLine(rawBody, at);
    const within = isByLine ? rawBody.subarray(0, lineEnd) : rawBody;
    const end = within[at] === 0x7b ? endOfObject(within, at) : -1;
    if (end !== -1) {
      const bytes = rawBody.subarray(at, end);
      const parsed = parseJsonObject(bytes);
      objects.push('refusal' in parsed ? { ...parsed, bytes } : parsed);
      at = nextByte(rawBody, end);
      continue;
    }
    if (!isByLine) lineEnd = endOfLine(rawBody, at);
    if (lineEnd === rawBody.length)
      return { refusal: refuse(400, 'invalid-json', 'The body is not JSON objects one after another, or was cut off') };
    if (isByLine) {
      const refusal = refuse(400, 'invalid-json', 'The record is no JSON object');
      objects.push({ refusal, bytes: rawBody.subarray(at, lineEnd) });
      at = lineEnd + 1;
    }
    isByLine = true;
  }
  return { objects };
}

/** Index of the line break before the next line that begins with an object, or the length where none does. */
function endOfLine(rawBody: Buffer, start: number): number {
  const next = rawBody.indexOf('\n{', start);
  return next === -1 ? rawBody.length : next;
}

/** Index of the first byte from `at` on that is no white space. */
function nextByte(rawBody: Buffer, at: number): number {
  let next = at;
  while (next < rawBody.length && rawBody[next]! <= 0x20) next += 1;
  return next;
}

/** Index after the bracket that closes the object at `start`, or -1. */
function endOfObject(rawBody: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < rawBody.length; at += 1) {
    const byte = rawBody[at];
    if (byte === 0x22) {
      at = endOfString(rawBody, at);
      if (at === -1) return -1;
    } else if (byte === 0x7b) depth += 1;
    else if (byte === 0x7d) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}
