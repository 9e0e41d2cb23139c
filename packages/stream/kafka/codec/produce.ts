import { createRequire } from 'node:module';
import type { Message } from 'kafkajs';
import { recordBytesAtMost } from '../../record.ts';
import type { NewRecord } from '../../stream.ts';
import { crc32c } from './crc32c.ts';

/**
 * Writes what a broker is asked to keep in place of kafkajs 2.2.4, which makes a buffer for every integer, header and
 * record and copies a partition's messages once for each of them: ten times the work of all the rest that is done to a
 * record. Here a partition's records travel through kafkajs as one message (`toPartitionBatch`), and a request is written once,
 * into one buffer. On the wire it is the same, byte for byte.
 *
 * The format: https://kafka.apache.org/documentation/#recordbatch
 */
const require = createRequire(import.meta.url);
const requestPath = require.resolve('kafkajs/src/protocol/requests/produce/v3/request');
const apiKeys = require('kafkajs/src/protocol/requests/apiKeys') as { Produce: number };
const Encoder = require('kafkajs/src/protocol/encoder') as new (bytes: number) => { buf: Buffer; offset: number };

/** All records of one partition in a request, as the one message that kafkajs sees. */
export type PartitionBatch = Message & { partition: number; records: NewRecord[] };

export function toPartitionBatch(partition: number): PartitionBatch {
  return { partition, value: null, records: [] };
}

type ProduceRequest = {
  acks: number;
  timeout: number;
  compression?: number;
  transactionalId?: string | null;
  topicData: { topic: string; partitions: { partition: number; messages: Message[] }[] }[];
};
type Encode = (request: ProduceRequest) => {
  apiKey: number;
  apiVersion: number;
  apiName: string;
  expectResponse: () => boolean;
  encode: () => Promise<{ buf: Buffer; offset: number }>;
};
const kafkajsRequest = require(requestPath) as Encode;
// kafkajs asks for it by its path at the first request, and every later version of the request is made of it.
require.cache[requestPath]!.exports = produceRequest;

export function produceRequest(request: ProduceRequest): ReturnType<Encode> {
  const shares = request.topicData.flatMap(({ partitions }) => partitions.flatMap(({ messages }) => messages));
  if (!shares.every(isShare)) return kafkajsRequest(request);
  return {
    apiKey: apiKeys.Produce,
    apiVersion: 3,
    apiName: 'Produce',
    expectResponse: () => request.acks !== 0,
    async encode() {
      const encoder = new Encoder(0);
      encoder.buf = encodeRequest(request, Date.now());
      encoder.offset = encoder.buf.length;
      return encoder;
    },
  };
}

function isShare(message: Message): message is PartitionBatch {
  return 'records' in message;
}

/** Bytes of a batch before its records, and where they stand. */
const head = { bytes: 61, length: 8, magic: 16, checksum: 17, attributes: 21, lastOffset: 23, times: 27, producer: 43 };

function encodeRequest({ acks, timeout, topicData }: ProduceRequest, nowMs: number): Buffer {
  const topics = topicData.map(({ topic, partitions }) => ({
    topic,
    shares: partitions.map(({ partition, messages }) => ({
      partition,
      records: (messages as PartitionBatch[]).flatMap(({ records }) => records),
    })),
  }));
  const writer: Writer = { bytes: Buffer.allocUnsafe(atMostBytes(topics)), at: 0 };
  writeInt16(writer, -1); // no transaction
  writeInt16(writer, acks);
  writeInt32(writer, timeout);
  writeInt32(writer, topics.length);
  for (const { topic, shares } of topics) {
    const name = Buffer.from(topic);
    writeInt16(writer, name.length);
    writeBytes(writer, name);
    writeInt32(writer, shares.length);
    for (const { partition, records } of shares) {
      writeInt32(writer, partition);
      const from = writer.at + 4;
      writer.at = from;
      writeBatch(writer, records, nowMs);
      writer.bytes.writeInt32BE(writer.at - from, from - 4);
    }
  }
  return writer.bytes.subarray(0, writer.at);
}

/** What the request can come to. */
function atMostBytes(
  topics: readonly { topic: string; shares: readonly { records: readonly NewRecord[] }[] }[],
): number {
  let bytes = 12;
  for (const { topic, shares } of topics) {
    bytes += 6 + 3 * topic.length;
    for (const { records } of shares) {
      bytes += 8 + head.bytes;
      for (const record of records) bytes += recordBytesAtMost(record);
    }
  }
  return bytes;
}

function writeBatch(writer: Writer, records: readonly NewRecord[], nowMs: number): void {
  const { bytes, at: from } = writer;
  bytes.fill(0, from, from + head.bytes);
  bytes[from + head.magic] = 2;
  bytes.writeInt32BE(records.length - 1, from + head.lastOffset);
  const now = BigInt(nowMs);
  bytes.writeBigInt64BE(now, from + head.times);
  bytes.writeBigInt64BE(now, from + head.times + 8);
  bytes.writeBigInt64BE(-1n, from + head.producer);
  bytes.writeInt32BE(records.length, from + head.bytes - 4);
  writer.at = from + head.bytes;
  for (const [nth, record] of records.entries()) writeRecord(writer, record, nth);
  bytes.writeInt32BE(writer.at - from - head.length - 4, from + head.length);
  bytes.writeUInt32BE(crc32c(bytes, from + head.attributes, writer.at), from + head.checksum);
}

function writeRecord(writer: Writer, { key, value, headers }: NewRecord, nth: number): void {
  writeWithLength(writer, 1024, () => {
    writer.bytes[writer.at] = 0; // attributes
    writer.bytes[writer.at + 1] = 0; // time after the batch's first
    writer.at += 2;
    writeVarint(writer, nth);
    writeText(writer, key);
    writeVarint(writer, value.length);
    writeBytes(writer, value);
    const names = Object.keys(headers);
    writeVarint(writer, names.length);
    for (const name of names) {
      writeText(writer, name);
      writeText(writer, headers[name]!);
    }
  });
}

type Writer = { bytes: Buffer; at: number };

function writeInt16(writer: Writer, value: number): void {
  writer.at = writer.bytes.writeInt16BE(value, writer.at);
}

function writeInt32(writer: Writer, value: number): void {
  writer.at = writer.bytes.writeInt32BE(value, writer.at);
}

function writeBytes(writer: Writer, value: Uint8Array): void {
  writer.bytes.set(value, writer.at);
  writer.at += value.length;
}

function writeText(writer: Writer, text: string): void {
  writeWithLength(writer, text.length, () => {
    writer.at += writer.bytes.write(text, writer.at);
  });
}

/**
 * Writes a length in front of what `write` writes. The size of the length field is guessed, and corrected where that
 * was wrong.
 */
function writeWithLength(writer: Writer, guess: number, write: () => void): void {
  const from = writer.at;
  const guessed = varintBytes(guess);
  writer.at = from + guessed;
  write();
  const length = writer.at - from - guessed;
  const needed = varintBytes(length);
  if (needed !== guessed) writer.bytes.copyWithin(from + needed, from + guessed, writer.at);
  writer.at = from;
  writeVarint(writer, length);
  writer.at += length;
}

/** A count in zigzag, seven bits a byte: at most 2^30. */
function writeVarint(writer: Writer, count: number): void {
  const { bytes } = writer;
  let left = count << 1;
  while (left >= 0x80) {
    bytes[writer.at++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  bytes[writer.at++] = left;
}

function varintBytes(count: number): number {
  return count < 0x40 ? 1 : count < 0x2000 ? 2 : count < 0x10_0000 ? 3 : count < 0x800_0000 ? 4 : 5;
}
