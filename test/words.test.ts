import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const inBackticks = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);

/** The sheet of CONTRIBUTING.md: each retired word with the paths in which it may stay. */
const retired = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')
  .split('## Words')[1]!
  .split('\n## ')[0]!
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .flatMap((line) => {
    const [, words, , stays] = line.split('|');
    return inBackticks(words!).map((word) => ({ word, stays: inBackticks(stays!) }));
  });

/** What is not ours to name, what is generated from it, and pages that tell what was. */
const exempt =
  /^(?:migrations\/|CONTRIBUTING\.md|CHANGELOG\.md|test\/words\.test\.ts|test\/bench\/peers\/)|\/fixtures\//;

const sources = execFileSync('git', ['ls-files', '-z', '--', '*.ts', '*.mjs', '*.md', '*.yml', '*.sql'], { cwd: root })
  .toString()
  .split('\0')
  .filter((path) => path !== '' && !exempt.test(path))
  .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n') }));

/** Word-bounded; case counts where the word has a capital. A space in it stands for any run of spaces. */
function patternOf(word: string): RegExp {
  const escaped = word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(' ', '\\s+');
  return new RegExp(`(?<![\\w-])${escaped}(?![\\w-])`, word === word.toLowerCase() ? 'i' : '');
}

test('CONTRIBUTING.md lists retired words, each once', () => {
  const words = retired.map(({ word }) => word);
  expect(words.length).toBeGreaterThan(10);
  expect(new Set(words).size).toBe(words.length);
});

test.each(retired)('nothing says $word any more', ({ word, stays }) => {
  const pattern = patternOf(word);
  const found = sources
    .filter(({ path }) => !stays.some((allowed) => path.startsWith(allowed)))
    .flatMap(({ path, lines }) =>
      lines.flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    );
  expect(found).toEqual([]);
});

test('no file holds the marks of a merge that somebody left unresolved', () => {
  const marks = /^\s*(?:\* )?(?:<{7}|>{7})(?: |$)/;
  expect(sources.filter(({ lines }) => lines.some((line) => marks.test(line))).map(({ path }) => path)).toEqual([]);
});
