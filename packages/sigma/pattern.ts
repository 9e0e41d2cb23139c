/**
 * A Sigma text with its wildcards: `*` stands for any characters, `?` for one, `\` takes the meaning from either or from a
 * second `\` and is itself elsewhere (sigma-specification, "Escaping").
 */
export type Pattern = readonly (string | typeof anyText | typeof anyCharacter)[];
const anyText = Symbol('*');
const anyCharacter = Symbol('?');

export function parsePattern(text: string): Pattern {
  const parts: (string | symbol)[] = [];
  let literal = '';
  const close = () => {
    if (literal !== '') parts.push(literal);
    literal = '';
  };
  for (let at = 0; at < text.length; at += 1) {
    const [character, next] = [text[at]!, text[at + 1]];
    if (character === '\\' && (next === '*' || next === '?' || next === '\\')) {
      literal += next;
      at += 1;
    } else if (character === '*' || character === '?') {
      close();
      if (character === '?') parts.push(anyCharacter);
      else if (parts.at(-1) !== anyText) parts.push(anyText);
    } else literal += character;
  }
  close();
  return parts as Pattern;
}

/** `where` a text may stand around the pattern: `contains` on both sides, `startswith` behind it, `endswith` before it. */
export function openedAt(pattern: Pattern, where: 'contains' | 'startswith' | 'endswith'): Pattern {
  const before = where !== 'startswith' && pattern[0] !== anyText ? [anyText] : [];
  const after = where !== 'endswith' && pattern.at(-1) !== anyText ? [anyText] : [];
  return [...before, ...pattern, ...after] as Pattern;
}

/** Lower case, as both sides are compared unless a rule says `cased`. */
export const folded = (pattern: Pattern): Pattern =>
  pattern.map((part) => (typeof part === 'string' ? part.toLowerCase() : part));

/**
 * A test of whole texts. Between two `*` the first place that fits serves, so a text is never gone over again: the time is
 * bounded by the length of text × pattern, whatever either holds.
 */
export function patternTest(pattern: Pattern): (text: string) => boolean {
  if (pattern.length === 0) return (text) => text === '';
  const [only] = pattern;
  if (pattern.length === 1 && typeof only === 'string') return (text) => text === only;
  const pieces = splitAtAnyText(pattern);
  if (pieces.length === 1) return (text) => endOf(pieces[0]!, text, 0) === text.length;
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  const between = pieces.slice(1, -1);
  return (text) => {
    let at = endOf(first, text, 0);
    if (at < 0) return false;
    for (const piece of between) {
      at = endOfFirst(piece, text, at);
      if (at < 0) return false;
    }
    return fitsAtEnd(last, text, at);
  };
}

type Piece = readonly (string | typeof anyCharacter)[];

function splitAtAnyText(pattern: Pattern): Piece[] {
  const pieces: (string | typeof anyCharacter)[][] = [[]];
  for (const part of pattern) {
    if (part === anyText) pieces.push([]);
    else pieces.at(-1)!.push(part);
  }
  return pieces;
}

/** Where the piece ends that begins at `at`; -1 where it does not stand there. */
function endOf(piece: Piece, text: string, at: number): number {
  let end = at;
  for (const part of piece) {
    if (typeof part === 'string') {
      if (!text.startsWith(part, end)) return -1;
      end += part.length;
    } else {
      const codePoint = text.codePointAt(end);
      if (codePoint === undefined) return -1;
      end += codePoint > 0xffff ? 2 : 1;
    }
  }
  return end;
}

function endOfFirst(piece: Piece, text: string, from: number): number {
  const [head] = piece;
  for (let at = from; at <= text.length; at += 1) {
    if (typeof head === 'string') {
      at = text.indexOf(head, at);
      if (at < 0) return -1;
    }
    const end = endOf(piece, text, at);
    if (end >= 0) return end;
  }
  return -1;
}

/** From the end backwards, since the last piece may stand nowhere else. */
function fitsAtEnd(piece: Piece, text: string, from: number): boolean {
  let end = text.length;
  for (let index = piece.length - 1; index >= 0; index -= 1) {
    const part = piece[index]!;
    if (typeof part === 'string') {
      end -= part.length;
      if (end < from || !text.startsWith(part, end)) return false;
    } else {
      if (end <= from) return false;
      const low = text.charCodeAt(end - 1);
      const isPair =
        low >= 0xdc00 && low <= 0xdfff && end - 2 >= from && (text.charCodeAt(end - 2) & 0xfc00) === 0xd800;
      end -= isPair ? 2 : 1;
    }
  }
  return true;
}
