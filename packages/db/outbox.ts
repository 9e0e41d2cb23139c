import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, parseEvent, type TriplineEvent } from '@tripline/contracts/event';
import { redactValue } from '@tripline/runtime/redact';
import type { ClientBase } from 'pg';
import type { Db } from './database.ts';

/**
 * The workspace in the log of events within Tripline that concern no single workspace (the kill switch, a silence for
 * all of them). No organisation can have this name.
 */
export const triplineWorkspace = '@tripline';

/**
 * The types of events that may be added to the outbox. The others of `internalEventTypes` may not: services that
 * receive requests from outside (services/notifier) can write to this table, and must not be able to have it signed
 * that a runner is usual or break-glass is open.
 */
export const outgoingTypes = [
  'dev.cdeventsx.tripline-act.performed',
  'dev.cdeventsx.tripline-response.finished',
  'dev.cdeventsx.tripline-delivery.looked-up',
  'dev.cdeventsx.tripline-feed.silent',
] as const satisfies readonly EventType[];
export type OutgoingType = (typeof outgoingTypes)[number];

/** An event to be appended to the log by way of the outbox. */
export type OutgoingEvent<T extends OutgoingType = OutgoingType> = T extends OutgoingType
  ? {
      /** The same for the same occurrence, so that an event that is published twice is a duplicate. */
      id: string;
      type: T;
      workspace: string;
      /** `//tripline/<workspace>` unless told otherwise. */
      source?: string;
      /** When it happened, RFC 3339; Postgres's clock when absent. */
      time?: string;
      data: TriplineEvent<T>['data'];
    }
  : never;

/** A placeholder for the time that Postgres will set, so that the rest can be validated. */
const someTime = '2000-01-01T00:00:00Z';

/**
 * Adds events to the outbox, in the caller's transaction: each gets into the log, once by its id and in this order,
 * exactly when that commits. Credentials in their texts are redacted.
 * @throws {z.ZodError} an event is not what its type needs; the message names each attribute.
 */
export async function addToOutbox(client: Pick<ClientBase, 'query'>, events: readonly OutgoingEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map((event, line) => {
    const { id, type, workspace, source = `//tripline/${workspace}`, time = null } = event;
    const data = redactValue(event.data) as Attributes;
    parseEvent({ id, source, type, time: time ?? someTime, workspace, trust: 'high', data });
    return { line, id, type, workspace, source, time, data };
  });
  await client.query({
    name: 'add-to-outbox',
    text: `WITH added AS (
        INSERT INTO outbox (event_id, event_type, workspace, source, at, data)
        SELECT e.id, e.type, e.workspace, e.source, coalesce(e.time, clock_timestamp()), e.data
        FROM json_to_recordset($1::json) AS e(line int, id text, type text, workspace text, source text,
          time timestamptz, data json)
        ORDER BY e.line
      )
      SELECT pg_notify('${outboxChannel}', '')`,
    values: [JSON.stringify(rows)],
  });
}

/** NOTIFY channel; signalled when a transaction that added events commits. */
export const outboxChannel = 'tripline_outbox';

/** An event of the outbox, and its row. */
export type Waiting = { row: number; event: TriplineEvent };

/**
 * The oldest events, in order, locked until the transaction ends: other publishers wait for that, so that events keep
 * their order.
 */
export async function takeFromOutbox(client: Pick<ClientBase, 'query'>, limit: number): Promise<Waiting[]> {
  const { rows } = await client.query<{
    id: number;
    event_id: string;
    event_type: EventType;
    workspace: string;
    source: string;
    at: Date;
    data: Attributes;
  }>(`SELECT * FROM outbox ORDER BY id LIMIT $1 FOR UPDATE`, [limit]);
  return rows.map(({ id, event_id, event_type, workspace, source, at, data }) => {
    const envelope = { id: event_id, source, type: event_type, time: at.toISOString(), workspace, trust: 'high' };
    return { row: id, event: { ...envelope, data } as TriplineEvent };
  });
}

/** Deletes events that were appended to the log, in the transaction that took them. */
export async function removeFromOutbox(client: Pick<ClientBase, 'query'>, taken: readonly Waiting[]): Promise<void> {
  await client.query('DELETE FROM outbox WHERE id = ANY ($1::bigint[])', [taken.map(({ row }) => row)]);
}

/** How many events wait, and since when. */
export async function readOutbox(db: Db): Promise<{ events: number; oldest: Date | null }> {
  const { rows } = await db.pool.query<{ events: number; oldest: Date | null }>(
    'SELECT count(*)::int AS events, min(at) AS oldest FROM outbox',
  );
  return rows[0]!;
}
