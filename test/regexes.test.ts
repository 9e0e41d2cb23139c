import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { checkSync } from 'recheck';
import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

/**
 * A regular expression that backtracks lets one line of a stranger's text hold a process up for hours. Every one in the
 * sources is found by the compiler's own parser and judged by recheck: by its automaton, which is a proof that matching
 * takes time linear in the text, from wherever it begins; where an expression looks ahead or behind, which automata
 * cannot, by its counting machine, which searches for a text on which the steps grow faster, and counts steps, no time.
 */
type Found = { where: string; source: string; flags: string };
const root = join(import.meta.dirname, '..');

/**
 * Those that no automaton decides, and why they are linear all the same. Each is also searched for an attack. What is new
 * here needs its reason; better is an expression that the automaton proves.
 */
const undecided = new Map([
  [
    '(?<![\\w-])eyJ[\\w-]{10,}\\.[\\w-]{4,}\\.[\\w-]{4,}',
    'the look-behind lets it begin only where a run of [\\w-] begins, and three runs and two dots are all that it reads',
  ],
]);

let found: Found[];
let dynamic: string[];

beforeAll(() => {
  const api = new API({ cwd: root });
  const snapshot = api.updateSnapshot({ openProjects: [join(root, 'tsconfig.json')] });
  const [project] = snapshot.getProjects();
  found = [];
  dynamic = [];
  for (const path of sources()) {
    const file = project!.program.getSourceFile(join(root, path));
    if (file === undefined) throw new Error(`${path} is not in tsconfig.json`);
    visit(file as unknown as Node, path);
  }
  api.close();
});

function visit(node: Node, path: string): void {
  const text = (node as unknown as { text?: string }).text ?? '';
  if (node.kind === SyntaxKind.RegularExpressionLiteral) {
    const end = text.lastIndexOf('/');
    found.push({ where: path, source: text.slice(1, end), flags: text.slice(end + 1) });
  }
  const made = node as unknown as { expression?: { text?: string } };
  const isMade = node.kind === SyntaxKind.NewExpression || node.kind === SyntaxKind.CallExpression;
  if (isMade && made.expression?.text === 'RegExp') dynamic.push(path);
  node.forEachChild((child) => {
    visit(child, path);
  });
}

/** All that a user runs; what only tests run reads no stranger's text. */
function sources(): string[] {
  return ['packages', 'services'].flatMap((top) =>
    readdirSync(join(root, top), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .filter((path) => !/\.test\.ts$|^packages\/testing\/(?!timeline\/)/.test(path)),
  );
}

/**
 * What recheck says of one: `linear` is proved, `undecided` was searched in vain, the rest names the attack. Repeats are
 * written out for the automaton, up to the longest that a source may have.
 */
function judge({ source, flags }: Pick<Found, 'source' | 'flags'>): string {
  const written = { maxRepeatCount: 2000, maxPatternSize: 100_000, maxNFASize: 500_000 };
  const proof = checkSync(source, flags, { checker: 'automaton', ...written, timeout: 60_000 });
  const said = proof.status === 'unknown' ? checkSync(source, flags, { timeout: 60_000, randomSeed: 7 }) : proof;
  if (said.status === 'vulnerable') return `${said.complexity.summary}, such as ${said.attack.pattern.slice(0, 200)}`;
  if (said.status === 'unknown') return `not decided: ${JSON.stringify(said.error)}`;
  return said.checker === 'automaton' ? 'linear' : 'undecided';
}

test('every regular expression of the sources takes time linear in the text', () => {
  expect(found.length).toBeGreaterThan(50);
  const faults: string[] = [];
  const searched = new Set<string>();
  for (const { where, source, flags } of new Map(found.map((one) => [`/${one.source}/${one.flags}`, one])).values()) {
    const verdict = judge({ source, flags });
    if (verdict === 'linear') continue;
    searched.add(source);
    if (verdict !== 'undecided' || !undecided.has(source)) faults.push(`${where}: /${source}/${flags}: ${verdict}`);
  }
  expect(faults).toEqual([]);
  // A reason for what is no longer there is none.
  expect([...undecided.keys()].filter((source) => !searched.has(source))).toEqual([]);
}, 300_000);

test('one is put together of others, each of which may match alone: its steps are the sum of theirs', () => {
  expect(dynamic).toEqual(['packages/runtime/redact.ts']);
  const text = readFileSync(join(root, dynamic[0]!), 'utf8');
  expect(text).toContain("new RegExp(shapes.map(({ pattern }) => pattern.source).join('|'))");
});

test('so are those by which zod reads the times and addresses of strangers', () => {
  const times = z.iso.datetime({ offset: true })._zod.def.pattern!;
  expect(judge(times)).toBe('linear');
});

describe('this suite can fail', () => {
  test.each([
    ['^(a+)+$', 'exponential'],
    ['\\s+$', 'polynomial'],
    ['(a|a)*b', 'exponential'],
    ['(?<=x)(a*)*b', 'exponential'],
    ['^.*a.*a.*$', 'polynomial'],
  ])('/%s/ is %s', (source, says) => {
    expect(judge({ source, flags: '' })).toContain(says);
  });
});
