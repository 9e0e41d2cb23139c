import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import type { Difference } from './check.ts';
import { prepareServer, type Server } from './database.ts';
import { mutants } from './mutants.ts';
import { simulate } from './simulate.ts';

/**
 * `npm run simulate -- --seeds 500 --from 1`: plays seeds one after the other and ends with 1 when one of them does not
 * end as the oracle says. `--minutes 10` plays as many as fit. `--mutants` plants bugs instead, each until it is found. `--verbose` shows every step; with `--seeds 1 --from S` that is how a failure is looked into.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    from: { type: 'string', default: '1' },
    verbose: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes ?? Number.POSITIVE_INFINITY);
const seeds = Number(values.seeds ?? (values.minutes === undefined ? 500 : 10_000));
const from = Number(values.from);
if (!(Number.isSafeInteger(seeds) && seeds > 0 && Number.isSafeInteger(from)))
  throw new Error('--seeds and --from take whole numbers, --seeds from 1');
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
  failed = await (values.mutants ? killMutants(server) : playAll(server)).finally(() => server.close());
} finally {
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exitCode = failed > 0 ? 1 : 0;

async function playAll(server: Server): Promise<number> {
  const totals = { events: 0, findings: 0, steps: 0, crashes: 0 };
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
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += result[name];
    if (result.differences.length > 0) {
      failures += 1;
      tellFailure(seed, result.differences);
    }
    isLast = played === seeds || isOver();
    if (played % 50 === 0 || isLast) {
      const perSecond = (played / (performance.now() - beganMs)) * 1000;
      console.log(`${played} seeds, ${perSecond.toFixed(1)}/s, ${failures} failed; ${JSON.stringify(totals)}`);
    }
  }
  return failures;
}

/** Plays each planted bug until some seed finds it; answers how many were not found. */
async function killMutants(server: Server): Promise<number> {
  let survivors = 0;
  for (const mutant of mutants) {
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

function tellFailure(seed: number, differences: readonly Difference[]): void {
  console.log(`Seed ${seed} does not end as the oracle says.`);
  for (const { what, expected, actual } of differences) {
    console.log(`  ${what}\n    lacking: ${JSON.stringify(expected)}\n    too many: ${JSON.stringify(actual)}`);
  }
  console.log(`Again, step by step: npm run simulate -- --seeds 1 --from ${seed} --verbose`);
}
