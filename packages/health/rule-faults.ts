import type { Db } from '@tripline/db/database';
import { redactText } from '@tripline/runtime/redact';
import { sql } from 'kysely';

/** A rule that threw at a record or a timer; `rule` null: the record itself could not be read, or its MAC is wrong. */
export type RuleFault = { rule: string | null; reason: string };

/** One rule's errors: `times` since `since`, the last at `lastAt` for `reason`. */
export type RuleFaults = RuleFault & { times: number; since: Date; lastAt: Date };

/** In place of a rule, for records that could not be read. */
const noRule = '@record';
const reasonLimit = 500;

/** Records that rules threw, by Postgres's clock: one row per rule. */
export async function noteRuleFaults(db: Pick<Db, 'pool'>, faults: readonly RuleFault[]): Promise<void> {
  const byRule = new Map<string, { rule: string; reason: string; times: number }>();
  for (const { rule, reason } of faults) {
    const name = rule ?? noRule;
    byRule.set(name, { rule: name, reason, times: (byRule.get(name)?.times ?? 0) + 1 });
  }
  if (byRule.size === 0) return;
  const rows = [...byRule.values()]
    .sort((a, b) => (a.rule < b.rule ? -1 : 1))
    .map(({ reason, ...row }) => ({
      ...row,
      reason: redactText(reason).toWellFormed().replaceAll('\0', '').slice(0, reasonLimit).toWellFormed(),
    }));
  await db.pool.query(
    `INSERT INTO rule_faults AS f (rule, reason, times, since, last_at)
     SELECT rule, reason, times, clock_timestamp(), clock_timestamp()
     FROM json_to_recordset($1::json) AS r(rule text, reason text, times bigint)
     ON CONFLICT (rule) DO UPDATE SET reason = excluded.reason, last_at = excluded.last_at,
       times = excluded.times + CASE WHEN f.last_at < excluded.last_at - interval '1 hour' THEN 0 ELSE f.times END,
       since = CASE WHEN f.last_at < excluded.last_at - interval '1 hour' THEN excluded.since ELSE f.since END`,
    [JSON.stringify(rows)],
  );
}

/** The rules that threw within the last hour. */
export async function readRuleFaults(db: Db): Promise<RuleFaults[]> {
  const rows = await db.query
    .selectFrom('rule_faults')
    .selectAll()
    .where(({ eb }) => eb('last_at', '>', sql<Date>`clock_timestamp() - interval '1 hour'`))
    .orderBy('rule')
    .execute();
  return rows.map(({ rule, reason, times, since, last_at: lastAt }) => ({
    rule: rule === noRule ? null : rule,
    ...{ reason, times, since, lastAt },
  }));
}
