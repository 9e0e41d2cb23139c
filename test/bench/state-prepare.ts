import { openDatabase } from '@tripline/db/database';
import { migrate } from '@tripline/db/migrate';
import { takePartition } from '@tripline/db/positions';
import { writeBlockGroup } from '@tripline/detector/store/state-store';
import { packEntries } from '@tripline/engine/keyed-state/entries';
import { hashKey } from '@tripline/engine/keyed-state/key-hash';
import { joinedKey } from '@tripline/engine/keyed-state/keys';
import { bitsFor, blockOf, entriesIn, mergeIntoGroup } from '@tripline/engine/keyed-state/merge-blocks';
import { topics } from '@tripline/stream/stream';
import { keyOf, rule, startMs, stateOf, workspaceOf } from './state-events.ts';
import { partition } from './state-hand.ts';

/**
 * Fills a database with a partition's keyed state of `keys` keys: the one run that merging would end at, written by the
 * code that merges, but with its keys made in order of hash instead of merged into it.
 */
const [url, count] = process.argv.slice(2);
const keys = Number(count);
const blocksAtOnce = 128;
const farMs = 10_000 * 3_600_000;

const db = openDatabase(url!, { applicationName: 'bench', maxConnections: 2 });
await migrate(db);
await db.pool.query('SET synchronous_commit = off');
const key = { consumer: 'detector', topic: topics.events, partition };
const { epoch } = await takePartition(db.pool, key, { keepsState: true });
const json = JSON.stringify(stateOf(startMs, 1));
const nameOf = (number: number) => ({ workspace: workspaceOf(number), rule: rule.rule.id, key: keyOf(number) });
const pack = (numbers: Iterable<number>) =>
  packEntries(Array.from(numbers, (number) => ({ ...nameOf(number), json, expiresMs: startMs + farMs })));

const keyBytes = pack(Array.from({ length: 1000 }, (_, place) => Math.floor((place * keys) / 1000))).length / 1000;
const bits = bitsFor({ bytes: keyBytes * keys, keys }, 48 * 1024);
const blocks = Math.min(blocksAtOnce, 2 ** bits);
const groupOf = (high: number) => Math.floor(blockOf(high, bits) / blocks);

// Counted and laid out by group: two words a key.
const groups = 2 ** bits / blocks;
const starts = new Uint32Array(groups + 1);
const ofKey = new Uint32Array(keys);
const hash = new Uint32Array(2);
for (let number = 0; number < keys; number += 1) {
  hashKey(joinedKey(nameOf(number)), hash);
  ofKey[number] = groupOf(hash[0]!);
  starts[ofKey[number]! + 1]! += 1;
}
for (let group = 0; group < groups; group += 1) starts[group + 1]! += starts[group]!;
const order = new Uint32Array(keys);
const next = starts.slice();
for (let number = 0; number < keys; number += 1) order[next[ofKey[number]!]!++] = number;

const total = { keys: 0, bytes: 0 };
for (let group = 0; group < groups; group += 1) {
  const entries = pack(order.subarray(starts[group], starts[group + 1]));
  const firstBlock = group * blocks;
  const made = mergeIntoGroup(entriesIn(entries, 0), { firstBlock, blocks, bits, oldest: true, nowMs: startMs });
  total.keys += made.fingerprints.length;
  total.bytes += made.bytes;
  const instead = group === groups - 1 ? { runs: [], flushes: 0 } : null;
  await writeBlockGroup(
    db.pool,
    { ...key, epoch },
    { ...made, run: 1, newest: 1, bits, inputs: [], group, firstBlock, total, instead },
  );
}
await db.pool.query('ANALYZE state_pages');
await db.pool.query('CHECKPOINT');
await db.close();
console.log(JSON.stringify({ prepared: total }));
