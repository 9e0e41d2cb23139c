import { createHash } from 'node:crypto';
import { createRandom, type Random } from '../simulation/random.ts';

/** Rules within the subset, and records that some of them match: the same for the same seed. */
export type Cases = { rules: { id: string; text: string }[]; records: Record<string, unknown>[]; sha256: string };

const actions = ['org.add_member', 'org.remove_member', 'repo.create', 'repo.access', 'Team.Add', ''];
const words = [
  'ann',
  'Bob',
  'ann-bot',
  'a*b',
  'a?b',
  String.raw`c:\dir`,
  'shai-hulud',
  'x',
  '😀',
  '10.1.2.3',
  '7',
  'true',
];
const patterns = [
  'org.*',
  '*add*',
  'repo.?reate',
  '*',
  '?nn',
  String.raw`a\*b`,
  String.raw`a\?b`,
  String.raw`c:\\dir`,
  'a*b',
  '*-BOT',
  'ANN',
];
const regexes = ['^org\\.', 'add|create', '[a-z]+_member$', '(a+)+b', '^.$', 'B[oO]b'];
const networks = ['10.0.0.0/8', '192.168.0.0/16', '2001:db8::/32'];
const fields = ['action', 'actor', 'user', 'count', 'flag', 'list', 'data.name', 'parts.name', 'flat.name', 'missing'];

const quoted = (value: unknown): string =>
  typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : JSON.stringify(value);

export function casesOf(seed: number, counts: { rules: number; records: number }): Cases {
  const random = createRandom(seed);
  const rules = Array.from({ length: counts.rules }, (_, nth) => {
    const id = `00000000-0000-4000-8000-${String(nth).padStart(12, '0')}`;
    return { id, text: ruleOf(random, id) };
  });
  const records = Array.from({ length: counts.records }, (_, nth) => ({ ...recordOf(random), nth }));
  const sha256 = createHash('sha256')
    .update(JSON.stringify([rules, records]))
    .digest('hex');
  return { rules, records, sha256 };
}

function recordOf(random: Random): Record<string, unknown> {
  const record: Record<string, unknown> = { action: random.pick(actions) };
  if (random.chance(0.8)) record['actor'] = random.pick([...words, '', null]);
  if (random.chance(0.5)) record['user'] = random.pick(words);
  if (random.chance(0.5)) record['count'] = random.pick([7, 70, 0, -1, '7', '70']);
  if (random.chance(0.5)) record['flag'] = random.pick([true, false]);
  if (random.chance(0.5)) record['list'] = Array.from({ length: random.int(0, 3) }, () => random.pick(words));
  if (random.chance(0.5)) record['data'] = { name: random.pick(words) };
  if (random.chance(0.3)) record['parts'] = [{ name: random.pick(words) }, { name: random.pick(words) }];
  if (random.chance(0.3)) record['flat.name'] = random.pick(words);
  return record;
}

function ruleOf(random: Random, id: string): string {
  const names = ['sel_a', 'sel_b', 'filter_c', '_hidden'].slice(0, 1 + random.int(0, 3));
  const selections = names.map((name) => `  ${name}:\n${selectionOf(random)}`);
  const condition = conditionOf(random, names, 2);
  return [
    `title: Rule ${Number(id.slice(-12))}`,
    `id: ${id}`,
    'logsource:\n  product: github\n  service: audit',
    `detection:\n${selections.join('')}  condition: ${condition}\n`,
  ].join('\n');
}

function selectionOf(random: Random): string {
  if (random.chance(0.1))
    return [random.pick(words.slice(0, 3)), 'shai-hulud'].map((word) => `    - ${quoted(word)}\n`).join('');
  if (random.chance(0.15)) return [fieldOf(random), fieldOf(random)].map((line) => `    - ${line}`).join('');
  const lines = Array.from({ length: 1 + random.int(0, 1) }, () => fieldOf(random));
  const once = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line]));
  return [...once.values()].map((line) => `    ${line}`).join('');
}

/** `field|modifier: value`, or a list of values, as one line. */
function fieldOf(random: Random): string {
  const field = random.pick(fields);
  const line = (modifiers: string, values: readonly unknown[]) =>
    `${field}${modifiers}: ${values.length === 1 ? quoted(values[0]) : `[${values.map(quoted).join(', ')}]`}\n`;
  const some = <One>(from: readonly One[]) => Array.from({ length: 1 + random.int(0, 1) }, () => random.pick(from));
  const kind = random.int(0, 10);
  if (kind === 0)
    return line(random.pick(['|contains', '|startswith', '|endswith']), some(['a', 'org', 'ADD', 'bot', '.']));
  if (kind === 1 && random.chance(0.5))
    return line(random.pick(['|contains|cased', '|startswith|cased']), some(['a', 'Bob', 'org']));
  if (kind === 1) return line('|contains|all', ['a', random.pick(['b', 'o', 'n'])]);
  if (kind === 2) return line('|re', some(regexes));
  if (kind === 3) return line('|re|i', some(regexes));
  if (kind === 4) return line('|cidr', some(networks));
  if (kind === 5) return line('|exists', [random.chance(0.5)]);
  // What a list or nothing is equal to, evaluators differ on: packages/sigma/read-rules.test.ts says what we mean.
  if (kind === 6) return `${random.pick(['action', 'user'])}|fieldref: ${random.pick(['user', 'data.name'])}\n`;
  if (kind === 7) return line('|cased', some(words));
  if (kind === 8) return line('', [random.pick([7, 0, true, false, null, ''])]);
  if (kind === 9) return line('', some(patterns));
  return line('', some([...actions, ...words]));
}

function conditionOf(random: Random, names: readonly string[], depth: number): string {
  const kind = random.int(0, depth === 0 ? 0 : 6);
  const inner = () => conditionOf(random, names, depth - 1);
  if (kind === 1) return `${inner()} and ${inner()}`;
  if (kind === 2) return `${inner()} or ${inner()}`;
  if (kind === 3) return `not ${random.pick(names)}`;
  if (kind === 4) return `(${inner()})`;
  if (kind === 5) return random.pick(['1 of sel_*', 'all of sel_*', '1 of them', 'all of them']);
  return random.pick(names);
}

const breakages: readonly [RegExp, string][] = [
  [/\|contains/, '|contains|startswith'],
  [/\|(?:startswith|endswith)/, '|windash'],
  [/\|contains/, '|base64offset|contains'],
  [/\|re:/, '|re|x:'],
  [/\|re: .*/, "|re: '(?=a)b'"],
  [/\|re: .*/, "|re: '(a'"],
  [/\|cidr: .*/, "|cidr: '10.0.0.0/40'"],
  [/\|exists: .*/, '|exists: maybe'],
  [/\|exists/, '|nosuch'],
  [/\|fieldref: .*/, '|fieldref: 7'],
  [/condition: /, 'condition: nosuch and '],
  [/condition: /, 'condition: ('],
  [/condition: .*/, 'condition: sel_a | count() > 5'],
  [/condition: .*/, 'condition: 2 of them'],
  [/condition: .*/, 'condition: 1 of nosuch*'],
  [/condition: .*/, 'condition: sel_a sel_a'],
  [/condition: .*/, 'condition: sel_a and not'],
  [/condition: .*/, "condition: ''"],
  [/ {2}condition: .*\n/, ''],
  [/: '[^']*'\n/, ': []\n'],
  [/title: .*/, "title: ''"],
  [/ {2}sel_a:\n(?: {4}.*\n)+/, '  sel_a: {}\n'],
  [/product: github/, 'product: [github]'],
];

/** The same rules, of which each may be broken in one place. */
export function brokenCasesOf(seed: number, count: number): Cases['rules'] {
  const random = createRandom(seed);
  return casesOf(seed, { rules: count, records: 0 }).rules.map(({ id, text }) => {
    const [pattern, replacement] = random.pick(breakages);
    return { id, text: text.replace(pattern, replacement) };
  });
}
