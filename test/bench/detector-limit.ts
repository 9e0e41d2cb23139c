import { Kafka, logLevel } from 'kafkajs';

/**
 * The detector's limit: kafkajs reads a topic from its beginning with eachBatch and one JSON.parse an event.
 * Prints records a second from the first batch to the last.
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
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: true,
  eachBatch: async ({ batch }) => {
    begun ||= performance.now();
    for (const message of batch.messages) JSON.parse(message.value!.toString());
    seen += batch.messages.length;
    if (seen >= Number(total)) {
      console.log(JSON.stringify({ records: seen, seconds: (performance.now() - begun) / 1000 }));
      process.exit(0);
    }
  },
});
