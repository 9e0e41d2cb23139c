/** JSON that is not one object, or in which a name stands twice. */
export type JsonFault = 'no-object' | 'duplicate-names';

/**
 * Parses bytes that must be one JSON object in UTF-8 in which no object has a name twice: parsers differ in which of the
 * two they take, so that what one verified another could read otherwise. Names are compared as they are decoded
 * (`"a"` and `"\u0061"` are one).
 */
export function parseObjectOfUniqueNames(
  bytes: Uint8Array,
): { object: Record<string, unknown> } | { fault: JsonFault } {
  let text: string;
  let object: unknown;
  try {
    text = utf8.decode(bytes);
    object = JSON.parse(text);
  } catch {
    return { fault: 'no-object' };
  }
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return { fault: 'no-object' };
  if (hasNameTwice(text)) return { fault: 'duplicate-names' };
  return { object: object as Record<string, unknown> };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Of valid JSON. A string is a name where a colon follows it. */
function hasNameTwice(json: string): boolean {
  const open: Set<string>[] = [];
  for (let at = 0; at < json.length; at += 1) {
    const character = json[at];
    if (character === '{') open.push(new Set());
    else if (character === '}') open.pop();
    else if (character === '"') {
      const end = endOfString(json, at);
      if (isName(json, end)) {
        const name = JSON.parse(json.slice(at, end)) as string;
        const names = open.at(-1)!;
        if (names.has(name)) return true;
        names.add(name);
      }
      at = end - 1;
    }
  }
  return false;
}

/** Index after the quote that ends the string begun at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

function isName(json: string, end: number): boolean {
  let at = end;
  while (json[at] === ' ' || json[at] === '\t' || json[at] === '\n' || json[at] === '\r') at += 1;
  return json[at] === ':';
}
