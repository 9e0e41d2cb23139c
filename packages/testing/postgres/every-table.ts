import type { Db } from '@tripline/db/database';
import { canariesIn, unpacked } from '../canary.ts';

/**
 * What every table of a database holds, by its name: each row as text, in which Postgres writes bytes as hexadecimal digits, and after
 * them what those bytes say, unpacked. `db`: as the owner, who sees all. For tests only.
 */
export async function readEveryTable({ pool }: Pick<Db, 'pool'>): Promise<ReadonlyMap<string, string>> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  );
  const all = new Map<string, string>();
  for (const { name } of tables) {
    const { rows } = await pool.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    const text = rows.map(({ row }) => row).join('\n');
    const bytes = [...text.matchAll(/\\x[0-9a-f]+/g)].map(([hex]) => unpacked(hex));
    all.set(name, [text, ...bytes].join('\n'));
  }
  return all;
}

/**
 * Which canaries are in a table or in another of the `places`, and where: `value 1 in public.access_grants`. Places are texts by their
 * name, such as what was logged. For tests only.
 */
export async function findCanaries(
  db: Pick<Db, 'pool'>,
  canaries: Record<string, string>,
  places: Record<string, string>,
): Promise<string[]> {
  return [...(await readEveryTable(db)), ...Object.entries(places)].flatMap(([place, text]) =>
    canariesIn(text, canaries).map((name) => `${name} in ${place}`),
  );
}
