import { isUtf8 } from 'node:buffer';
import { type Refusal, refuse } from './refusal.ts';

/** Greatest nesting depth of a body; GitHub's deepest example has 9. */
const depthLimit = 64;
/**
 * Most keys of a body, over all levels: a push of 2,048 commits, GitHub's maximum, has 40,000. Distinct keys parse
 * slowest: the three million that fit into 25 MB would block the process for ten seconds.
 */
const keyLimit = 100_000;

/**
 * Parses a body that must be one JSON object in UTF-8. `JSON.parse` gives `__proto__` as a plain own property, and the
 * schemas after it copy only the fields that they know, so nothing here can reach a prototype.
 */
export function parseJsonObject(rawBody: Buffer): { body: Record<string, unknown> } | { refusal: Refusal } {
  const json = rawBody.toString('utf8');
  // Decoding replaces invalid UTF-8 by U+FFFD; most bodies are ASCII, where this check is skipped.
  if (json.includes('\ufffd') && !isUtf8(rawBody)) {
    return { refusal: refuse(400, 'invalid-utf8', 'The body is not UTF-8; send the JSON as it was signed') };
  }
  if (opensMoreThan(depthLimit, json) && isTooDeep(rawBody)) {
    return { refusal: refuse(400, 'too-deep', `The body is nested deeper than ${depthLimit} levels`) };
  }
  if (json.length > 4 * keyLimit && countColons(json) > keyLimit && hasTooManyKeys(rawBody)) {
    return { refusal: refuse(400, 'too-many-keys', `The body has more than ${keyLimit} keys`) };
  }
  let body: unknown;
  try {
    body = JSON.parse(json);
  } catch {
    return { refusal: refuse(400, 'invalid-json', 'The body is not valid JSON, or was cut off; send it whole') };
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { refusal: refuse(400, 'invalid-json', 'The body must be one JSON object') };
  }
  return { body: body as Record<string, unknown> };
}

/**
 * Whether `json` has more than `limit` brackets that may open a level: otherwise it cannot be too deep, and most bodies
 * need no closer check. A bracket after a letter is in a string, such as GitHub's URL templates (`…/commits{/sha}`), or
 * in invalid JSON.
 */
function opensMoreThan(limit: number, json: string): boolean {
  let count = 0;
  for (const bracket of ['{', '[']) {
    for (let at = json.indexOf(bracket); at !== -1; at = json.indexOf(bracket, at + 1)) {
      const before = at === 0 ? 0 : json.charCodeAt(at - 1) | 0x20;
      if (before >= 0x61 && before <= 0x7a) continue;
      count += 1;
      if (count > limit) return true;
    }
  }
  return false;
}

const quote = 0x22;
const backslash = 0x5c;

/** Counts brackets outside of strings only. Every byte of a multi-byte code point is above 0x7f, so bytes suffice. */
function isTooDeep(rawBody: Buffer): boolean {
  let depth = 0;
  for (let at = 0; at < rawBody.length; at += 1) {
    const byte = rawBody[at]!;
    if (byte === quote) {
      at = endOfString(rawBody, at);
      if (at === -1) return false;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > depthLimit) return true;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    }
  }
  return false;
}

/** Including those within strings: unless there are many, no closer check is needed. */
export function countColons(json: string): number {
  let count = 0;
  for (let at = json.indexOf(':'); at !== -1; at = json.indexOf(':', at + 1)) count += 1;
  return count;
}

/** Each key has its colon, and outside of strings there are no others. */
function hasTooManyKeys(rawBody: Buffer): boolean {
  let count = 0;
  for (let at = 0; at < rawBody.length; at += 1) {
    const byte = rawBody[at]!;
    if (byte === quote) {
      at = endOfString(rawBody, at);
      if (at === -1) return false;
    } else if (byte === 0x3a) {
      count += 1;
      if (count > keyLimit) return true;
    }
  }
  return false;
}

/** Index of the quote that ends the string begun at `start`, or -1: then the parser will say what is wrong. */
export function endOfString(rawBody: Buffer, start: number): number {
  let end = rawBody.indexOf(quote, start + 1);
  while (end !== -1) {
    let slashes = 0;
    while (rawBody[end - 1 - slashes] === backslash) slashes += 1;
    if (slashes % 2 === 0) return end;
    end = rawBody.indexOf(quote, end + 1);
  }
  return -1;
}
