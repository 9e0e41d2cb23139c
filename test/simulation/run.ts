import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import type { Difference } from './check.ts';
import { prepareServer, type Server } from './database.ts';
import { type Play, plays } from './plays.ts';

/**
 * `npm run simulate -- --seeds 500 --from 1`: plays seeds one after the other and ends with 1 when one of them does not
 * end as the oracle says. `--minutes 10` plays as many as fit. `--mutants` plants bugs instead, each until it is found, `--mutant 'a token'`
 * those alone whose names begin so. `--repeat 3` plays each seed so often, and fails where it does not take the same steps each time.
 * `--play access` plays brokers alone, `--play log` what reads the log alone. `--verbose` shows every step; with `--seeds 1 --from S` that is
 * how a failure is looked into.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    from: { type: 'string', default: '1' },
    verbose: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    mutant: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    play: { type: 'string' },
  },
});
const minutes = Number(values.minutes ?? Number.POSITIVE_INFINITY);
const seeds = Number(values.seeds ?? (values.minutes === undefined ? 500 : 10_000));
const from = Number(values.from);
const repeat = Number(values.repeat);
if (!(Number.isSafeInteger(seeds) && seeds > 0 && Number.isSafeInteger(from)))
  throw new Error('--seeds and --from take whole numbers, --seeds from 1');
if (!(Number.isSafeInteger(repeat) && repeat > 0)) throw new Error('--repeat takes a whole number, from 1');
const chosen = plays.filter(({ name }) => values.play === undefined || name === values.play);
if (chosen.length === 0) throw new Error(`--play takes one of ${plays.map(({ name }) => name).join(', ')}`);
if (!(minutes > 0)) throw new Error('--minutes takes a number above 0');

const dir = mkdtempSync(join(tmpdir(), 'tripline-simulation-'));
// Started by root, Postgres runs as nobody, who must get through to its data.
chmodSync(dir, 0o711);
const postgres = await startEmbedded({
  dataDir: join(dir, 'postgres'),
  settings: { fsync: 'off', full_page_writes: 'off', max_connections: '500', shared_buffers: '64MB' },
});
let failed = 0;
try {
  const server = await prepareServer(postgres.url, 'simulation');
  for (const one of chosen) failed += await play(one, server);
  await server.close();
} finally {
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exitCode = failed > 0 ? 1 : 0;

function play(one: Play, server: Server): Promise<number> {
  if (values.mutants || values.mutant !== undefined) return killMutants(one, server);
  return repeat > 1 ? repeatAll(one, server) : playAll(one, server);
}

async function playAll({ name, simulate }: Play, server: Server): Promise<number> {
  const totals: Record<string, number> = {};
  const beganMs = performance.now();
  let failures = 0;
  const isOver = () => performance.now() - beganMs > minutes * 60_000;
  for (let played = 1, isLast = false; !isLast; played += 1) {
    const seed = from + played - 1;
    const result = await simulate(
      seed,
      server,
      values.verbose ? { trace: (line) => console.log(line), log: (line) => console.log(`  ${line.trim()}`) } : {},
    );
    for (const [what, count] of Object.entries(result.counts)) totals[what] = (totals[what] ?? 0) + count;
    if (result.differences.length > 0) {
      failures += 1;
      tellFailure(name, seed, result.differences);
    }
    isLast = played === seeds || isOver();
    if (played % 50 === 0 || isLast) {
      const perSecond = (played / (performance.now() - beganMs)) * 1000;
      console.log(`${name}: ${played} seeds, ${perSecond.toFixed(1)}/s, ${failures} failed; ${JSON.stringify(totals)}`);
    }
  }
  return failures;
}

/** Plays each seed several times; answers how many did not take the same steps each time. */
async function repeatAll({ simulate }: Play, server: Server): Promise<number> {
  let differed = 0;
  for (let seed = from; seed < from + seeds; seed += 1) {
    const first: string[] = [];
    await simulate(seed, server, { trace: (line) => first.push(line) });
    for (let nth = 2; nth <= repeat; nth += 1) {
      const again: string[] = [];
      await simulate(seed, server, { trace: (line) => again.push(line) });
      const where = firstDifference(first, again);
      if (where === null) continue;
      differed += 1;
      console.log(`Seed ${seed} takes other steps when it is played for time ${nth}:\n${where}`);
      break;
    }
    const played = seed - from + 1;
    if (played % 10 === 0 || played === seeds)
      console.log(`${played} seeds played ${repeat} times each, ${differed} differed`);
  }
  return differed;
}

/** Where two playings part, with what went before; null where they do not. */
function firstDifference(one: readonly string[], other: readonly string[]): string | null {
  const length = Math.max(one.length, other.length);
  const at = Array.from({ length }, (_, place) => place).find((place) => one[place] !== other[place]);
  if (at === undefined) return null;
  return [
    ...one.slice(Math.max(0, at - 12), at).map((line) => `    ${line}`),
    ...one.slice(at, at + 5).map((line) => `  1 ${line}`),
    ...other.slice(at, at + 5).map((line) => `  2 ${line}`),
  ].join('\n');
}

/** Plays each planted bug until some seed finds it; answers how many were not found. */
async function killMutants({ simulate, mutants }: Play, server: Server): Promise<number> {
  let survivors = 0;
  for (const mutant of mutants.filter(({ name }) => name.startsWith(values.mutant ?? ''))) {
    let seed = from;
    let planted = 0;
    let difference: Difference | undefined;
    for (; seed < from + seeds && difference === undefined; seed += 1) {
      const result = await simulate(seed, server, { mutant });
      if (result.isMutated) planted += 1;
      difference = result.differences[0];
    }
    const after = `${seed - from} seeds, planted in ${planted}`;
    if (difference === undefined) survivors += 1;
    console.log(
      difference
        ? `found after ${after}: ${mutant.name} (${difference.what})`
        : `NOT FOUND in ${after}: ${mutant.name}`,
    );
  }
  return survivors;
}

function tellFailure(play: string, seed: number, differences: readonly Difference[]): void {
  console.log(`Seed ${seed} of ${play} does not end as the oracle says.`);
  for (const { what, expected, actual } of differences) {
    console.log(`  ${what}\n    lacking: ${JSON.stringify(expected)}\n    too many: ${JSON.stringify(actual)}`);
  }
  console.log(`Again, step by step: npm run simulate -- --play ${play} --seeds 1 --from ${seed} --verbose`);
}
