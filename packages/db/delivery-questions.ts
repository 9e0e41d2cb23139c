import type { DeliveryQuestion } from '@tripline/contracts/job';
import type { ClientBase } from 'pg';
import type { Db } from './database.ts';
import { addToOutbox, type OutgoingEvent } from './outbox.ts';
import { inTransaction } from './transaction.ts';

/** Whether the provider's own list of deliveries names one; `unavailable`: it could not be asked. */
export type Proof = 'listed' | 'not-listed' | 'unavailable';

/** A question as it is stored. Field docs: migrations/0025_unproven.sql. */
export type AskedQuestion = DeliveryQuestion & {
  /** Whether there is a list that may name the delivery; otherwise the question is answered immediately. */
  isAskable: boolean;
};

/** Stores questions for services/reconciler, in the detector's transaction that records the batch. */
export async function askAboutDeliveries(
  client: Pick<ClientBase, 'query'>,
  questions: readonly AskedQuestion[],
): Promise<void> {
  if (questions.length === 0) return;
  await client.query({
    name: 'ask-about-deliveries',
    text: `INSERT INTO delivery_questions (workspace, event_id, source, event, heard_at, sent_at, proof, answered_at)
      SELECT q.workspace, q."eventId", q.source, q.event, to_timestamp(q."heardMs" / 1000), to_timestamp(q."sentMs" / 1000),
        CASE WHEN NOT q."isAskable" THEN 'unavailable' END, CASE WHEN NOT q."isAskable" THEN clock_timestamp() END
      FROM json_to_recordset($1::json) AS q(workspace text, "eventId" text, source text, event text, "heardMs" float8,
        "sentMs" float8, "isAskable" boolean)
      ON CONFLICT DO NOTHING`,
    values: [JSON.stringify(questions)],
  });
  const unanswerable = questions.filter(({ isAskable }) => !isAskable);
  await addToOutbox(
    client,
    unanswerable.map((question) => answer(question, 'unavailable')),
  );
}

type Asked = { workspace: string; eventId: string };

function answer({ workspace, eventId }: Asked, proof: Proof): OutgoingEvent {
  return {
    id: `proof:${eventId}`,
    type: 'dev.cdeventsx.tripline-delivery.looked-up',
    workspace,
    data: { 'tripline.delivery.id': eventId, 'tripline.delivery.proof': proof },
  };
}

/** When the oldest delivery was sent that `hook` has still to be checked for, ms; null when there is none. */
export async function oldestQuestionMs(db: Db, of: OfHook): Promise<number | null> {
  const { rows } = await db.pool.query<{ oldest: Date | null }>(
    `SELECT min(coalesce(sent_at, heard_at)) AS oldest FROM delivery_questions WHERE ${isOpenFor}`,
    forHook(of),
  );
  return rows[0]!.oldest?.getTime() ?? null;
}

/** A webhook, and whose deliveries it may list: of one source, or of all of them. */
export type OfHook = { hook: string; source: string | null };
const isOpenFor = 'proof IS NULL AND NOT $1 = ANY (looked) AND ($2::text IS NULL OR lower(source) = lower($2))';
const forHook = ({ hook, source }: OfHook) => [hook, source];

/**
 * Answers the questions about deliveries that a page of a list names, of those that it may list: the list of one
 * organisation's webhook proves nothing about deliveries of another. Records which events of which workspaces the list
 * names: only for those does a missing entry prove anything.
 */
export function recordListed(db: Db, of: OfHook, listed: readonly { guid: string; event: string }[]): Promise<number> {
  return inTransaction(db, async (client) => {
    const named = JSON.stringify(listed.map(({ guid, event }) => ({ id: `github:${guid}`, event })));
    await client.query(
      `INSERT INTO hook_coverage (hook, workspace, event)
       SELECT DISTINCT $1, t.workspace, l.event
       FROM json_to_recordset($2::json) AS l(id text, event text)
         JOIN trail t ON t.event_id = l.id AND t.appended_at > clock_timestamp() - interval '4 days'
       WHERE t.workspace IS NOT NULL
       ON CONFLICT DO NOTHING`,
      [of.hook, named],
    );
    const { rows } = await client.query<Asked>(
      `UPDATE delivery_questions q SET proof = 'listed', answered_at = clock_timestamp()
       FROM json_to_recordset($1::json) AS l(id text, event text)
       WHERE q.event_id = l.id AND q.proof IS NULL AND coalesce(q.event, l.event) = l.event
         AND ($2::text IS NULL OR lower(q.source) = lower($2))
       RETURNING q.workspace, q.event_id AS "eventId"`,
      [named, of.source],
    );
    await addToOutbox(
      client,
      rows.map((asked) => answer(asked, 'listed')),
    );
    return rows.length;
  });
}

/**
 * The list of `hook` was read completely, from `untilMs` down to `sinceMs`, and named none of the deliveries of that
 * time with open questions. Questions that no other list can answer (`others`: webhooks that have yet to look) are
 * closed.
 */
export function recordNotListed(
  db: Db,
  of: OfHook,
  { sinceMs, untilMs, others }: { sinceMs: number; untilMs: number; others: readonly OfHook[] },
): Promise<{ notListed: number; unavailable: number }> {
  return inTransaction(db, async (client) => {
    await client.query(
      `UPDATE delivery_questions SET looked = looked || $1
       WHERE ${isOpenFor} AND coalesce(sent_at, heard_at) >= to_timestamp($3::float8 / 1000) AND heard_at <= to_timestamp($4::float8 / 1000)`,
      [...forHook(of), sinceMs, untilMs],
    );
    const { rows } = await client.query<Asked & { proof: Proof }>(
      `UPDATE delivery_questions q SET answered_at = clock_timestamp(), proof = CASE WHEN EXISTS (
           SELECT FROM hook_coverage c WHERE c.hook = ANY (q.looked) AND c.workspace = q.workspace
             AND c.event = coalesce(q.event, c.event)) THEN 'not-listed' ELSE 'unavailable' END
       WHERE q.proof IS NULL AND $1 = ANY (q.looked) AND NOT EXISTS (
         SELECT FROM json_to_recordset($2::json) AS o(hook text, source text)
         WHERE (o.source IS NULL OR lower(o.source) = lower(q.source)) AND NOT o.hook = ANY (q.looked))
       RETURNING q.workspace, q.event_id AS "eventId", q.proof`,
      [of.hook, JSON.stringify(others)],
    );
    await addToOutbox(
      client,
      rows.map((asked) => answer(asked, asked.proof)),
    );
    const notListed = rows.filter(({ proof }) => proof === 'not-listed').length;
    return { notListed, unavailable: rows.length - notListed };
  });
}

/** Deletes questions about deliveries older than `beforeMs`, which the engine has forgotten too. */
export async function forgetQuestions(db: Db, beforeMs: number): Promise<void> {
  await db.pool.query('DELETE FROM delivery_questions WHERE heard_at < to_timestamp($1::float8 / 1000)', [beforeMs]);
}
