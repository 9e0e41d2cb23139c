/**
 * Replacements for names, numbers and hashes: the same word gets the same one wherever it stands, so that whatever is made of
 * words (`owner/name`, a ref, an address of e-mail, a URL, a pattern) relates as before, and is as long and of the same form.
 * They are drawn by chance, so nothing leads back. Blanks and punctuation stay, and times, numbers of up to four digits outside of
 * ids, single characters, and words that `isPublic` knows.
 */
export type Pseudonyms = {
  /** Of text: names, titles, messages, URLs. */
  text: (given: string) => string;
  /** Of an id or what is made of ids: each of its numbers is replaced, however short. */
  id: (given: string) => string;
  /** Notes which words there are, so that none of them is drawn for another. */
  note: (given: string) => void;
};

/** What a text consists of, in this order where several fit; the first ones begin no later than a word does. */
const forms = [
  ['time', /\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?)?(?![\p{L}\p{N}])/uy],
  ['uuid', /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\p{L}\p{N}])/iuy],
  ['ipv4', /(?:\d{1,3}\.){3}\d{1,3}(?![\p{L}\p{N}.])/uy],
  ['ipv6', /[0-9a-f:]{2,39}(?![\p{L}\p{N}:])/iuy],
  // A SHA-256, by which a token is known, whether it stands as an id or in a text.
  ['base64', /[0-9A-Za-z+/]{43}=(?![0-9A-Za-z+/=])/uy],
  // The provider's words for patterns, escapes of JSON that was clipped, punctuation in a URL.
  ['fixed', /~[A-Z_]{3,30}(?![\p{L}\p{N}_])|\\[bfnrt"\\/](?=\W|$)|%(?:[012][0-9A-F]|3[A-F]|40|5[B-F]|60|7[B-F])/uy],
  // Whatever is not ASCII is of a word, escaped or not.
  ['word', /(?:[0-9A-Za-z]|[^\0-\x7f]|%(?:[89A-F][0-9A-F]|[46][1-9A-F]|3[0-9]|[57][0-9A])|\\u[0-9a-f]{4})+/uy],
] as const;
type Form = (typeof forms)[number][0];

/** A text's parts: what is none of these forms, as it is, under no form. */
function* partsOf(text: string): Generator<readonly [Form | undefined, string]> {
  let plainFrom = 0;
  for (let at = 0; at < text.length; ) {
    const [form, part] = formAt(text, at) ?? [undefined, ''];
    if (form === undefined) {
      at += 1;
      continue;
    }
    if (plainFrom < at) yield [undefined, text.slice(plainFrom, at)];
    yield [form, part];
    at += part.length;
    plainFrom = at;
  }
  if (plainFrom < text.length) yield [undefined, text.slice(plainFrom)];
}

function formAt(text: string, at: number): [Form, string] | undefined {
  for (const [form, pattern] of forms) {
    pattern.lastIndex = at;
    const part = pattern.exec(text)?.[0];
    if (part !== undefined && (form !== 'ipv6' || isIpv6(part))) return [form, part];
  }
  return undefined;
}
const isIpv6 = (text: string): boolean => {
  const groups = text.split(':');
  const isShort = text.includes('::') && /[0-9a-f]/i.test(text);
  return groups.every((group) => group.length <= 4) && (groups.length === 8 || isShort) && groups.length <= 9;
};

const [vowels, consonants] = ['aeiou', 'bcdfghjklmnprstvwz'];
const digitsOf64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** Draws for a word before it gets longer than what it stands for. */
const draws = 300;

/** `random`: 0 ≤ x < 1. */
export function createPseudonyms(isPublic: (word: string) => boolean, random: () => number): Pseudonyms {
  const noted = new Set<string>();
  const given = new Map<string, string>();
  const used = new Set<string>();
  /** By which digit a hash goes on after a beginning: what begins alike still does, as an abbreviated commit. */
  const shifts = new Map<string, number>();
  const pick = (from: string) => from[Math.floor(random() * from.length)]!;
  const digit = (isFirst: boolean) => pick(isFirst ? '123456789' : '0123456789');

  function once(kind: string, original: string, draw: (longer: number) => string): string {
    const key = `${kind} ${original}`;
    const known = given.get(key);
    if (known !== undefined) return known;
    for (let drawn = 0; ; drawn += 1) {
      const one = draw(Math.floor(drawn / draws));
      const isTaken = used.has(`${kind} ${one}`) || noted.has(one) || isPublic(one);
      if (one === original || isTaken) continue;
      given.set(key, one);
      used.add(`${kind} ${one}`);
      return one;
    }
  }

  const drawNumber = (length: number) => Array.from({ length }, (_, place) => digit(place === 0)).join('');
  function number(text: string): string {
    if (/^0+$/.test(text)) return text;
    return once('number', text, (longer) => drawNumber(text.length + longer));
  }

  function name(text: string): string {
    const lower = text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
    const drawn = once('word', lower, (longer) => {
      const made = [...lower].map((character, place) => {
        if (/[0-9]/.test(character)) return digit(place === 0);
        const isVowel = lower.length < 4 ? random() < 0.5 : place % 2 === 1;
        return /[\\%]/.test(character) ? 'x' : pick(isVowel ? vowels : consonants);
      });
      return made.join('') + Array.from({ length: longer }, () => pick(consonants)).join('');
    });
    const capitals = [...text];
    return [...drawn].map((one, place) => (/[A-Z]/.test(capitals[place] ?? '') ? one.toUpperCase() : one)).join('');
  }

  /** Hexadecimal, each digit by what stands before it. */
  function hash(text: string): string {
    if (/^0+$/.test(text)) return text;
    let [before, made] = ['', ''];
    for (const one of text.toLowerCase()) {
      if (!shifts.has(before)) shifts.set(before, 1 + Math.floor(random() * 15));
      // Neither digit stays as it is, and two never become one.
      made += ((Number.parseInt(one, 16) + shifts.get(before)!) % 16).toString(16);
      before += one;
    }
    return /[a-f]/.test(text) || !/[A-F]/.test(text) ? made : made.toUpperCase();
  }

  const isAddress = (text: string) => text.split('.').every((part) => Number(part) <= 255);
  /** Addresses of one network of 256 stay in one. */
  function address(text: string): string {
    const end = text.lastIndexOf('.');
    const net = once('net', text.slice(0, end), () => `10.${Math.floor(random() * 256)}.${Math.floor(random() * 256)}`);
    return once('address', text, () => `${net}.${Math.floor(random() * 256)}`);
  }
  /** Each part by itself, so that addresses of one network stay in one. */
  const parts = (text: string) =>
    text.replaceAll(/[0-9a-f]+/gi, (part) =>
      once('part', part.toLowerCase(), (longer) => drawHex(part.length + longer).slice(0, 4)),
    );
  const drawHex = (length: number) => Array.from({ length }, () => pick('0123456789abcdef')).join('');

  function replaced(form: Form | undefined, one: string, isId: boolean): string {
    if (form === undefined || form === 'time' || form === 'fixed') return one;
    if (form === 'uuid')
      return once('uuid', one.toLowerCase(), () => one.replaceAll(/[^-]+/g, (part) => drawHex(part.length)));
    if (form === 'base64')
      return once('base64', one, () => `${Array.from({ length: 43 }, () => pick(digitsOf64)).join('')}=`);
    if (form === 'ipv6') return parts(one);
    if (form === 'ipv4')
      return isAddress(one) ? address(one) : one.replaceAll(/\d+/g, (part) => (isId ? number(part) : part));
    if (isPublic(one.toLowerCase())) return one;
    if (/^\d+$/.test(one)) return one.length > 4 || isId ? number(one) : one;
    if (one.length === 1) return one;
    return /^[0-9a-f]{7,}$/i.test(one) && /\d/.test(one) ? hash(one) : name(one);
  }

  const each = (text: string, isId: boolean) =>
    Array.from(partsOf(text), ([form, part]) => replaced(form, part, isId)).join('');
  return {
    text: (text) => each(text, false),
    id: (text) => each(text, true),
    note(text) {
      for (const [form, one] of partsOf(text)) if (form !== undefined) noted.add(one.toLowerCase());
    },
  };
}
