import { startBrokers } from '../../packages/testing/kafka/broker.ts';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import type { Fault } from './fault.ts';
import { until } from './service-process.ts';
import { addressOf, openWhole, type Whole } from './whole.ts';

const services = ['receiver', 'detector'] as const;

/**
 * Three brokers, replication 3, two in-sync replicas needed. One dies under load: everything acknowledged is kept. Then a
 * second one dies: what is acknowledged now is in the spool; and when both are back, nothing is missing.
 */
export const brokersLost: Fault = {
  name: 'brokers-lost',
  what: 'one, then two of three brokers killed under load',
  sizes: { ci: 600, full: 12_000, unit: 'deliveries' },
  needsKafka: true,
  async run(ground, size) {
    const brokers = await startBrokers({ brokers: 3 });
    const database = await freshDatabaseOn(ground.postgresUrl);
    const whole = await openWhole({
      databaseUrl: database.url,
      brokers: brokers.bootstrap,
      replication: 3,
      deliveries: size,
    });
    try {
      const receiver = whole.start('receiver');
      whole.start('detector');
      const base = await addressOf(receiver);
      const operations = /"operations":"([^"]+)"/.exec(receiver.said())![1]!;
      const waits = watchAcknowledgements(whole);
      const sending = whole.sendAll(() => base, 4);
      const share = Math.floor(size / 4);
      const sent = (count: number) =>
        until(() => whole.sender.left() <= size - count, { patienceMs: 180_000, what: `delivery ${count}` });

      await sent(share);
      waits.begin();
      await brokers.kill(0);
      ground.say('one broker is dead');
      await sent(2 * share);
      const oneAway = waits.end();
      const spooledWithOne = await spooledBy(operations);

      waits.begin();
      await brokers.kill(1);
      ground.say('two brokers are dead');
      await sent(3 * share);
      const twoAway = waits.end();
      const spooledWithTwo = (await spooledBy(operations)) - spooledWithOne;

      await Promise.all([brokers.restart(0), brokers.restart(1)]);
      ground.say('all brokers are back');
      await sending;
      const differences = await whole.settle(base, services, 150_000);
      const statuses = [...whole.sender.statuses()].filter(([status]) => status !== 202 && status !== 503);
      differences.push(...statuses.map(([status, count]) => `${count} deliveries were answered ${status}`));
      if (spooledWithTwo === 0) differences.push('with two brokers dead nothing was spooled');
      return {
        size: `${size} deliveries, 3 brokers`,
        compared: 'what was acknowledged with what the log holds; findings and incidents with an undisturbed engine',
        differences,
        figure: `longest time without acknowledgement ${oneAway} ms with one away (${spooledWithOne} spooled), ${twoAway} ms with two (${spooledWithTwo} spooled, ${whole.sender.statuses().get(503) ?? 0} answered 503)`,
      };
    } finally {
      await whole.close();
      await database.close();
      await brokers.close();
    }
  },
};

/** The longest time in which no delivery was acknowledged. */
function watchAcknowledgements({ sender }: Whole) {
  let timer: NodeJS.Timeout;
  let count = 0;
  let sinceMs = 0;
  let longestMs = 0;
  const look = () => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - sinceMs);
    if (sender.acknowledged().size === count) return;
    count = sender.acknowledged().size;
    sinceMs = now;
  };
  return {
    begin() {
      longestMs = 0;
      sinceMs = performance.now();
      count = sender.acknowledged().size;
      timer = setInterval(look, 5);
    },
    end() {
      look();
      clearInterval(timer);
      return Math.round(longestMs);
    },
  };
}

/** How many deliveries went to the spool so far, by the receiver's own count. */
async function spooledBy(operations: string): Promise<number> {
  const text = await (await fetch(`${operations}/metrics`)).text();
  return Number(/^tripline_receiver_deliveries_total\{[^}]*outcome="spooled"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0);
}
