import type { Config } from '@tripline/config/config';
import { drillPrefix } from '@tripline/contracts/drill';
import { type FeedName, feedNames } from '@tripline/contracts/feeds';
import type { AnyRule } from '@tripline/contracts/rule';
import type { Db } from '@tripline/db/database';
import { learnedUntilMsOf, type WorkspaceFacts } from '@tripline/engine/workspace-facts';
import { readWorkspaceFacts } from '@tripline/health/workspaces';

const dayMs = 86_400_000;
const countedDays = 30;
/** Of each chain of the trail: its newest records say which feeds are received, and reading more would take time without saying more. */
const newestRecords = 20_000;

/** How a rule stands, by what Postgres holds. */
export type RuleState = {
  /** When a record of each feed was last received, RFC 3339; null where none of the newest is of it. */
  received: Record<FeedName, string | null>;
  /** Until when it learns, by workspace, RFC 3339; null where it has learned. Empty of a rule that does not learn. */
  learning: { workspace: string; until: string | null }[];
  /** Its findings of the last 30 days. */
  findings: Record<'recorded' | 'standing' | 'retracted' | 'lowered' | 'excepted' | 'silenced' | 'superseded', number>;
};

export async function readRuleState(
  db: Db,
  { learningDays }: Pick<Config, 'learningDays'>,
  { id, learns }: Pick<AnyRule, 'id' | 'learns'>,
): Promise<RuleState> {
  const workspaces = learns ? await readWorkspaceFacts(db) : [];
  return {
    received: await readReceived(db),
    learning: workspaces
      .filter(({ workspace }) => !workspace.startsWith(drillPrefix))
      .map(({ workspace, facts }) => {
        const untilMs = learnedUntilMsOf(facts as WorkspaceFacts, learningDays * dayMs);
        return { workspace, until: untilMs > Date.now() ? new Date(untilMs).toISOString() : null };
      }),
    findings: await countFindings(db, id),
  };
}

/** Ids of events begin with the name of their feed. */
async function readReceived(db: Db): Promise<RuleState['received']> {
  const { rows } = await db.pool.query<{ feed: string; at: Date }>(
    `SELECT split_part(t.event_id, ':', 1) AS feed, max(t.appended_at) AS at
     FROM trail_heads h JOIN trail t ON t.topic = h.topic AND t.partition = h.partition
      AND t."offset" > h.last_offset - $1
     WHERE t.event_id IS NOT NULL GROUP BY 1`,
    [newestRecords],
  );
  const at = new Map(rows.map((row) => [row.feed, row.at.toISOString()]));
  return Object.fromEntries(feedNames.map((name) => [name, at.get(name) ?? null])) as RuleState['received'];
}

async function countFindings(db: Db, rule: string): Promise<RuleState['findings']> {
  const { rows } = await db.pool.query<RuleState['findings']>(
    `SELECT count(*)::int AS recorded,
       count(*) FILTER (WHERE withdrawn_at IS NULL)::int AS standing,
       count(*) FILTER (WHERE withdrawn_at IS NOT NULL)::int AS retracted,
       count(*) FILTER (WHERE lowered_at IS NOT NULL)::int AS lowered,
       count(*) FILTER (WHERE excepted IS NOT NULL)::int AS excepted,
       count(*) FILTER (WHERE silenced_by IS NOT NULL)::int AS silenced,
       count(*) FILTER (WHERE superseded_by IS NOT NULL)::int AS superseded
     FROM findings WHERE rule = $1 AND recorded_at > now() - make_interval(days => $2)`,
    [rule, countedDays],
  );
  return rows[0]!;
}
