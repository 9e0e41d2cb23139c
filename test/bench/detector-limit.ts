import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Kafka, logLevel } from 'kafkajs';

/**
 * The detector's limit: kafkajs reads a topic from its beginning with eachBatch and one JSON.parse an event, once for
 * each line of its input. Prints records, seconds and µs of its CPU from the first batch to the last.
 */
const [brokers, topic, total] = process.argv.slice(2) as [string, string, string];
const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'bench-limit', logLevel: logLevel.NOTHING });

async function play(nth: number) {
  const consumer = kafka.consumer({
    groupId: `bench-limit-${process.pid}-${nth}`,
    maxBytesPerPartition: 4_194_304,
    minBytes: 1,
    maxWaitTimeInMs: 100,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let seen = 0;
  let begun = 0;
  let cpu = process.cpuUsage();
  const done = Promise.withResolvers<object>();
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: true,
    eachBatch: async ({ batch }) => {
      if (begun === 0) {
        begun = performance.now();
        cpu = process.cpuUsage();
      }
      for (const message of batch.messages) JSON.parse(message.value!.toString());
      seen += batch.messages.length;
      if (seen < Number(total)) return;
      const { user, system } = process.cpuUsage(cpu);
      done.resolve({ records: seen, seconds: (performance.now() - begun) / 1000, cpuMicros: user + system });
    },
  });
  const played = await done.promise;
  await consumer.disconnect();
  return played;
}

let plays = 0;
const lines = createInterface({ input: process.stdin });
lines.on('line', async () => {
  plays += 1;
  console.log(JSON.stringify(await play(plays)));
});
await once(lines, 'close');
process.exit(0);
