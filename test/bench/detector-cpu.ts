import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PerformanceObserver } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import type { AnyRule } from '@tripline/contracts/rule';
import { createEngine } from '@tripline/engine/engine';
import { createStateStore } from '@tripline/engine/keyed-state/state-store';
import { configureRule } from '@tripline/engine/settings';
import { rulesByDefault as catalogue } from '@tripline/rules/registry';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { kafkaSource } from '@tripline/stream/kafka/partition-source';
import { partitionOf } from '@tripline/stream/partition';
import { makeCorpus } from './corpus.ts';
import { warmEvents } from './full-topic.ts';
import { trueFindings } from './peers/true-findings.ts';
import { pinnedOf } from './pinned-rules.ts';
import { recordsOf } from './records.ts';

/**
 * What the detector costs a core without sockets, broker and database: answers of a broker, made beforehand, go through
 * kafkajs's decoding, the lane and the engine, and what follows becomes the flush that Postgres would be sent. Prints µs
 * of CPU an event, for kafkajs alone, with one JSON.parse an event too, under the pinned rules (`ours`) and under all (`catalogue`),
 * once the compiler is quiet; at last, as one line of JSON, those of all rounds.
 *
 *     node test/bench/detector-cpu.ts --deliveries 60000 [--records file-to-keep-them-in] [--only ours,parse]
 */
const { values: flags } = parseArgs({
  options: {
    deliveries: { type: 'string', default: '60000' },
    records: { type: 'string' },
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
  },
});
const partitions = 12;
const fetchBytes = { partition: 4 * 1024 * 1024, answer: 16 * 1024 * 1024 };
const require = createRequire(import.meta.url);

type Message = import('kafkajs').KafkaMessage;
type Answer = { partition: number; highWatermark: number; bytes: Buffer };
type Wire = { answers: Answer[][]; total: number; findings: number };

const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (of: object) => Promise<{ buffer: Buffer }>;
};
const Record = require('kafkajs/src/protocol/recordBatch/record/v0') as (of: object) => object;
type Decode = (decoder: object) => Promise<Message[]>;
const decodePath = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages');
const ourDecode = require(decodePath) as Decode;
delete require.cache[decodePath];
const kafkajsDecode = require(decodePath) as Decode;
const Decoder = require('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => object;
const Batch = require('kafkajs/src/consumer/batch') as new (
  topic: string,
  offset: string,
  data: object,
) => { messages: Message[]; lastOffset: () => string };

async function makeWire(deliveries: number): Promise<Wire> {
  const corpus = makeCorpus({
    deliveries,
    workspaces: 200,
    attackEvery: 500,
    seed: 42,
    startMs: Date.now(),
    answered: true,
  });
  const heads = Array.from({ length: partitions }, () => ({
    offset: 0,
    batches: [] as Buffer[],
    waiting: [] as object[],
  }));
  const cut = async (head: (typeof heads)[number]) => {
    if (head.waiting.length === 0) return;
    const nowMs = Date.now();
    const { buffer } = await RecordBatch({
      firstOffset: BigInt(head.offset - head.waiting.length),
      firstTimestamp: nowMs,
      maxTimestamp: nowMs,
      lastOffsetDelta: head.waiting.length - 1,
      records: head.waiting,
    });
    buffer.writeInt16BE(8, 21); // LogAppendTime
    head.batches.push(Buffer.from(buffer));
    head.waiting = [];
  };
  const records = recordsOf(corpus);
  for (const [nth, { key, headers, value }] of records.entries()) {
    const head = heads[partitionOf(key, partitions)]!;
    head.waiting.push(Record({ offsetDelta: head.waiting.length, timestampDelta: 0, key, value, headers }));
    head.offset += 1;
    if (nth % 1000 === 999) await Promise.all(heads.map(cut));
  }
  await Promise.all(heads.map(cut));
  const answers: Answer[][] = [];
  for (let from = 0; heads.some(({ batches }) => batches.length > 0); from += 1) {
    const answer: Answer[] = [];
    let bytes = 0;
    for (let nth = 0; nth < partitions && bytes < fetchBytes.answer; nth += 1) {
      const partition = (from * 4 + nth) % partitions;
      const head = heads[partition]!;
      const taken: Buffer[] = [];
      let share = 0;
      while (head.batches.length > 0 && share + head.batches[0]!.length <= fetchBytes.partition) {
        taken.push(head.batches.shift()!);
        share += taken.at(-1)!.length;
      }
      const size = Buffer.alloc(4);
      size.writeInt32BE(share);
      if (share > 0) answer.push({ partition, highWatermark: head.offset, bytes: Buffer.concat([size, ...taken]) });
      bytes += share;
    }
    answers.push(answer);
  }
  return { answers, total: records.length, findings: trueFindings(corpus).size };
}

async function readWire(): Promise<Wire> {
  if (flags.records !== undefined && existsSync(flags.records)) {
    const read = deserialize(readFileSync(flags.records)) as Wire;
    for (const answer of read.answers) for (const one of answer) one.bytes = Buffer.from(one.bytes);
    return read;
  }
  const made = await makeWire(Number(flags.deliveries));
  if (flags.records !== undefined) writeFileSync(flags.records, serialize(made));
  return made;
}

const wire = await readWire();
const bytes = wire.answers.flat().reduce((sum, one) => sum + one.bytes.length, 0);
console.log(`${wire.total} records, ${Math.round(bytes / wire.total)} bytes each, ${wire.answers.length} answers`);

/** As kafkajs's broker and consumer do it. */
async function fetched(answer: Answer, next: number, decode: Decode): Promise<InstanceType<typeof Batch>> {
  const messages = await decode(new Decoder(answer.bytes));
  return new Batch('events', String(next), {
    partition: answer.partition,
    highWatermark: String(answer.highWatermark),
    abortedTransactions: [],
    messages,
  });
}

async function kafkajsAlone(parse: boolean): Promise<void> {
  for (const answer of wire.answers) {
    for (const one of answer) {
      const batch = await fetched(one, 0, kafkajsDecode);
      if (parse) for (const message of batch.messages) JSON.parse(message.value!.toString());
    }
  }
}

const logger = createLogger({ service: 'bench', level: 'warn' });
const lost = new AbortController().signal;
async function ours(rules: readonly AnyRule[], judges = true): Promise<void> {
  const lanes = Array.from({ length: partitions }, (_, partition) => {
    const source = kafkaSource({
      topic: 'events',
      partition,
      maxRecords: 2000,
      tickMs: 250,
      clockSkewMs: 1000,
      fetching: {
        seek: () => {},
        pause: () => {},
        resume: () => {},
        ends: async () => ({ askedAtMs: 0, of: new Map([[partition, { first: 0, next: 0 }]]) }),
      },
      clock: systemClock,
      logger,
    });
    const store = createStateStore({ flushes: [], runs: [], building: null, dropped: [] });
    const engine = createEngine(
      { rules: rules.map((rule) => configureRule(rule)), learningDays: 14, peek: store.peek },
      { logTimeMs: 0, engineRows: [], timers: [], dedup: [] },
    );
    return { source, engine, store, next: 0, waiting: 0 };
  });
  await Promise.all(lanes.map(({ source }) => source.start(0)));
  let found = 0;
  let rows = 0;
  let packed = 0;
  const handle = async (lane: (typeof lanes)[number]) => {
    const batch = await lane.source.next(lost);
    if (batch === null) throw new Error('the lane gave nothing');
    lane.waiting -= batch.records.length;
    if (!judges) return;
    let missing = lane.engine.plan(batch);
    for (;;) {
      lane.engine.hold(missing, lane.store.look(missing).rows);
      const result = lane.engine.evaluate();
      if ('effects' in result) {
        const { effects } = result;
        const flush = lane.store.pack(effects.state.filter(({ rule }) => !rule.startsWith('@')));
        if (flush !== null) {
          packed += flush.entries.length;
          lane.store.commit(flush);
        }
        rows += effects.state.length + effects.timers.length;
        if (effects.poison.length > 0) throw new Error(`dead-lettered: ${effects.poison[0]!.reason}`);
        found += effects.verdicts.filter(({ kind }) => kind === 'found').length;
        break;
      }
      missing = result.missing;
    }
    lane.engine.commit();
  };
  for (const answer of wire.answers) {
    for (const one of answer) {
      const lane = lanes[one.partition]!;
      const batch = await fetched(one, lane.next, ourDecode);
      lane.next = Number(batch.lastOffset()) + 1;
      lane.waiting += batch.messages.length;
      lane.source.take({
        messages: batch.messages,
        lastOffset: lane.next - 1,
        highWatermark: one.highWatermark,
      });
    }
    for (const lane of lanes) if (lane.waiting > 0) await handle(lane);
  }
  for (const lane of lanes) while (lane.waiting > 0) await handle(lane);
  // What the rest of the catalogue makes of the corpus beside what was hidden in it is no matter of this measure.
  if (judges && (rules === pinned ? found !== wire.findings : found < wire.findings))
    throw new Error(`the corpus holds ${wire.findings} true findings; found ${found}`);
  if (judges) lastRun = `${(rows / wire.total).toFixed(2)} rows, ${Math.round(packed / wire.total)} bytes an event`;
}
let lastRun = '';

let gcMs = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) gcMs += entry.duration;
}).observe({ entryTypes: ['gc'] });

const pinned = pinnedOf(catalogue, (rule) => rule);
const contestants: Record<string, () => Promise<void>> = {
  decode: () => kafkajsAlone(false),
  parse: () => kafkajsAlone(true),
  lane: () => ours(pinned, false),
  ours: () => ours(pinned),
  catalogue: () => ours(catalogue),
};
const only = flags.only?.split(',');
const warmUps = Math.ceil(warmEvents / wire.total);
const all: Record<string, number[]> = {};
for (let round = 1 - warmUps; round <= Number(flags.rounds); round += 1) {
  for (const [name, run] of Object.entries(contestants)) {
    if (only?.includes(name) === false) continue;
    [gcMs, lastRun] = [0, ''];
    const before = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(before);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const perEvent = (user + system) / wire.total;
    if (round > 0) all[name] = [...(all[name] ?? []), perEvent];
    console.log(
      `${round > 0 ? round : 'warm-up'} ${name.padEnd(9)} ${perEvent.toFixed(1)} µs CPU an event, ${((gcMs * 1000) / wire.total).toFixed(1)} of it collecting; heap ${Math.round(process.memoryUsage().heapTotal / 1e6)} MB, rss ${Math.round(process.memoryUsage().rss / 1e6)} MB ${lastRun}`,
    );
  }
}
for (const [name, values] of Object.entries(all)) {
  console.log(`${name.padEnd(9)} min ${Math.min(...values).toFixed(1)} µs`);
}
console.log(JSON.stringify(all));
