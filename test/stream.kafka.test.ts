import { systemClock } from '../packages/runtime/clock.ts';
import { createLogger } from '../packages/runtime/logger.ts';
import { createKafkaStream } from '../packages/stream/kafka.ts';
import { streamContract } from '../packages/stream/stream.contract.ts';
import { startBrokers } from './setup/kafka-broker.ts';

const logger = createLogger({ service: 'test', level: process.env['LOG'] ?? 'silent' });

streamContract('the log in Kafka', async () => {
  const brokers = await startBrokers({ brokers: 1 });
  return {
    open: async () =>
      createKafkaStream({
        brokers: brokers.bootstrap,
        clientId: 'test',
        replicationFactor: 1,
        clockSkewMs: 50,
        logger,
        clock: systemClock,
      }),
    async interrupt() {
      await brokers.kill(0);
      await brokers.restart(0);
    },
    close: brokers.close,
  };
});
