import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbedded } from '@tripline/embedded-postgres/embedded';
import { measured, type Peer } from './peer.ts';

/** What nothing that does the same work can beat: parts of our way, each done alone. All run on core 0. */

const here = import.meta.dirname;

/** Deliveries a second whose HMAC-SHA-256 is made and compared, over the corpus's own bodies. */
export function hmacLimit(options: { deliveries: number }): Peer {
  return {
    name: 'limit: HMAC-SHA-256 of the body alone',
    unit: 'deliveries/s',
    note: 'node:crypto createHmac and timingSafeEqual over bodies in memory',
    run: async () => (await measured([join(here, 'limit-hmac.ts'), String(options.deliveries)])).rate,
    close: async () => {},
  };
}

/** Records a second that kafkajs hands to an eachBatch that does nothing. */
export function kafkajsLimit(options: { brokers: string; topic: string; total: number }): Peer {
  const args = [join(here, 'limit-kafkajs.ts'), options.brokers, options.topic, String(options.total)];
  return {
    name: 'limit: kafkajs eachBatch that does nothing',
    unit: 'events/s',
    note: 'the same fetch sizes as ours; nothing is decoded',
    run: async () => (await measured(args)).rate,
    close: async () => {},
  };
}

/** Rows a second, of a finding's size, that Postgres takes in from one connection: by unnest, and by COPY. */
export async function postgresLimits(options: { rows: number; batchRows: number }): Promise<Peer[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-bench-'));
  const postgres = await startEmbedded({ dataDir: join(folder, 'postgres') });
  let open = 2;
  const close = async () => {
    open -= 1;
    if (open > 0) return;
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return (['unnest', 'copy'] as const).map((way) => ({
    name: `limit: Postgres ${way === 'copy' ? 'COPY' : 'unnest'} of finding-sized rows`,
    unit: 'rows/s',
    note: `${options.batchRows} rows a transaction, each committed to disk`,
    run: async () => {
      const args = [way, String(options.rows), String(options.batchRows)];
      return (await measured([join(here, 'limit-postgres.ts'), ...args], { DATABASE_URL: postgres.url })).rate;
    },
    close,
  }));
}
