import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { murmur2, partitionOf } from './partition.ts';

// Fixed points of Kafka's own UtilsTest.testMurmur2.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s is what Kafka says', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash);
});

test('places keys as the Java client does', () => {
  const place = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: 12 }, (_, partitionId) => ({ partitionId, leader: 1 }));
  for (const key of [
    '',
    'acme',
    'tj-actions',
    'größe',
    'x'.repeat(257),
    ...Array.from({ length: 50 }, (_, n) => `w${n}`),
  ]) {
    const message = { key, value: null };
    expect(partitionOf(key, 12), key).toBe(place({ topic: 't', partitionMetadata, message } as never));
  }
});
