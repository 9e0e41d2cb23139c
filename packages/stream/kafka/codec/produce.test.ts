import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { NewRecord } from '../../stream.ts';
import { crc32c } from './crc32c.ts';
import { produceRequest, toPartitionBatch } from './produce.ts';

// Ours has taken its place; loaded anew, it is as kafkajs ships it.
const require = createRequire(import.meta.url);
const requestPath = require.resolve('kafkajs/src/protocol/requests/produce/v3/request');
const inPlace = require(requestPath);
delete require.cache[requestPath];
const kafkajsRequest = require(requestPath) as typeof produceRequest;
const kafkajsCrc = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;

const written = async (request: ReturnType<typeof produceRequest>) => {
  const { buf, offset } = await request.encode();
  return buf.subarray(0, offset).toString('hex');
};
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 100 }), fc.string({ minLength: 60, maxLength: 70 }));
const record: fc.Arbitrary<NewRecord> = fc.record({
  topic: fc.constant('a topic'),
  key: text,
  value: fc.oneof(
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    // Around the lengths at which a length takes another byte.
    fc.constantFrom(63, 64, 8100, 8191, 8192, 20_000).map((length) => Buffer.alloc(length, 'x')),
  ),
  headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 70 }), text, { maxKeys: 12 }),
});
const topic = fc.record({
  topic: fc.string({ minLength: 1, maxLength: 20 }),
  partitions: fc.uniqueArray(
    fc.record({ partition: fc.nat({ max: 1000 }), records: fc.array(record, { minLength: 1, maxLength: 70 }) }),
    { selector: ({ partition }) => partition, maxLength: 3 },
  ),
});

test('what kafkajs asks for at its first request is ours', () => {
  expect(inPlace).toBe(produceRequest);
});

test('a request is what kafkajs writes for the same records, byte for byte', async () => {
  vi.useFakeTimers({ now: 1_767_225_600_123, toFake: ['Date'] });
  const property = fc.asyncProperty(fc.array(topic, { maxLength: 2 }), fc.constantFrom(-1, 1), async (topics, acks) => {
    const request = (messages: (partition: number, records: NewRecord[]) => never[]) => ({
      acks,
      timeout: 8000,
      topicData: topics.map(({ topic: name, partitions }) => ({
        topic: name,
        partitions: partitions.map(({ partition, records }) => ({
          partition,
          messages: messages(partition, records),
        })),
      })),
    });
    const ours = produceRequest(
      request((partition, records) => [{ ...toPartitionBatch(partition), records } as never]),
    );
    const theirs = kafkajsRequest(request((_partition, records) => records as never[]));
    expect(await written(ours)).toBe(await written(theirs));
    expect({ ...ours, encode: 0, expectResponse: ours.expectResponse() }).toEqual({
      ...theirs,
      encode: 0,
      expectResponse: theirs.expectResponse(),
    });
  });
  await fc.assert(property, { numRuns: 200 });
  vi.useRealTimers();
});

test('messages that are not ours are left to kafkajs', async () => {
  vi.useFakeTimers({ now: 1_767_225_600_123, toFake: ['Date'] });
  const request = {
    acks: -1,
    timeout: 1,
    topicData: [{ topic: 't', partitions: [{ partition: 0, messages: [{ key: 'k', value: 'v' }] }] }],
  };
  expect(await written(produceRequest(request))).toBe(await written(kafkajsRequest(request)));
  vi.useRealTimers();
});

test('the checksum is CRC-32C, of any length from any place', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 20 }), (bytes, start) => {
      expect(crc32c(bytes, Math.min(start, bytes.length))).toBe(kafkajsCrc(Buffer.from(bytes.subarray(start))));
    }),
  );
});
