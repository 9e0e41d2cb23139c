import { isAlive } from '@tripline/runtime/processes';
import pg from 'pg';

/** Who uses an embedded server, as advisory locks of sessions: the kernel ends the session of a process that was killed. */
export type Lease = {
  /** Pid of the process that launched the server. */
  starterPid: number;
  /** Ends this use. True when nobody else uses the server; then nobody can take a lease on it any more. */
  endIfLast: () => Promise<boolean>;
  close: () => Promise<void>;
};

/**
 * What came of asking for a lease. `away`: nothing listens. `busy`: the server starts up or shuts down, so ask again.
 * `orphaned`: its starter is dead and nobody uses it; whoever got this answer is alone in having it, until `close`.
 */
export type LeaseAnswer = Lease | 'away' | 'busy' | { orphaned: true; close: () => Promise<void> };

/** Any two numbers that no other advisory lock of ours has. */
const lockKey = '(1953655152, 1)';

/** @throws {Error} what the server or the socket says, where asking again would not help. */
export async function askForLease(socketDir: string, user: string): Promise<LeaseAnswer> {
  const client = new pg.Client({
    host: socketDir,
    port: 5432,
    user,
    database: 'postgres',
    application_name: 'tripline-lease',
    connectionTimeoutMillis: 2000,
  });
  client.on('error', () => {});
  const close = () => client.end().catch(() => {});
  try {
    await client.connect();
    const { rows } = await client.query("SELECT current_setting('tripline.starter', true) AS starter");
    const starterPid = Number(rows[0].starter);
    if (!isAlive(starterPid) && (await lock(client, 'pg_try_advisory_lock'))) return { orphaned: true, close };
    if (!(await lock(client, 'pg_try_advisory_lock_shared'))) {
      await close();
      return 'busy';
    }
    const endIfLast = async () => {
      await client.query(`SELECT pg_advisory_unlock_shared${lockKey}`);
      return lock(client, 'pg_try_advisory_lock');
    };
    return { starterPid, endIfLast, close };
  } catch (error) {
    await close();
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'away';
    // 57P01 to 57P03: it shuts down, crashed, or is not ready yet.
    if (/^57P0[123]$|^ECONNRESET$|^EPIPE$/.test(code ?? '') || /terminated|timeout/.test(message)) return 'busy';
    throw error;
  }
}

async function lock(client: pg.Client, verb: 'pg_try_advisory_lock' | 'pg_try_advisory_lock_shared') {
  const { rows } = await client.query(`SELECT ${verb}${lockKey} AS got`);
  return rows[0].got as boolean;
}
