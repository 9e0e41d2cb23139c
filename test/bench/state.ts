import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDatabase } from '@tripline/db/database';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { databaseUrl } from '../../packages/testing/postgres/postgres.global.ts';
import { format, median } from './measure.ts';
import { benchRows, type Written } from './state-rows.ts';

/** What the detector's keyed state costs with so many keys. CPU in µs an event, a value a round. */
export type StateCost = {
  keys: number;
  prepareSeconds: number;
  storedBytes: number;
  takeOverMs: number;
  ownUs: number[];
  postgresUs: number[];
  /** The longest batch of 2,000 events, with the merging after it. */
  longestMs: number;
  /** The most that the detector's process held, after any round. */
  rssBytes: number;
};
export type StateBench = { written: Written; costs: StateCost[] };

const roundEvents = 40_000;

/**
 * What is written an event, and what an event costs as keyed state grows: the same events over stores of different
 * sizes, interleaved A B A B, each in a process of its own; the first round warms up and does not count.
 */
export async function benchState(options: {
  keys: readonly number[];
  rounds: number;
  deliveries: number;
}): Promise<StateBench> {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  // Started by root, Postgres runs as nobody, who must get through to its data.
  chmodSync(folder, 0o711);
  const postgres = await startEmbedded({ dataDir: join(folder, 'postgres'), settings: { max_wal_size: '2GB' } });
  const admin = openDatabase(postgres.url, { applicationName: 'bench', maxConnections: 1 });
  const create = async (name: string) => {
    await admin.pool.query(`CREATE DATABASE ${name}`);
    return databaseUrl(postgres.url, name);
  };
  const contestants: Contestant[] = [];
  try {
    const written = await benchRows(await create('bench_rows'), options.deliveries);
    for (const keys of options.keys) contestants.push(await prepare(await create(`bench_${keys}`), keys));
    for (let round = 0; round <= options.rounds; round += 1) {
      for (const { child, cost } of contestants) {
        child.send({ events: roundEvents });
        const [said] = (await once(child, 'message')) as [
          Pick<StateCost, 'longestMs' | 'rssBytes'> & { ownUs: number; postgresUs: number },
        ];
        cost.rssBytes = Math.max(cost.rssBytes, said.rssBytes);
        if (round === 0) continue;
        cost.ownUs.push(said.ownUs);
        cost.postgresUs.push(said.postgresUs);
        cost.longestMs = Math.max(cost.longestMs, said.longestMs);
        process.stderr.write(
          `  round ${round}, ${format(cost.keys)} keys: ${format(said.ownUs)} µs an event, ${format(said.postgresUs)} in Postgres\n`,
        );
      }
    }
    return { written, costs: contestants.map(({ cost }) => cost) };
  } finally {
    for (const { child } of contestants) child.kill();
    await admin.close();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Contestant = { child: ReturnType<typeof fork>; cost: StateCost };

async function prepare(url: string, keys: number): Promise<Contestant> {
  const begun = performance.now();
  const preparing = fork(join(import.meta.dirname, 'state-prepare.ts'), [url, String(keys)]);
  const [code] = await once(preparing, 'exit');
  if (code !== 0) throw new Error(`a store of ${keys} keys could not be prepared`);
  const prepareSeconds = (performance.now() - begun) / 1000;
  const db = openDatabase(url, { applicationName: 'bench', maxConnections: 1 });
  const { rows } = await db.pool.query<{ bytes: number }>('SELECT pg_database_size(current_database()) AS bytes');
  await db.close();
  const child = fork(join(import.meta.dirname, 'state-ours.ts'), [url, String(keys)]);
  const [{ takeOverMs }] = (await once(child, 'message')) as [{ takeOverMs: number }];
  const storedBytes = rows[0]!.bytes;
  process.stderr.write(
    `  ${format(keys)} keys: prepared in ${format(prepareSeconds)} s, ${format(storedBytes / 1e6)} MB, taken over in ${format(takeOverMs)} ms\n`,
  );
  return {
    child,
    cost: { keys, prepareSeconds, storedBytes, takeOverMs, ownUs: [], postgresUs: [], longestMs: 0, rssBytes: 0 },
  };
}

if (import.meta.main) {
  const { values: flags } = parseArgs({
    options: {
      keys: { type: 'string', default: '100000,50000000' },
      rounds: { type: 'string', default: '5' },
      deliveries: { type: 'string', default: '60000' },
    },
  });
  const keys = flags.keys.split(',').map(Number);
  const result = await benchState({ keys, rounds: Number(flags.rounds), deliveries: Number(flags.deliveries) });
  const { written, costs } = result;
  console.log(
    `written over the corpus, an event: ${format(written.rows)} rows, ${format(written.walBytes)} bytes of WAL; ` +
      `${format(written.detectorUs)} µs of the detector, ${format(written.postgresUs)} µs of Postgres; ` +
      `rows by table ${JSON.stringify(written.rowsByTable)} of ${written.events} events`,
  );
  for (const cost of costs) {
    const each = (of: number[]) => `${format(median(of))} (${format(Math.min(...of))}–${format(Math.max(...of))})`;
    console.log(
      `${format(cost.keys)} keys: ${each(cost.ownUs)} µs an event, ${each(cost.postgresUs)} in Postgres; ` +
        `${format(cost.rssBytes / 2 ** 20)} MiB resident; longest batch ${format(cost.longestMs)} ms; ` +
        `taken over in ${format(cost.takeOverMs)} ms; ${format(cost.storedBytes / 1e6)} MB stored, prepared in ${format(cost.prepareSeconds)} s`,
    );
  }
  const [small, large] = [costs[0]!, costs.at(-1)!];
  const whole = (cost: StateCost, round: number) => cost.ownUs[round]! + cost.postgresUs[round]!;
  const ratios = large.ownUs.map((own, round) => own / small.ownUs[round]!);
  const ratiosWhole = large.ownUs.map((_, round) => whole(large, round) / whole(small, round));
  console.log(
    `${format(large.keys)} keys cost ${format(median(ratios))}× the detector's CPU of ${format(small.keys)}, ` +
      `${format(median(ratiosWhole))}× with Postgres's`,
  );
}
