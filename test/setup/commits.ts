import type { Db } from '@tripline/db/database';

type Query = (query: string | { name?: string; values?: unknown[] }, ...more: unknown[]) => Promise<unknown>;

/** `onCommit` hears up to which offset of which partition what was judged stands in Postgres, as soon as it does. */
export function watchCommits(db: Db, onCommit: (partition: number, next: number) => void): Db {
  /** `keep-batch` by itself is a transaction; on a client, it is committed with what follows. */
  function watched(send: Query, isTransaction: boolean): Query {
    let kept: [number, number] | undefined;
    return async (query, ...more) => {
      if (typeof query !== 'string' && query.name === 'keep-batch') {
        kept = [query.values![2] as number, query.values![4] as number];
      }
      const committing = kept !== undefined && (!isTransaction || query === 'COMMIT') ? kept : undefined;
      if (committing !== undefined) kept = undefined;
      const result = await send(query, ...more);
      if (committing !== undefined) onCommit(...committing);
      return result;
    };
  }
  const pool = new Proxy(db.pool, {
    get(target, name) {
      if (name === 'query') return watched(target.query.bind(target) as Query, false);
      if (name !== 'connect') return Reflect.get(target, name);
      return async () => {
        const client = await target.connect();
        const query = watched(client.query.bind(client) as Query, true);
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
