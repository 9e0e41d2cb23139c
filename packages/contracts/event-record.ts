import {
  type EventType,
  eventTypes,
  type LoggedEvent,
  type LogPosition,
  parseEvent,
  type TriplineEvent,
} from './event.ts';

/**
 * How an event lies in the log: CloudEvents' Kafka binding in binary mode. The envelope stands in `ce_*` headers, so
 * that a reader can pass over a record that no rule reads without parsing its value.
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

/** The record's event type from its headers alone, or undefined when it bears none that Tripline knows. */
export function eventTypeOf(headers: Record<string, string>): EventType | undefined {
  const type = headers['ce_type'];
  return type !== undefined && Object.hasOwn(eventTypes, type) ? (type as EventType) : undefined;
}

/**
 * Reads a record back. The log is ours and its writers validated, so only the shape that a reader relies on is
 * checked here; `checkWhole` runs the full schema (the recorder and tests do).
 * @throws {Error} naming the header or the JSON fault; the caller sends the record to the dead-letter topic with it.
 */
export function fromEventRecord(
  record: { headers: Record<string, string>; value: Buffer | null },
  position: LogPosition,
  options: { checkWhole?: boolean } = {},
): LoggedEvent {
  const { headers, value } = record;
  const type = eventTypeOf(headers);
  if (type === undefined)
    throw new Error(`header ce_type is ${JSON.stringify(headers['ce_type'])}, which no source writes`);
  for (const name of ['ce_id', 'ce_source', 'ce_time', 'ce_workspace', 'ce_trust']) {
    if (!headers[name]) throw new Error(`header ${name} is missing`);
  }
  if (Number.isNaN(Date.parse(headers['ce_time']!))) throw new Error('header ce_time is no time');
  if (value === null) throw new Error('the record has no value');
  const data: unknown = JSON.parse(value.toString('utf8'));
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw new Error('the value is no JSON object');
  for (const name of eventTypes[type]) {
    if ((data as Record<string, unknown>)[name] === undefined) throw new Error(`${type} needs ${name}`);
  }
  const event = {
    id: headers['ce_id']!,
    source: headers['ce_source']!,
    type,
    time: headers['ce_time']!,
    workspace: headers['ce_workspace']!,
    trust: headers['ce_trust'] as TriplineEvent['trust'],
    ...(headers['ce_bodysha256'] === undefined ? {} : { bodySha256: headers['ce_bodysha256'] }),
    data,
  } as TriplineEvent;
  if (options.checkWhole) parseEvent(event);
  return { ...event, position } as LoggedEvent;
}
