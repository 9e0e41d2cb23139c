import { createRequire } from 'node:module';
import type { IHeaders, KafkaMessage } from 'kafkajs';

/**
 * Reads what a broker's answer holds in place of kafkajs 2.2.4, which makes a decoder, two BigInts and nine copies of an
 * object for each record: more work than the detector's own, and for records that wait in a queue. Here a record is an
 * object that knows where it lies in the answer, and is read when somebody asks. To kafkajs and to whoever uses it, it
 * is the same message.
 *
 * The format: https://kafka.apache.org/documentation/#recordbatch
 */
const require = createRequire(import.meta.url);
const decodePath = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages');

/** kafkajs's decoder, as far as it is used here. */
export type FetchDecoder = { buffer: Buffer; offset: number };
type Decode = (decoder: FetchDecoder) => Promise<KafkaMessage[]>;
const kafkajsDecode = require(decodePath) as Decode;
// kafkajs asks for it by its path at the first fetch, from whatever version of the request the broker knows.
require.cache[decodePath]!.exports = decodeFetched;

/** What a batch of records says of all of them. */
type RecordBatch = {
  bytes: Buffer;
  firstOffset: number;
  firstTimestampMs: number;
  /** By the broker's clock, for all records at once; null when each bears its producer's. */
  appendTime: string | null;
  isControlBatch: boolean;
  inTransaction: boolean;
  producerId: string;
};

const head = {
  bytes: 61,
  magic: 16,
  attributes: 21,
  firstTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  records: 57,
} as const;
const flags = { compression: 0x07, appendTime: 0x08, transaction: 0x10, control: 0x20 } as const;

/** The messages of one partition in an answer; a batch that the answer cuts off is left out, as it comes again. */
export async function decodeFetched(decoder: FetchDecoder): Promise<KafkaMessage[]> {
  const { buffer, offset } = decoder;
  const size = buffer.readInt32BE(offset);
  const end = offset + 4 + size;
  if (size <= 0 || end > buffer.length) {
    decoder.offset += 4;
    return [];
  }
  const batches: Buffer[] = [];
  for (let at = offset + 4; at + head.bytes <= end; ) {
    const next = at + 12 + buffer.readInt32BE(at + 8);
    if (next > end || next < at + head.bytes) break;
    const batch = buffer.subarray(at, next);
    // Compressed, or in the format from before Kafka 0.11: not what our own producer writes.
    if (batch[head.magic] !== 2 || (batch.readInt16BE(head.attributes) & flags.compression) !== 0)
      return kafkajsDecode(decoder);
    batches.push(batch);
    at = next;
  }
  // A first record in the old format may be shorter than the new one's head; of a shorter rest kafkajs reads past the end.
  if (batches.length === 0 && size > head.magic && buffer[offset + 4 + head.magic] !== 2) return kafkajsDecode(decoder);
  decoder.offset = end;
  const messages: KafkaMessage[] = [];
  for (const batch of batches) readBatch(batch, messages);
  return messages;
}

function readBatch(bytes: Buffer, into: KafkaMessage[]): void {
  const attributes = bytes.readInt16BE(head.attributes);
  const batch: RecordBatch = {
    bytes,
    firstOffset: Number(bytes.readBigInt64BE(0)),
    firstTimestampMs: Number(bytes.readBigInt64BE(head.firstTimestamp)),
    appendTime: attributes & flags.appendTime ? String(bytes.readBigInt64BE(head.maxTimestamp)) : null,
    isControlBatch: (attributes & flags.control) !== 0,
    inTransaction: (attributes & flags.transaction) !== 0,
    producerId: String(bytes.readBigInt64BE(head.producerId)),
  };
  const reader: Reader = { bytes, at: head.bytes };
  for (let left = bytes.readInt32BE(head.records); left > 0; left -= 1) {
    const length = readVarint(reader);
    const from = reader.at;
    if (length <= 0 || from + length > bytes.length) throw new Error('a batch of records from Kafka is damaged');
    reader.at = from + 1;
    const timestampDeltaMs = readVarint(reader);
    const offsetDelta = readVarint(reader);
    into.push(new FetchedRecord(batch, offsetDelta, timestampDeltaMs, reader.at, length) satisfies KafkaMessage);
    reader.at = from + length;
  }
}

type Reader = { bytes: Buffer; at: number };

/** A varint or varlong in zigzag; exact up to 2^53. */
function readVarint(reader: Reader): number {
  const { bytes } = reader;
  let byte = bytes[reader.at++]!;
  // Nearly all are one byte or two.
  if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
  let value = byte & 0x7f;
  for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
    byte = bytes[reader.at++]!;
    value += (byte & 0x7f) * scale;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function readBytes(reader: Reader): Buffer | null {
  const length = readVarint(reader);
  if (length < 0) return null;
  reader.at += length;
  return reader.bytes.subarray(reader.at - length, reader.at);
}

/** A class for its getters, so that a record that waits costs one small object. */
class FetchedRecord {
  readonly batch: RecordBatch;
  readonly offsetDelta: number;
  readonly timestampDeltaMs: number;
  /** Where its key begins. */
  readonly at: number;
  readonly recordBytes: number;

  constructor(batch: RecordBatch, offsetDelta: number, timestampDeltaMs: number, at: number, recordBytes: number) {
    this.batch = batch;
    this.offsetDelta = offsetDelta;
    this.timestampDeltaMs = timestampDeltaMs;
    this.at = at;
    this.recordBytes = recordBytes;
  }

  get offset(): string {
    return String(this.batch.firstOffset + this.offsetDelta);
  }
  get timestamp(): string {
    return this.batch.appendTime ?? String(this.batch.firstTimestampMs + this.timestampDeltaMs);
  }
  get key(): Buffer | null {
    return readBytes({ bytes: this.batch.bytes, at: this.at });
  }
  get value(): Buffer | null {
    return this.#atValue().value;
  }
  get headers(): IHeaders {
    const { reader } = this.#atValue();
    const headers: IHeaders = {};
    for (let left = readVarint(reader); left > 0; left -= 1) {
      const name = readBytes(reader)!.toString();
      const value = readBytes(reader) ?? undefined;
      const before = headers[name];
      headers[name] = before === undefined ? value : ([before, value].flat() as Buffer[]);
    }
    return headers;
  }
  get attributes(): number {
    return 0;
  }
  get magicByte(): number {
    return 2;
  }
  get isControlRecord(): boolean {
    return this.batch.isControlBatch;
  }
  get batchContext(): RecordBatch {
    return this.batch;
  }

  #atValue(): { reader: Reader; value: Buffer | null } {
    const reader = { bytes: this.batch.bytes, at: this.at };
    const key = readVarint(reader);
    if (key > 0) reader.at += key;
    return { reader, value: readBytes(reader) };
  }
}

/** A message as text and numbers: what the log's contract speaks of. */
export type ReadMessage = {
  offset: number;
  timestampMs: number;
  key: string;
  headers: Record<string, string>;
  value: Buffer | null;
};

export function readMessage(message: KafkaMessage): ReadMessage {
  if (!(message instanceof FetchedRecord)) return readKafkajs(message);
  const { batch } = message;
  const reader: Reader = { bytes: batch.bytes, at: message.at };
  const key = readText(reader, true) ?? '';
  const value = readBytes(reader);
  const headers = readEventHeaders(reader) ?? readHeaders(reader);
  return {
    offset: batch.firstOffset + message.offsetDelta,
    timestampMs:
      batch.appendTime === null ? batch.firstTimestampMs + message.timestampDeltaMs : Number(batch.appendTime),
    key,
    headers,
    value,
  };
}

function readHeaders(reader: Reader): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let left = readVarint(reader); left > 0; left -= 1) {
    const name = readText(reader, true)!;
    const text = readText(reader, true) ?? 'null';
    const repeated = headers[name] !== undefined && Object.hasOwn(headers, name);
    headers[name] = repeated ? `${headers[name]},${text}` : text;
  }
  return headers;
}

/** An event's headers in the order in which our writers have them (packages/contracts/event-record.ts). */
const eventHeaders = [
  ...['content-type', 'ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_time', 'ce_workspace', 'ce_trust'],
  'ce_bodysha256',
].map((name) => ({
  /** As it lies in a record: its length as a varint, and itself. */
  bytes: Buffer.from(`${String.fromCharCode(name.length * 2)}${name}`),
  isCommon: !['ce_id', 'ce_time', 'ce_bodysha256'].includes(name),
}));
const texts: string[] = eventHeaders.map(() => '');

/**
 * The headers of a record that has an event's and no others: one object, written out at once, where adding nine headers
 * to an object costs several times as much. Undefined for any other record, of which then nothing is read.
 */
function readEventHeaders(reader: Reader): Record<string, string> | undefined {
  const { bytes, at } = reader;
  const count = readVarint(reader);
  let place = 0;
  for (; place < count; place += 1) {
    const name = eventHeaders[place];
    if (name === undefined || !isAt(name.bytes, bytes, reader.at, name.bytes.length)) break;
    reader.at += name.bytes.length;
    texts[place] = readText(reader, name.isCommon) ?? 'null';
  }
  if (place < count || count < eventHeaders.length - 1) {
    reader.at = at;
    return undefined;
  }
  const headers = {
    'content-type': texts[0]!,
    ce_specversion: texts[1]!,
    ce_id: texts[2]!,
    ce_source: texts[3]!,
    ce_type: texts[4]!,
    ce_time: texts[5]!,
    ce_workspace: texts[6]!,
    ce_trust: texts[7]!,
    ce_bodysha256: texts[8]!,
  };
  if (count === eventHeaders.length) return headers;
  // What Tripline appends itself has no body.
  const { ce_bodysha256: _, ...others } = headers;
  return others;
}

/** Bytes that a message holds while it waits. */
export function messageBytes(message: KafkaMessage): number {
  return message instanceof FetchedRecord ? message.recordBytes : (message.value?.length ?? 0);
}

function readKafkajs(message: KafkaMessage): ReadMessage {
  const headers: Record<string, string> = {};
  for (const name in message.headers) headers[name] = String(message.headers[name]);
  return {
    offset: Number(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key?.toString() ?? '',
    headers,
    value: message.value,
  };
}

/** Text that comes again and again is made once: names of headers, types, workspaces. */
const commonSlots = 4096;
const longestCommon = 64;
const common: { bytes: Buffer; text: string }[] = [];

function readText(reader: Reader, isCommon: boolean): string | null {
  const length = readVarint(reader);
  if (length < 0) return null;
  const { bytes, at } = reader;
  const end = at + length;
  if (end > bytes.length) throw new Error('a record from Kafka is damaged');
  reader.at = end;
  if (!isCommon || length > longestCommon) return bytes.toString('utf8', at, end);
  let hash = length;
  for (let place = at; place < end; place += 1) hash = (Math.imul(hash, 31) + bytes[place]!) | 0;
  const slot = (hash ^ (hash >>> 15)) & (commonSlots - 1);
  const known = common[slot];
  if (known !== undefined && isAt(known.bytes, bytes, at, length)) return known.text;
  const text = bytes.toString('utf8', at, end);
  common[slot] = { bytes: Buffer.from(bytes.subarray(at, end)), text };
  return text;
}

function isAt(known: Buffer, bytes: Buffer, at: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let place = 0; place < length; place += 1) if (known[place] !== bytes[at + place]) return false;
  return true;
}
