import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrokers } from '../../packages/testing/kafka/broker.ts';
import { fullTopic, type Played } from './full-topic.ts';
import { format, interleave, ratio, type Series } from './measure.ts';
import { benchReceiverOfParsing } from './receiver-ladder.ts';

/**
 * `npm run bench:gate`: a short bench whose ratios are compared with those recorded in gate.json. A ratio is of µs of CPU
 * within one run, of the limit's to ours, so it does not change with what else the machine does. Below 0.85 × of what is
 * recorded three times in a row the gate fails. `--record` writes what was measured instead: commit it with the reason.
 * What is owed is a ratio that a change cost and that has to come back to what is recorded: until then the gate holds it at
 * `owed`, and says each time what is owed.
 */
const leastOfRecorded = 0.85;
const tries = 3;
const recordedPath = join(import.meta.dirname, 'gate.json');
const { values: flags } = parseArgs({ options: { record: { type: 'boolean' } } });

type Gate = { name: string; ratio: () => Promise<number> };
const brokers = await startBrokers({ brokers: 1 });
const bootstrap = brokers.bootstrap.join(',');
const full = await fullTopic({ brokers: bootstrap, deliveries: 40_000 });
const [ours, parsing] = [full.ours().fenced, full.parsing()];

const cpuOf = ({ cpuMicros, records }: Played) => cpuMicros / records;
/** How much of ours the limit's CPU is. */
const ofOurs = ([ours, limit]: Series[]) => ratio(limit!, ours!).median;
const unit = 'µs CPU';
const gates: Gate[] = [
  {
    name: 'detector, of kafkajs with one JSON.parse',
    ratio: async () =>
      ofOurs(
        await interleave(
          [
            { name: 'detector', unit, run: async () => cpuOf(await ours()) },
            { name: 'kafkajs with one JSON.parse an event', unit, run: async () => cpuOf(await parsing()) },
          ],
          5,
        ),
      ),
  },
  {
    name: 'receiver, of node:http that verifies and parses the body',
    ratio: async () => {
      const load = { brokers: bootstrap, deliveries: 8000, rounds: 5, connections: 64 };
      const { cpu } = await benchReceiverOfParsing(load);
      return ofOurs(cpu);
    },
  },
];

const measured: Record<string, number> = {};
try {
  const recorded = JSON.parse(readFileSync(recordedPath, 'utf8')) as Record<string, number>;
  for (const gate of gates) {
    const owed = recorded[`owed: ${gate.name}`];
    const least = (owed ?? recorded[gate.name] ?? Number.NaN) * leastOfRecorded;
    const ratios: number[] = [];
    do ratios.push(await gate.ratio());
    while (!flags.record && ratios.length < tries && !(ratios.at(-1)! >= least));
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
