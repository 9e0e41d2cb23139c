import { fetchSettings } from '@tripline/stream/kafka/consumer';
import { Kafka, logLevel } from 'kafkajs';

/** Reads a topic from its beginning and does nothing with it; prints records a second from the first fetch to the last batch. */
const [brokers, topic, total] = process.argv.slice(2) as [string, string, string];
const kafka = new Kafka({ brokers: brokers.split(','), clientId: 'bench-idle', logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `bench-idle-${process.pid}-${Date.now()}`, ...fetchSettings });
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
let seen = 0;
let begun = 0;
consumer.on(consumer.events.FETCH_START, () => {
  begun ||= performance.now();
});
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    seen += batch.messages.length;
    if (seen < Number(total)) return;
    console.log(JSON.stringify({ rate: (seen * 1000) / (performance.now() - begun) }));
    process.exit(0);
  },
});
