import { Kafka, logLevel } from 'kafkajs';

/**
 * The detector's limit: kafkajs reads a topic from its beginning with eachBatch and one JSON.parse an event.
 * Prints records, seconds and µs of its CPU from the first batch to the last.
 */
const [brokers, topic, total] = process.argv.slice(2) as [string, string, string];
const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'bench-limit', logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({
  groupId: `bench-limit-${process.pid}`,
  maxBytesPerPartition: 4_194_304,
  minBytes: 1,
  maxWaitTimeInMs: 100,
});
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
let seen = 0;
let begun = 0;
let cpu = process.cpuUsage();
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
    if (seen >= Number(total)) {
      const { user, system } = process.cpuUsage(cpu);
      const seconds = (performance.now() - begun) / 1000;
      console.log(JSON.stringify({ records: seen, seconds, cpuMicros: user + system }));
      process.exit(0);
    }
  },
});
