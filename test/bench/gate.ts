import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrokers } from '../../packages/testing/kafka/broker.ts';
import { fullTopic, type Played } from './full-topic.ts';
import { format, interleave, type Series } from './measure.ts';
import { receiverBesideParsing } from './receiver-ladder.ts';

/**
 * `npm run bench:gate`: a short bench whose ratios are compared with those recorded in gate.json. A ratio is of µs of CPU
 * within one run, of the limit's to ours, each at the mean of the lowest quarter of all its spans: what else a machine does, on
 * the other core or beside it on its host, adds to what a CPU takes and never makes it less. Below 0.85 × of what is recorded more rounds are
 * measured, twice; then the gate fails. `--record` writes what was measured instead: commit it with the reason.
 * What is owed is a ratio that a change cost and that has to come back to what is recorded: until then the gate holds it at
 * `owed`, and says each time what is owed.
 */
const leastOfRecorded = 0.85;
const tries = 3;
const recordedPath = join(import.meta.dirname, 'gate.json');
const { values: flags } = parseArgs({ options: { record: { type: 'boolean' } } });

/** `rounds`: µs of CPU of some more rounds, ours first. */
type Gate = { name: string; rounds: () => Promise<Series[]> };
const brokers = await startBrokers({ brokers: 1 });
const bootstrap = brokers.bootstrap.join(',');
const full = await fullTopic({ brokers: bootstrap, deliveries: 40_000 });
const [ours, parsing] = [full.ours().fenced, full.parsing()];

/** A play of kafkajs takes a third of one of ours: the least of both is of spans that are as long. */
const parsingPlays = 3;

/** µs of CPU a record over so many plays in a row. */
async function cpuOf(play: () => Promise<Played>, plays = 1): Promise<number> {
  let [cpuMicros, records] = [0, 0];
  for (let nth = 0; nth < plays; nth += 1) {
    const played = await play();
    cpuMicros += played.cpuMicros;
    records += played.records;
  }
  return cpuMicros / records;
}

/** Mean of the lowest quarter. */
function lowestOf(values: readonly number[]): number {
  const lowest = values.toSorted((a, b) => a - b).slice(0, Math.ceil(values.length / 4));
  return lowest.reduce((sum, value) => sum + value, 0) / lowest.length;
}

const unit = 'µs CPU';
const gates: Gate[] = [
  {
    name: 'detector, of kafkajs with one JSON.parse',
    rounds: () =>
      interleave(
        [
          { name: 'detector', unit, run: () => cpuOf(ours) },
          { name: 'kafkajs with one JSON.parse an event', unit, run: () => cpuOf(parsing, parsingPlays) },
        ],
        7,
      ),
  },
  {
    name: 'receiver, of node:http that verifies and parses the body',
    rounds: () =>
      receiverBesideParsing({ brokers: bootstrap, spans: 96, deliveries: 500, warmUp: 24_000, connections: 64 }),
  },
];

const measured: Record<string, number> = {};
try {
  const recorded = JSON.parse(readFileSync(recordedPath, 'utf8')) as Record<string, number>;
  for (const gate of gates) {
    const owed = recorded[`owed: ${gate.name}`];
    const least = (owed ?? recorded[gate.name] ?? Number.NaN) * leastOfRecorded;
    const ratios: number[] = [];
    const [spansOfOurs, spansOfLimit]: [number[], number[]] = [[], []];
    do {
      const [ours, limit] = await gate.rounds();
      spansOfOurs.push(...ours!.values);
      spansOfLimit.push(...limit!.values);
      ratios.push(lowestOf(spansOfLimit) / lowestOf(spansOfOurs));
    } while (!flags.record && ratios.length < tries && !(ratios.at(-1)! >= least));
    measured[gate.name] = ratios.at(-1)!;
    if (flags.record) continue;
    const passed = ratios.at(-1)! >= least;
    const told = ratios.map(format).join(', ');
    console.log(
      `${passed ? 'holds' : 'FAILS'}  ${gate.name}: ${told}; recorded ${recorded[gate.name]}${owed === undefined ? '' : `, OWED, held at ${owed} until it is back`}`,
    );
    if (!passed) process.exitCode = 1;
  }
} finally {
  await full.close();
  await brokers.close();
}
if (flags.record) {
  const rounded = Object.fromEntries(Object.entries(measured).map(([name, value]) => [name, Number(value.toFixed(3))]));
  writeFileSync(recordedPath, `${JSON.stringify(rounded, null, 2)}\n`);
  console.log(rounded);
}
