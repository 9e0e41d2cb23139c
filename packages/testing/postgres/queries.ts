import type { Db } from '@tripline/db/database';

export type Statement = string | { name?: string; text?: string; values?: unknown[] };
export type Send = (statement: Statement, ...more: unknown[]) => Promise<unknown>;

/**
 * The same database, each of whose statements goes through `through(send, of)`, once for the pool (each statement is a
 * transaction by itself) and once for each client that is taken from it.
 */
export function throughQueries(db: Db, through: (send: Send, of: 'pool' | 'client') => Send): Db {
  const ofPool = through(db.pool.query.bind(db.pool) as Send, 'pool');
  const pool = new Proxy(db.pool, {
    get(target, name) {
      if (name === 'query') return ofPool;
      if (name !== 'connect') return Reflect.get(target, name);
      return async () => {
        const client = await target.connect();
        const query = through(client.query.bind(client) as Send, 'client');
        return new Proxy(client, {
          get: (of, key) => {
            if (key === 'query') return query;
            const value = Reflect.get(of, key);
            return typeof value === 'function' ? value.bind(of) : value;
          },
        });
      };
    },
  });
  return { ...db, pool };
}
