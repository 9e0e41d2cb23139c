import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, parseEvent, type TriplineEvent } from '@tripline/contracts/event';
import { redactValue } from '@tripline/runtime/redact';
import type { ClientBase } from 'pg';
import type { Db } from './database.ts';

/**
 * What happened within Tripline and concerns no single workspace (the kill switch, a silence for all of them) stands in
 * the log under this one. No organisation can have the name.
 */
export const triplineWorkspace = '@tripline';

/**
 * What rooms leave for the log. The other types of `internalEventTypes` come another way: who may add to this table hears
 * strangers (services/notifier), and must not have it signed that a runner is usual or break-glass is open.
 */
export const outgoingTypes = [
  'dev.cdeventsx.tripline-act.performed',
  'dev.cdeventsx.tripline-response.finished',
  'dev.cdeventsx.tripline-delivery.looked-up',
] as const satisfies readonly EventType[];
export type OutgoingType = (typeof outgoingTypes)[number];

/** An event that a room leaves for the log. */
export type OutgoingEvent<T extends OutgoingType = OutgoingType> = T extends OutgoingType
  ? {
      /** The same for the same happening, so that whatever is published twice is a duplicate. */
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

/** Of an event whose time Postgres gives: any time, so that the rest can be checked. */
const someTime = '2000-01-01T00:00:00Z';

/**
 * Leaves events for the log, in the caller's transaction: each is in the log, once by its id and in this order, exactly
 * when that commits. Credentials in their texts are blotted out.
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

/** Rung by NOTIFY when a transaction that left events commits. */
export const outboxChannel = 'tripline_outbox';

/** An event of the outbox, and its row. */
export type Waiting = { row: number; event: TriplineEvent };

/**
 * The events that wait longest, in order, locked until the transaction ends: whoever else publishes waits for that, so
 * that events keep their order.
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

/** Deletes events that are in the log, in the transaction that took them. */
export async function removeFromOutbox(client: Pick<ClientBase, 'query'>, taken: readonly Waiting[]): Promise<void> {
  await client.query('DELETE FROM outbox WHERE id = ANY ($1::bigint[])', [taken.map(({ row }) => row)]);
}

/** How much waits, and since when. */
export async function readOutbox(db: Db): Promise<{ events: number; oldest: Date | null }> {
  const { rows } = await db.pool.query<{ events: number; oldest: Date | null }>(
    'SELECT count(*)::int AS events, min(at) AS oldest FROM outbox',
  );
  return rows[0]!;
}
