import { createRequire } from 'node:module';
import type { Logger } from '@tripline/runtime/logger';
import { Kafka, logLevel } from 'kafkajs';
import { securityOf } from './security.ts';
import type { KafkaSecurity } from './settings.ts';

const require = createRequire(import.meta.url);

type RequestQueue = { pending: unknown[]; scheduleCheckPendingRequests: () => void };

/**
 * kafkajs 2.2.4 sets a timer after every response, and the timer sets the next one, whether a request waits or not:
 * thousands a second while idle, with negative delays that Node 24 warns about. With nothing pending there is nothing to
 * check.
 */
function quietenRequestQueue(): void {
  const queue = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  const schedule = queue.prototype.scheduleCheckPendingRequests;
  queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}
quietenRequestQueue();

/** Errors that brokers return now and then and that kafkajs retries itself: not logged. */
const passing =
  /coordinator|LEADER_NOT_AVAILABLE|NOT_LEADER|rebalanc|REBALANCE|Restarting the consumer|unknown member|not aware of this member|metadata/i;

/** kafkajs logs the same error several times a second while a broker is unavailable: it is passed on this rarely. */
const repeatMs = 30_000;

export function createKafkaClient(options: {
  brokers: readonly string[];
  clientId: string;
  security: KafkaSecurity;
  logger: Logger;
}): Kafka {
  const saidAtMs = new Map<string, number>();
  const isRepeat = (what: string): boolean => {
    const nowMs = performance.now();
    const before = saidAtMs.get(what);
    if (before !== undefined && nowMs - before < repeatMs) return true;
    if (saidAtMs.size > 1000) saidAtMs.clear();
    saidAtMs.set(what, nowMs);
    return false;
  };
  return new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    ...securityOf(options.security),
    // token.ts returns tokens with more time left than this, otherwise kafkajs would immediately request another.
    reauthenticationThreshold: 5000,
    connectionTimeout: 3000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => {
      const { message, error, topic, partition, broker, groupId } = entry.log;
      const what = `${message} ${error}`;
      const level = passing.test(what) || isRepeat(`${broker} ${what}`) ? 'debug' : 'warn';
      options.logger[level](
        { kafka: { namespace: entry.namespace, error: error && String(error), topic, partition, broker, groupId } },
        message,
      );
    },
  });
}
