import type pg from 'pg';

const firstPauseMs = 100;
const longestPauseMs = 5000;

/**
 * The pool that graphile-worker gets: failed connection attempts are repeated, and a statement whose connection breaks
 * is sent again, until it is answered. Otherwise, after an outage, graphile-worker would not register its tasks again
 * and take no jobs, or would end the process because the end of a job could not be written. Statements outside of
 * transactions may be sent twice.
 */
export function patient(pool: pg.Pool): { pool: pg.Pool; settled: () => Promise<void> } {
  /** Clients that graphile-worker has or waits for: it does not itself wait until the end of a job is written. */
  let lent = 0;
  let returned = Promise.withResolvers<void>();

  /** Until the database was reached once, an error is thrown: a setting is probably wrong. */
  let wasReached = false;
  pool.once('connect', () => {
    wasReached = true;
  });

  async function insist<T>(attempt: () => Promise<T>, mayRepeat = () => wasReached): Promise<T> {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await attempt();
      } catch (error) {
        if (!mayRepeat() || pool.ending || !isOfConnection(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }
  function patientClient(client: pg.PoolClient): pg.PoolClient {
    // Session state is of no use in another session.
    let isOne = true;
    const query = async (...statement: [pg.QueryConfig]): Promise<unknown> => {
      if (/^\s*(begin|savepoint|(un)?listen)\b|advisory_lock/i.test(textOf(statement[0]))) isOne = false;
      let from: Pick<pg.Pool, 'query'> = client;
      return await insist(
        () => {
          const answer = from.query(...statement);
          from = pool;
          return answer;
        },
        () => isOne,
      );
    };
    const release = (error?: Error | boolean) => {
      client.release(error);
      giveBack();
    };
    const own = new Map<string | symbol, unknown>(Object.entries({ query, release }));
    return new Proxy(client, { get: (of, name) => own.get(name) ?? bound(of, name) });
  }
  function giveBack(): void {
    lent -= 1;
    returned.resolve();
    returned = Promise.withResolvers();
  }
  async function lend(): Promise<pg.PoolClient> {
    lent += 1;
    try {
      return patientClient(await insist(() => pool.connect()));
    } catch (error) {
      giveBack();
      throw error;
    }
  }
  const connect = (callback?: (error: Error | undefined, client?: pg.PoolClient, release?: () => void) => void) => {
    if (callback === undefined) return lend();
    lend().then((client) => callback(undefined, client, () => client.release()), callback);
    return undefined;
  };
  return {
    pool: new Proxy(pool, { get: (of, name) => (name === 'connect' ? connect : bound(of, name)) }),
    async settled() {
      while (lent > 0) await returned.promise;
    },
  };
}

function bound(of: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(of, name, of);
  return typeof value === 'function' ? value.bind(of) : value;
}

const textOf = (statement: unknown): string =>
  typeof statement === 'string' ? statement : String((statement as { text?: unknown }).text);

/** Errors of Postgres about a statement have a SQLSTATE; classes 08 and 57P mean that the connection ended. */
function isOfConnection(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  // A SQLSTATE has five characters, one of them a digit. Node's own codes, such as EPIPE, have no digit.
  const isSqlState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code);
  return !isSqlState || /^(08|57P)/.test(code);
}
