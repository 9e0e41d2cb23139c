import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';
import { findStandalone } from '@tripline/runtime/data-folder';
import { moment } from '../show.ts';
import { embeddedFolder } from '../store.ts';
import { ask } from './check.ts';

const gigabyte = 1024 ** 3;
const startIt = 'start it: `npx tripline up`';

/** The settings' file, the data folder, the spool in it, and whether something answers on the port. */
export async function checkLocal(config: Config, nowMs = Date.now()): Promise<Check[]> {
  return [
    {
      name: 'settings',
      state: 'ok',
      detail: [config.file ?? 'no tripline.yaml; environment and defaults', ...config.remarks].join('; '),
    },
    dataFolder(config),
    spool(config, nowMs),
    await listening(config),
  ];
}

function dataFolder({ dataDir }: Config): Check {
  const name = 'data folder';
  if (!existsSync(dataDir))
    return { name, state: 'off', detail: `${dataDir} does not exist yet; the first start creates it` };
  if ((statSync(dataDir).mode & 0o077) !== 0) {
    const remedy = `chmod 700 ${dataDir}`;
    return { name, state: 'broken', detail: `${dataDir} can be entered by others, and holds a secret`, remedy };
  }
  const { bavail, bsize } = statfsSync(dataDir);
  const free = bavail * bsize;
  if (free < gigabyte) {
    const detail = `${(free / gigabyte).toFixed(2)} GiB are free on ${dataDir}`;
    return { name, state: 'broken', detail, remedy: 'free some space: deliveries are kept here' };
  }
  return { name, state: 'ok', detail: `${dataDir}, ${(free / gigabyte).toFixed(0)} GiB free` };
}

/** A log that was away for a moment is caught up within seconds; the alert on the receiver's metric waits as long. */
const spooledTooLongMs = 5 * 60_000;

function spool({ dataDir, receiver }: Config, nowMs: number): Check {
  const name = 'spool';
  const folder = join(dataDir, 'spool');
  if (!existsSync(folder)) return { name, state: 'off', detail: 'nothing was ever spooled' };
  const files = readdirSync(folder).flatMap((file) => {
    // The receiver removes what is in the log by now.
    const found = statSync(join(folder, file), { throwIfNoEntry: false });
    return found === undefined || found.size === 0 ? [] : [found];
  });
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (bytes > receiver.spoolLimitBytes * 0.8) {
    const detail = `${bytes} of ${receiver.spoolLimitBytes} bytes are used`;
    return {
      name,
      state: 'broken',
      detail,
      remedy: 'bring the log back (see below): beyond the limit, deliveries are refused',
    };
  }
  // A file system that keeps no birth of files says 0.
  const sinceMs = Math.min(...files.map(({ birthtimeMs, mtimeMs }) => birthtimeMs || mtimeMs));
  if (nowMs - sinceMs > spooledTooLongMs) {
    const detail = `${bytes} bytes wait for the log since ${moment(new Date(sinceMs))} UTC`;
    const remedy =
      'bring the log back (see below); where it takes events, see the receiver’s log, and restart it: nothing in the spool is lost';
    return { name, state: 'broken', detail, remedy };
  }
  return { name, state: 'ok', detail: `${bytes} bytes wait for the log` };
}

function listening(config: Config): Promise<Check> {
  const name = 'Tripline';
  const { host, port } = config.operations;
  // The operations port says why it is not ready; the public one does not.
  const url =
    findStandalone(config.dataDir)?.listening?.operationsUrl ??
    `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return ask(name, 'start it with `npx tripline up`, or free the port', async () => {
    let response: Response;
    try {
      response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3000) });
    } catch {
      const detail = `nothing answers at ${url}`;
      // Its own database is nobody else's: then nothing is received or judged.
      if (config.database.url === undefined && existsSync(join(embeddedFolder(config.dataDir), 'cluster')))
        return { state: 'broken', detail: `${detail}: nothing is received, judged or told`, remedy: startIt };
      return { state: 'off', detail: `${detail}; \`npx tripline up\` starts it` };
    }
    const answer = (await response.json().catch(() => null)) as { status?: string; error?: { message: string } } | null;
    // What is broken is shown by the other checks, by the same criteria.
    if (answer?.status === 'ready' || answer?.status === 'broken') return { state: 'ok', detail: `ready at ${url}` };
    if (answer?.error) {
      const ownPostgres = `see ${join(config.dataDir, 'tripline.log')}; where its own Postgres has ended, stop it and start it again`;
      const remedy = config.database.url === undefined ? ownPostgres : 'see its log';
      return { state: 'broken', detail: `${url} is not ready: ${answer.error.message}`, remedy };
    }
    const remedy = 'set TRIPLINE_OPERATIONS_PORT to another port, or stop what uses this one';
    return { state: 'broken', detail: `something that is no Tripline answers at ${url}`, remedy };
  });
}
