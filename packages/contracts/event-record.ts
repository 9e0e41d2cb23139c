import {
  type EventType,
  eventTypes,
  type LoggedEvent,
  type LogPosition,
  parseEvent,
  type TriplineEvent,
} from './event.ts';
import { parseTime } from './time.ts';

/**
 * An event as a record of the log: CloudEvents' Kafka binding in binary mode. The envelope is in `ce_*` headers, so
 * that a reader can skip a record that no rule reads without parsing its value.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
 */
export type EventRecord = {
  /** The workspace: one workspace, one partition, one order, one owner. */
  key: string;
  headers: Record<string, string>;
  /** UTF-8 JSON of the event's `data`. */
  value: Buffer;
};

export function toEventRecord(event: TriplineEvent): EventRecord {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    ce_specversion: '1.0',
    ce_id: event.id,
    ce_source: event.source,
    ce_type: event.type,
    ce_time: event.time,
    ce_workspace: event.workspace,
    ce_trust: event.trust,
  };
  if (event.bodySha256 !== undefined) headers['ce_bodysha256'] = event.bodySha256;
  return { key: event.workspace, headers, value: Buffer.from(JSON.stringify(event.data)) };
}

/** By name, as it comes from outside: what an event of that type must have. */
const kinds = new Map<string, { type: EventType; needs: readonly string[] }>(
  Object.entries(eventTypes).map(([type, needs]) => [type, { type: type as EventType, needs }]),
);

/** The record's event type from its headers alone, or undefined when it has none that Tripline knows. */
export function eventTypeOf(headers: Record<string, string>): EventType | undefined {
  return kinds.get(headers['ce_type']!)?.type;
}

/**
 * Reads a record back. The log is ours and its writers validated, so only the shape that a reader relies on is
 * checked here; `checkWhole` runs the full schema (the recorder and tests do).
 * @throws {Error} naming the header or the JSON fault; the caller sends the record to the dead-letter topic with it.
 */
export function fromEventRecord(
  record: { headers: Record<string, string>; value: Buffer | null },
  position: LogPosition,
  options?: { checkWhole?: boolean },
): LoggedEvent {
  const { headers, value } = record;
  const kind = kinds.get(headers['ce_type']!);
  if (kind === undefined)
    throw new Error(`header ce_type is ${JSON.stringify(headers['ce_type'])}, which no source writes`);
  const time = header(headers, 'ce_time');
  const envelope = {
    id: header(headers, 'ce_id'),
    source: header(headers, 'ce_source'),
    type: kind.type,
    time,
    workspace: header(headers, 'ce_workspace'),
    trust: header(headers, 'ce_trust') as TriplineEvent['trust'],
  };
  if (Number.isNaN(parseTime(time))) throw new Error('header ce_time is no time');
  if (value === null) throw new Error('the record has no value');
  const data: unknown = JSON.parse(value.toString('utf8'));
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw new Error('the value is no JSON object');
  for (const name of kind.needs) {
    if ((data as Record<string, unknown>)[name] === undefined) throw new Error(`${kind.type} needs ${name}`);
  }
  const bodySha256 = headers['ce_bodysha256'];
  if (options?.checkWhole)
    parseEvent(bodySha256 === undefined ? { ...envelope, data } : { ...envelope, bodySha256, data });
  const { id, source, type, workspace, trust } = envelope;
  // Written out: this is done for every event, and copying objects costs more than the rest of it.
  return (
    bodySha256 === undefined
      ? { id, source, type, time, workspace, trust, data, position }
      : { id, source, type, time, workspace, trust, bodySha256, data, position }
  ) as LoggedEvent;
}

function header(headers: Record<string, string>, name: string): string {
  const value = headers[name];
  if (!value) throw new Error(`header ${name} is missing`);
  return value;
}
