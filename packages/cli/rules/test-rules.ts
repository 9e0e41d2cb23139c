import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import {
  type Captured,
  capturedEnding,
  type Expected,
  readCaptured,
  writeCaptured,
} from '@tripline/contracts/captured';
import { loadRuleSet } from '@tripline/detector/load-rules';
import { configFor, expectedOf, inWords, judged } from '../capture/judged.ts';
import { type Io, UsageError, UserError } from '../command.ts';
import { withSuperseders } from '../replay/replay.ts';
import { styled, wrapped } from '../show.ts';

/**
 * Plays tests of rules: files of node:test in a process of their own, captured fixtures by the rules in force. `accept`: writes
 * what is found into the fixtures instead of holding it against them.
 * @returns 0 where all hold.
 */
export async function testRules(files: readonly string[], accept: boolean, io: Io): Promise<number> {
  if (files.length === 0)
    throw new UsageError('name the files to test: tests (node:test), or fixtures of `tripline capture`');
  const all = files.flatMap((file) => testsNamedBy(file, io.cwd));
  const fixtures = all.filter((file) => file.endsWith('.jsonl'));
  const tests = all.filter((file) => !file.endsWith('.jsonl'));
  if (accept && tests.length > 0) throw new UsageError('--accept is for fixtures of `tripline capture` alone');
  let [held, failed] = [0, 0];
  for (const file of fixtures) {
    if (await testFixture(file, accept, io)) held += 1;
    else failed += 1;
  }
  if (fixtures.length > 0) io.out(`${held} held, ${failed} failed\n`);
  const status = tests.length === 0 ? 0 : await runTests(tests, io);
  return failed > 0 ? 1 : status;
}

/**
 * The tests that a path means: itself; of a folder the tests and fixtures in it; of a rule's file the test beside it, since a file
 * without tests would pass.
 * @throws {UsageError} where there is none.
 */
function testsNamedBy(file: string, cwd: string): string[] {
  const path = resolve(cwd, file);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    const isTest = (name: string) => /\.test\.[cm]?[jt]s$/.test(name) || name.endsWith(capturedEnding);
    const found = readdirSync(path).filter(isTest).sort();
    if (found.length === 0) throw new UsageError(`${file} holds no tests: *.test.ts, or *${capturedEnding}`);
    return found.map((name) => join(file, name));
  }
  if (!existsSync(path)) throw new UserError(`${file} is not there`);
  if (file.endsWith('.jsonl') || testName.test(basename(file))) return [file];
  const beside = file.replace(/(\.[^./]+)$/, '.test$1');
  if (beside === file || !existsSync(resolve(cwd, beside)))
    throw new UsageError(`${file} is no test, and beside it there is no ${basename(beside)}`);
  return [beside];
}

/** As Node's own runner names tests; `attestation.ts` is none. */
const testName = /^test[-.]|[-._]test\.[cm]?[jt]s$/;

async function testFixture(file: string, accept: boolean, io: Io): Promise<boolean> {
  const path = resolve(io.cwd, file);
  const fixture = readFixture(path, file);
  const { found, faults } = await findingsIn(fixture, io);
  const missing = without(fixture.expected, found);
  const surplus = without(found, fixture.expected);
  const counted = `${fixture.events.length} events, ${found.length} ${found.length === 1 ? 'finding' : 'findings'}`;
  const line = (text: string) => io.out(`    ${wrapped(io, text, 4)}\n`);
  if (accept && faults.length === 0) {
    writeFileSync(path, writeCaptured({ ...fixture, expected: found }));
    io.out(`${styled(io, 'green', 'ok')}    ${file}: ${counted}, accepted\n`);
    return true;
  }
  const holds = missing.length + surplus.length + faults.length === 0;
  const word = holds ? styled(io, 'green', 'ok  ') : styled(io, 'red', 'fail');
  io.out(`${word}  ${file}: ${counted}${holds ? ' as expected' : ''}\n`);
  for (const fault of faults) line(fault);
  for (const one of missing) line(`not found: ${inWords(one)}`);
  for (const one of surplus) line(`not expected: ${inWords(one)}`);
  return holds;
}

/** @throws {UserError} naming what of it cannot be read. */
export function readFixture(path: string, named: string): Captured {
  try {
    return readCaptured(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UserError(`${named} is no fixture of \`tripline capture\`: ${(error as Error).message}`);
  }
}

async function findingsIn(fixture: Captured, io: Io): Promise<{ found: Expected[]; faults: string[] }> {
  const { rules: only = [] } = fixture.head;
  const { rules } = await loadRuleSet(configFor(loadConfig(io.env, io.cwd), fixture));
  const lacking = only.filter((id) => !rules.some(({ rule }) => rule.id === id));
  const [played] = await judged([withSuperseders(rules, only)], fixture);
  const isAsked = ({ rule }: Expected) => only.length === 0 || only.includes(rule);
  return {
    found: expectedOf(played!).filter(isAsked),
    faults: [
      ...lacking.map((id) => `there is no rule ${id} in force`),
      ...played!.faults.map(({ rule, reason }) => `${rule} threw: ${reason}`),
    ],
  };
}

/** What is in the first list more often than in the second. */
function without(list: readonly Expected[], other: readonly Expected[]): Expected[] {
  const left = other.map(inWords);
  return list.filter((one) => {
    const place = left.indexOf(inWords(one));
    if (place >= 0) left.splice(place, 1);
    return place < 0;
  });
}

/** Runs test files in a separate Node process that resolves our packages for them. */
async function runTests(files: readonly string[], io: Io): Promise<number> {
  const args = ['--import', import.meta.resolve('@tripline/rules/outside'), '--test'];
  const child = spawn(process.execPath, [...args, ...files.map((file) => resolve(io.cwd, file))], {
    cwd: io.cwd,
    env: io.env,
    stdio: 'inherit',
  });
  const [status] = await once(child, 'exit');
  return typeof status === 'number' ? status : 1;
}
