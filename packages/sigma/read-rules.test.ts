import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readRules } from './read-rules.ts';

const ruleOf = (detection: string, rest = '') =>
  `title: A rule\nlogsource:\n  product: github\n  service: audit\n${rest}detection:\n${detection
    .trim()
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')}\n`;

/** Whether the rule with this detection matches; throws the reason where it was refused. */
function matches(detection: string, record: object): boolean {
  const { rules, refused } = readRules(ruleOf(detection), 'rule.yml');
  if (refused.length > 0) throw new Error(refused[0]!.reason);
  return rules[0]!.matches(record as Record<string, unknown>);
}
const field = (line: string, record: object) => matches(`selection:\n  ${line}\ncondition: selection`, record);
const reasonOf = (text: string) => readRules(text, 'rule.yml').refused.map(({ reason }) => reason);

describe('a field', () => {
  test.each([
    ['action: org.add_member', { action: 'ORG.add_member' }, true],
    ['action: org.add_member', { action: 'org.add_members' }, false],
    ['action|cased: org.add_member', { action: 'Org.add_member' }, false],
    ['action: [a, b]', { action: 'b' }, true],
    ['action: org.*', { action: 'org.add' }, true],
    ['action: "*.add"', { action: 'org.team.add' }, true],
    ['action: o?g', { action: 'org' }, true],
    ['action: o?g', { action: 'og' }, false],
    ['action: "?"', { action: '😀' }, true],
    ['action: "a*??"', { action: 'a😀' }, false],
    ['action: "a*??"', { action: 'a😀b' }, true],
    [String.raw`action: 'a\*b'`, { action: 'a*b' }, true],
    [String.raw`action: 'a\*b'`, { action: 'axb' }, false],
    [String.raw`action: 'a\\*'`, { action: String.raw`a\bc` }, true],
    [String.raw`action: 'C:\Windows'`, { action: String.raw`c:\windows` }, true],
    ['action: a', { action: '*' }, false],
    ['action: abc', { action: 'a*' }, false],
    ['action: ab*ba', { action: 'aba' }, false],
    ['action|contains: add', { action: 'org.add_member' }, true],
    ['action|startswith: [x, org]', { action: 'org.add_member' }, true],
    ['action|endswith: member', { action: 'org.add_member' }, true],
    ['action|contains|all: [org, member]', { action: 'org.add_member' }, true],
    ['action|contains|all: [org, team]', { action: 'org.add_member' }, false],
    ['action|re: "^org\\\\.[a-z_]+$"', { action: 'org.add_member' }, true],
    ['action|re: ORG', { action: 'org' }, false],
    ['action|re|i: ORG', { action: 'org' }, true],
    ['actor_ip|cidr: 10.0.0.0/8', { actor_ip: '10.20.30.40' }, true],
    ['actor_ip|cidr: 10.0.0.0/8', { actor_ip: '11.20.30.40' }, false],
    ['actor_ip|cidr: [2001:db8::/32, 10.0.0.0/8]', { actor_ip: '2001:db8::1' }, true],
    ['actor_ip|cidr: 10.0.0.0/8', { actor_ip: 'x' }, false],
    ['actor|exists: true', { actor: '' }, true],
    ['actor|exists: true', { actor: null }, false],
    ['actor|exists: false', {}, true],
    ['actor|fieldref: user', { actor: 'Ann', user: 'ann' }, true],
    ['actor|fieldref: user', { actor: 'ann' }, false],
    ['actor|fieldref|startswith: user', { actor: 'ann-bot', user: 'ann' }, true],
    ['actor: null', {}, true],
    ['actor: null', { actor: null }, true],
    ['actor: null', { actor: '' }, false],
    ['actor: ""', { actor: '' }, true],
    ['actor: ""', {}, false],
    ['actor: ""', { actor: null }, false],
    ['actor: [null, ann]', { actor: 'ann' }, true],
    ['runs: 7', { runs: 7 }, true],
    ['runs: 7', { runs: '7' }, true],
    ['runs: 7', { runs: 70 }, false],
    ['runs: "7"', { runs: 7 }, true],
    ['public: true', { public: true }, true],
    ['public: true', { public: 'True' }, true],
    ['public: true', { public: false }, false],
    ['names: b', { names: ['a', 'b'] }, true],
    ['data.name: b', { data: { name: 'b' } }, true],
    ['data.name: b', { 'data.name': 'b', data: { name: 'a' } }, true],
    ['list.name: b', { list: [{ name: 'a' }, { name: 'b' }] }, true],
  ])('%s on %j: %s', (line, record, expected) => {
    expect(field(line, record)).toBe(expected);
  });

  test.each(['constructor', 'toString', 'hasOwnProperty'])('%s is not what every object inherits', (name) => {
    expect(field(`${name}|exists: true`, { action: 'x' })).toBe(false);
    expect(field(`${name}: null`, { action: 'x' })).toBe(true);
    expect(field(`a.${name}|exists: true`, { a: { b: 1 } })).toBe(false);
  });
});

describe('selections and conditions', () => {
  const some = (detection: string) => (record: object) => matches(detection, record);

  test('a map wants all of its fields, a list of maps one of them', () => {
    const both = some('s:\n  action: a\n  actor: b\ncondition: s');
    expect(both({ action: 'a', actor: 'b' })).toBe(true);
    expect(both({ action: 'a' })).toBe(false);
    const either = some('s:\n  - action: a\n  - actor: b\ncondition: s');
    expect(either({ actor: 'b' })).toBe(true);
  });

  test('keywords are looked for in values at any depth, and never in keys', () => {
    const keyword = some('words:\n  - shai-hulud\n  - evil*corp\ncondition: words');
    expect(keyword({ a: { b: ['the Shai-Hulud repository'] } })).toBe(true);
    expect(keyword({ a: 'an evil little corp of ours' })).toBe(true);
    expect(keyword({ 'shai-hulud': 1 })).toBe(false);
    const together = some("words:\n  '|all':\n    - one\n    - two\ncondition: words");
    expect(together({ a: 'one', b: 'two' })).toBe(true);
    expect(together({ a: 'one' })).toBe(false);
  });

  test('`not` binds closer than `and`, which binds closer than `or`', () => {
    const condition = some('a:\n  a: 1\nb:\n  b: 1\nc:\n  c: 1\ncondition: a or b and not c');
    expect(condition({ a: 1, c: 1 })).toBe(true);
    expect(condition({ b: 1, c: 1 })).toBe(false);
    expect(condition({ b: 1 })).toBe(true);
    expect(some('a:\n  a: 1\nb:\n  b: 1\ncondition: not (a or b)')({})).toBe(true);
  });

  test('`of` counts selections by name; what begins with `_` is in neither `them` nor a pattern', () => {
    const selections = 'sel_a:\n  a: 1\nsel_b:\n  b: 1\n_hidden:\n  c: 1\n';
    expect(some(`${selections}condition: 1 of sel_*`)({ b: 1 })).toBe(true);
    expect(some(`${selections}condition: all of sel_*`)({ b: 1 })).toBe(false);
    expect(some(`${selections}condition: all of them`)({ a: 1, b: 1 })).toBe(true);
    expect(some(`${selections}condition: 1 of them`)({ c: 1 })).toBe(false);
    expect(some(`${selections}condition: sel_a and _hidden`)({ a: 1, c: 1 })).toBe(true);
  });

  test('of several conditions one is enough', () => {
    const either = some('a:\n  a: 1\nb:\n  b: 1\ncondition:\n  - a\n  - b');
    expect(either({ b: 1 })).toBe(true);
    expect(either({})).toBe(false);
  });

  test('a selection named as what every object has is that selection', () => {
    expect(some('toString:\n  a: 1\ncondition: toString')({ a: 1 })).toBe(true);
    expect(() => some('a:\n  a: 1\ncondition: toString')({ a: 1 })).toThrow('`toString`, which is no selection');
  });
});

describe('what is refused, by name', () => {
  test.each([
    ['s:\n  a|windash: x\ncondition: s', 'the modifier `windash` of `a|windash`'],
    ['s:\n  a|base64offset|contains: x\ncondition: s', 'the modifier `base64offset`'],
    ['s:\n  a|contains|startswith: x\ncondition: s', 'of which one alone can hold'],
    ['s:\n  a|i: x\ncondition: s', 'a flag of `re` without `re`'],
    ['s:\n  a|contains|all: x\ncondition: s', 'all of a single value'],
    ['s:\n  a: []\ncondition: s', '`a` lists no value'],
    ['s: {}\ncondition: s', 'an empty map'],
    ['s:\n  a|re: "(?=x)"\ncondition: s', 'none of RE2’s syntax'],
    ['s:\n  a|re: "(a)\\\\1"\ncondition: s', 'none of RE2’s syntax'],
    ['s:\n  a|re: "((a{100}){100}){100}"\ncondition: s', 'none of RE2’s syntax'],
    ['s:\n  a|re: "(a?){1000}"\ncondition: s', 'repeats more than can be run'],
    [`s:\n  a|re: ${'x'.repeat(1001)}\ncondition: s`, 'longer than 1000 characters'],
    ['s:\n  a|cidr: 10.0.0.0/33\ncondition: s', 'takes networks such as'],
    ['s:\n  a|exists: maybe\ncondition: s', 'takes true or false'],
    ['s:\n  a: 1\ncondition: s | count() > 5', 'counts events'],
    ['s:\n  a: 1\ncondition: s and', 'ends too early'],
    ['s:\n  a: 1\ncondition: s s', 'has `s` where none can be, at character 3'],
    ['s:\n  a: 1\ncondition: (s', 'ends too early'],
    ['s:\n  a: 1\ncondition: t', 'names `t`, which is no selection'],
    ['s:\n  a: 1\ncondition: 1 of t*', 'no selection is `t*`'],
    ['s:\n  a: 1\ncondition: 2 of them', 'only `1 of` and `all of` are supported'],
    ['s:\n  a: 1\ntimeframe: 5m\ncondition: s', '`detection.timeframe`'],
    [`s:\n  a: 1\ncondition: ${'('.repeat(60)}s${')'.repeat(60)}`, 'nested deeper than 50'],
    ['s:\n  a: 1\n  __proto__: 1\ncondition: s', 'the name `__proto__`'],
    ['s:\n  a:\n    b: 1\ncondition: s', 'the selection `s` has to be'],
  ])('%s', (detection, reason) => {
    expect(reasonOf(ruleOf(detection)).join()).toContain(reason);
  });

  test('documents of other kinds, a rule without a title, and what is no YAML; their neighbours are read', () => {
    const good = ruleOf('s:\n  action: x\ncondition: s');
    const text = [
      'title: Many\ncorrelation:\n  type: event_count\n',
      good,
      'detection: {}\n',
      good.replace('A rule', 'Another'),
      'a: [\n',
    ].join('---\n');
    const { rules, refused } = readRules(text, 'many.yml');
    expect(rules.map(({ title }) => title)).toEqual(['A rule', 'Another']);
    expect(refused.map(({ title, reason }) => [title, reason.slice(0, 30)])).toEqual([
      ['Many', 'a document with `correlation` '],
      [undefined, expect.any(String)],
      [undefined, expect.stringContaining('no YAML')],
    ]);
  });

  test('a file that refers to itself over and over', () => {
    const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${['b', 'c', 'd', 'e', 'f', 'g', 'h']
      .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefg'[index]}`).join(', ')}]`)
      .join('\n')}\n`;
    expect(reasonOf(bomb)).toEqual([expect.stringContaining('no YAML that can be read')]);
  });
});

test('what a rule says of itself is kept', () => {
  const said = `id: 5a5a2b5e-0000-4000-8000-000000000001\nlevel: high\nstatus: test\ntags:\n  - attack.t1098.001\nfalsepositives:\n  - Admins\n`;
  const [rule] = readRules(ruleOf('s:\n  a: 1\ncondition: s', said), 'sub/rule.yml').rules;
  expect(rule).toMatchObject({
    id: '5a5a2b5e-0000-4000-8000-000000000001',
    file: 'sub/rule.yml',
    level: 'high',
    tags: ['attack.t1098.001'],
    falsePositives: ['Admins'],
    logsource: { product: 'github', service: 'audit' },
  });
});

test.each([
  ['s:\n  action: [Org.Add_member, org.remove_member]\ncondition: s', ['org.add_member', 'org.remove_member']],
  ['s:\n  action|cased: a\n  actor: b\ncondition: s', ['a']],
  ['s:\n  - action: a\n  - action: b\n    actor: c\ncondition: s', ['a', 'b']],
  ['a:\n  action: a\nb:\n  actor: b\ncondition: a and not b', ['a']],
  ['a:\n  action: [a, b, c]\nb:\n  action: d\ncondition: a and b', ['d']],
  ['a1:\n  action: a\na2:\n  action: b\ncondition: 1 of a*', ['a', 'b']],
  ['a:\n  action: a\nb:\n  actor: b\ncondition: a or b', undefined],
  ['a:\n  action: a\ncondition: not a', undefined],
  ['s:\n  action: org.*\ncondition: s', undefined],
  ['s:\n  action: [a, null]\ncondition: s', undefined],
  ['s:\n  action|startswith: a\ncondition: s', undefined],
  ['s:\n  - word\ncondition: s', undefined],
])('%s can match these actions alone: %j', (detection, actions) => {
  expect(readRules(ruleOf(detection), 'rule.yml').rules[0]!.actions).toEqual(actions);
});

test('a pattern takes time by its length and no more, whatever the text', () => {
  const many = `${'a*'.repeat(400)}b`;
  const { rules } = readRules(ruleOf(`s:\n  a: "${many}"\n  b|re: "(a+)+$"\ncondition: 1 of them`), 'rule.yml');
  expect(rules[0]!.matches({ a: 'a'.repeat(60_000), b: `${'a'.repeat(60_000)}!` })).toBe(false);
});

test.each(['(a+)+$', '(a|aa)+$', '^(([a-z])+.)+[A-Z]$', '(.*a){9}b', '(x+x+)+y'])(
  '%s, which takes for ever elsewhere, takes time by the text’s length and no more',
  (pattern) => {
    const { rules } = readRules(ruleOf(`s:\n  a|re: '${pattern}'\ncondition: s`), 'rule.yml');
    // Within the test’s time at all: an evaluator that backtracks does not end.
    expect(rules[0]!.matches({ a: `${'a'.repeat(20_000)}!` })).toBe(false);
    expect(rules[0]!.matches({ a: Array.from({ length: 100 }, () => `${'x'.repeat(256)}!`) })).toBe(false);
  },
);

test('a pattern matches what a regular expression made of it matches', () => {
  const alphabet = fc.constantFrom('a', 'b', '*', '?', '\\', '😀');
  const written = fc.array(alphabet, { maxLength: 8 }).map((parts) => parts.join(''));
  const text = fc
    .array(fc.constantFrom('a', 'b', '*', '?', '\\', '😀'), { maxLength: 8 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(written, text, (pattern, value) => {
      const expected = new RegExp(`^${asRegExp(pattern)}$`, 'su').test(value);
      expect(field(`a: ${JSON.stringify(pattern)}`, { a: value })).toBe(expected);
    }),
    { numRuns: 500 },
  );
});

function asRegExp(pattern: string): string {
  return pattern.replaceAll(/\\[*?\\]|[*?]|\\|./gsu, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    const literal = part.length === 2 && part[0] === '\\' ? part[1]! : part;
    return literal.replaceAll(/[\\*?]/g, '\\$&');
  });
}
