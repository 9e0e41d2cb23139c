import { BlockList, isIP } from 'node:net';
import { RE2JS, RE2JSException } from 're2js';
import type { Test } from './matcher.ts';
import { folded, openedAt, parsePattern, patternTest } from './pattern.ts';
import { fieldValue, type SigmaRecord } from './record.ts';
import { Refused } from './refused.ts';

/** What a rule may write behind a field: one of these, or a list of them. */
export type Value = string | number | boolean | null;

const stringOperators = ['contains', 'startswith', 'endswith'] as const;
type StringOperator = (typeof stringOperators)[number];
const operators = [...stringOperators, 're', 'cidr', 'exists', 'fieldref'] as const;
const regexFlags = { i: RE2JS.CASE_INSENSITIVE, m: RE2JS.MULTILINE, s: RE2JS.DOTALL } as const;
const known: ReadonlySet<string> = new Set([...operators, ...Object.keys(regexFlags), 'all', 'cased']);
/** Of a pattern, and of the text that it is looked for in: both bound what one record may cost. */
const maxPatternCharacters = 1000;
/** What a pattern comes to once its repetitions are written out: a text of n characters takes at most so many times n steps. */
const maxPatternSteps = 1000;
const maxTextCharacters = 65_536;

/**
 * The test that `key: values` of a selection stands for: `key` is a field and its modifiers, as `action|startswith`.
 *
 * @throws {Refused} for a modifier outside of the subset, for modifiers that exclude each other, for a value that a modifier cannot take.
 */
export function fieldTest(key: string, values: readonly Value[]): Test {
  const [field = '', ...modifiers] = key.split('|');
  const test = valuesTest(field, modifiers, values);
  return (record) => test(fieldValue(record, field), record);
}

/**
 * The test of keywords, which name no field: each is looked for anywhere in the values of a record, and never in its keys.
 *
 * @throws {Refused} for a keyword that is no text.
 */
export function keywordTest(keyword: Value): (text: string) => boolean {
  if (typeof keyword !== 'string' || keyword === '')
    throw new Refused(`a keyword has to be a text, and ${JSON.stringify(keyword)} is none`);
  return textTest(keyword, { operator: 'contains', cased: false });
}

type ValueTest = (value: unknown, record: SigmaRecord) => boolean;

function valuesTest(field: string, modifiers: readonly string[], values: readonly Value[]): ValueTest {
  const what = [field, ...modifiers].join('|');
  for (const modifier of modifiers)
    if (!known.has(modifier)) throw new Refused(`the modifier \`${modifier}\` of \`${what}\` is not supported`);
  const used = new Set(modifiers);
  if (used.size !== modifiers.length) throw new Refused(`\`${what}\` names a modifier twice`);
  const named = operators.filter((operator) => used.has(operator));
  const [operator] = named;
  const refersWith = used.has('fieldref') && named.length === 2 && named[1] === 'fieldref';
  if (named.length > 1 && !refersWith)
    throw new Refused(
      `\`${what}\` has ${named.map((name) => `\`${name}\``).join(' and ')}, of which one alone can hold`,
    );
  const flags = Object.entries(regexFlags).filter(([flag]) => used.has(flag));
  if (flags.length > 0 && operator !== 're') throw new Refused(`\`${what}\` has a flag of \`re\` without \`re\``);
  const isText = operator === undefined || refersWith || stringOperators.some((name) => name === operator);
  if (used.has('cased') && !isText && operator !== 'fieldref')
    throw new Refused(`\`${what}\` has \`cased\` beside \`${operator}\`, which it says nothing of`);
  const cased = used.has('cased');
  if (values.length === 0) throw new Refused(`\`${what}\` lists no value`);
  if (used.has('all') && values.length < 2) throw new Refused(`\`${what}\` asks for all of a single value`);

  const one = (value: Value): ValueTest => {
    if (used.has('fieldref'))
      return referenceTest(what, value, { operator: refersWith ? (operator as StringOperator) : undefined, cased });
    if (operator === 'exists') return existsTest(what, value);
    if (operator === 're')
      return regexTest(
        what,
        value,
        flags.reduce((all, [, flag]) => all | flag, 0),
      );
    if (operator === 'cidr') return networkTest(what, value);
    if (value === null) {
      if (operator !== undefined) throw new Refused(`\`${what}\` compares with nothing (null)`);
      return (found) => found === undefined || found === null;
    }
    if (operator === undefined && typeof value === 'number') return anyElement((found) => numberOf(found) === value);
    if (operator === undefined && typeof value === 'boolean')
      return anyElement(
        (found) => found === value || (typeof found === 'string' && found.toLowerCase() === `${value}`),
      );
    const test = textTest(String(value), { operator: operator as StringOperator | undefined, cased });
    return anyElement((found) => {
      const text = textOf(found);
      return text !== undefined && test(text);
    });
  };
  const tests = values.map(one);
  if (tests.length === 1) return tests[0]!;
  return used.has('all')
    ? (found, record) => tests.every((test) => test(found, record))
    : (found, record) => tests.some((test) => test(found, record));
}

/** A list in a record passes where one of its elements does. */
function anyElement(test: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => (Array.isArray(value) ? value.some((element) => anyElement(test)(element)) : test(value));
}

function textTest(
  text: string,
  { operator, cased }: { operator: StringOperator | undefined; cased: boolean },
): (text: string) => boolean {
  const plain = parsePattern(text);
  const pattern = operator === undefined ? plain : openedAt(plain, operator);
  const test = patternTest(cased ? pattern : folded(pattern));
  return cased ? test : (found) => test(found.toLowerCase());
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value.length > maxTextCharacters ? value.slice(0, maxTextCharacters) : value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^[+-]?\d+(?:\.\d+)?$/.test(value) ? Number(value) : undefined;
}

function existsTest(what: string, value: Value): ValueTest {
  if (typeof value !== 'boolean')
    throw new Refused(`\`${what}\` takes true or false, and not ${JSON.stringify(value)}`);
  return (found) => (found !== undefined && found !== null) === value;
}

/** RE2’s syntax, which has no look-around and no back-reference, in time linear in the text. */
function regexTest(what: string, value: Value, flags: number): ValueTest {
  if (typeof value !== 'string') throw new Refused(`\`${what}\` takes a pattern, and not ${JSON.stringify(value)}`);
  if (value.length > maxPatternCharacters)
    throw new Refused(`the pattern of \`${what}\` is longer than ${maxPatternCharacters} characters`);
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(value, flags);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new Refused(`the pattern of \`${what}\` is none of RE2’s syntax: ${error.message}`);
  }
  if (pattern.programSize() > maxPatternSteps)
    throw new Refused(`the pattern of \`${what}\` repeats more than can be run in bounded time`);
  return anyElement((found) => {
    const text = textOf(found);
    return text !== undefined && pattern.matcher(text).find();
  });
}

function networkTest(what: string, value: Value): ValueTest {
  const [address = '', prefix, ...rest] = String(value).split('/');
  const family = isIP(address);
  const bits = family === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (family === 0 || rest.length > 0 || !(length <= bits))
    throw new Refused(`\`${what}\` takes networks such as 10.0.0.0/8, and not ${JSON.stringify(value)}`);
  const network = new BlockList();
  network.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
  return anyElement((found) => {
    if (typeof found !== 'string') return false;
    const foundFamily = isIP(found);
    return foundFamily !== 0 && network.check(found, foundFamily === 4 ? 'ipv4' : 'ipv6');
  });
}

function referenceTest(
  what: string,
  value: Value,
  { operator, cased }: { operator: StringOperator | undefined; cased: boolean },
): ValueTest {
  if (typeof value !== 'string' || value === '') throw new Refused(`\`${what}\` takes the name of a field`);
  const fold = (text: string) => (cased ? text : text.toLowerCase());
  const fits = (text: string, other: string) => {
    if (operator === 'contains') return text.includes(other);
    if (operator === 'startswith') return text.startsWith(other);
    return operator === 'endswith' ? text.endsWith(other) : text === other;
  };
  return (found, record) => {
    const other = textOf(fieldValue(record, value));
    if (other === undefined) return false;
    return anyElement((element) => {
      const text = textOf(element);
      return text !== undefined && fits(fold(text), fold(other));
    })(found);
  };
}
