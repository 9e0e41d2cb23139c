import { createRequire } from 'node:module';
import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import fc from 'fast-check';
import type { KafkaMessage } from 'kafkajs';
import { expect, test } from 'vitest';
import { decodeFetched, type FetchDecoder, readMessage } from './fetch.ts';

// Ours has taken its place; loaded anew, it is as kafkajs ships it.
const require = createRequire(import.meta.url);
const decodePath = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages');
const inPlace = require(decodePath);
delete require.cache[decodePath];
const kafkajsDecode = require(decodePath) as (decoder: FetchDecoder) => Promise<KafkaMessage[]>;
const Decoder = require('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => FetchDecoder;
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (of: object) => Promise<{ buffer: Buffer }>;
};
const encode = require('kafkajs/src/protocol/recordBatch/record/v0') as (of: object) => object;
const encodeOld = require('kafkajs/src/protocol/messageSet') as (of: object) => { buffer: Buffer };

const fields = [
  'offset',
  'timestamp',
  'key',
  'value',
  'headers',
  'attributes',
  'magicByte',
  'isControlRecord',
] as const;
const seen = (messages: KafkaMessage[]) =>
  messages.map((message) => {
    const { producerId, inTransaction } = (message as unknown as { batchContext: Record<string, unknown> })
      .batchContext;
    const shown = fields.map((field) => [field, (message as unknown as Record<string, unknown>)[field]]);
    return { ...Object.fromEntries(shown), producerId, inTransaction };
  });
const asked = (batches: Buffer[], kept = Number.POSITIVE_INFINITY): Buffer => {
  const all = Buffer.concat(batches);
  const set = all.subarray(0, Math.min(kept, all.length));
  const size = Buffer.alloc(4);
  size.writeInt32BE(set.length);
  return Buffer.concat([size, set, Buffer.from('what follows')]);
};

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const name = fc.oneof(fc.constantFrom('ce_id', 'ce_type', 'ce_workspace'), fc.string({ minLength: 1, maxLength: 80 }));
const text = fc.oneof(fc.string(), fc.array(fc.string(), { minLength: 2, maxLength: 3 }));
/** As an event's record has them, or nearly so: some missing, from another one on, with other values, with one more. */
const namesOfEvent = Object.keys(toEventRecord({ bodySha256: 'a hash', data: {} } as TriplineEvent).headers);
const eventHeaders = fc
  .tuple(
    fc.constantFrom(0, 0, 0, 1, 8),
    fc.constantFrom(9, 9, 8, 8, 7),
    fc.dictionary(name, text, { maxKeys: 1 }),
    text,
  )
  .map(([first, count, more, value]) => {
    const names = [...namesOfEvent.slice(first), ...namesOfEvent.slice(0, first)].slice(0, count);
    return {
      ...Object.fromEntries(names.map((one) => [one, typeof value === 'string' ? value + one : value])),
      ...more,
    };
  });
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.oneof(fc.dictionary(name, text), eventHeaders),
  offsetDelta: fc.nat(),
  timestampDelta: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
});
const batch = fc
  .record({
    records: fc.array(record, { minLength: 1, maxLength: 5 }),
    firstOffset: fc.bigInt(0n, 2n ** 52n),
    firstTimestamp: fc.integer({ min: 2 ** 40, max: 2 ** 41 }),
    maxTimestamp: fc.integer({ min: 2 ** 40, max: 2 ** 41 }),
    producerId: fc.bigInt(-1n, 2n ** 62n),
    transactional: fc.boolean(),
    byBroker: fc.boolean(),
  })
  .map((of) => async (compression: number) => {
    const { buffer } = await RecordBatch({ ...of, compression, records: of.records.map(encode) });
    if (of.byBroker) buffer.writeInt16BE(buffer.readInt16BE(21) | 0x08, 21);
    return buffer;
  });

test('what kafkajs asks for at its first fetch is ours', () => {
  expect(inPlace).toBe(decodeFetched);
});

test('an answer gives the messages that kafkajs makes of it, cut off or compressed as it may be', async () => {
  const property = fc.asyncProperty(
    fc.array(batch, { maxLength: 3 }),
    fc.constantFrom(0, 0, 0, 1),
    fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    async (builds, compression, cut) => {
      const batches = await Promise.all(builds.map((build, nth) => build(nth === 1 ? compression : 0)));
      const length = batches.reduce((sum, one) => sum + one.length, 0);
      const kept = cut === null ? length : Math.floor(cut * length);
      const answer = asked(batches, kept);
      // Of less than it needs to tell the format, kafkajs reads past the end.
      if (kept <= 16) {
        expect(await decodeFetched(new Decoder(answer))).toEqual([]);
        return;
      }
      const [theirs, ours] = [new Decoder(answer), new Decoder(answer)];
      const [expected, messages] = [await kafkajsDecode(theirs), await decodeFetched(ours)];
      expect(seen(messages)).toEqual(seen(expected));
      expect(ours.offset).toBe(theirs.offset);
      // And as the log's contract speaks of it: kafkajs's own message goes the plain way.
      expect(messages.map(readMessage)).toEqual(expected.map(readMessage));
    },
  );
  await fc.assert(property, { numRuns: 300 });
});

test('records in the format from before Kafka 0.11 are read as kafkajs reads them', async () => {
  const message = { compression: 0, timestamp: 5, key: 'a key', value: 'a value' };
  const { buffer } = encodeOld({ messageVersion: 1, compression: 0, entries: [message, message] });
  const ours = await decodeFetched(new Decoder(asked([buffer])));
  const theirs = await kafkajsDecode(new Decoder(asked([buffer])));
  expect(ours).toEqual(theirs);
  expect(ours.map(readMessage).map(({ key }) => key)).toEqual(['a key', 'a key']);
});

test('a damaged batch is an error, not a record', async () => {
  const { buffer } = await RecordBatch({
    records: [encode({ key: 'k', value: 'v', offsetDelta: 0, timestampDelta: 0 })],
  });
  const damaged = Buffer.from(buffer);
  damaged[61] = 0x7e;
  await expect(decodeFetched(new Decoder(asked([damaged])))).rejects.toThrow('damaged');
});
