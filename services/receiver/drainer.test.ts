import { type Clock, systemClock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { createLetters } from '@tripline/sources/letters';
import { type NewRecord, StreamUnavailableError } from '@tripline/stream/stream';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { expect, test } from 'vitest';
import { createDrainer } from './drainer.ts';

test('what is spooled and does not get into the log is told of once the log has been away for more than a moment', async () => {
  const stream = fakeStream();
  stream.append = async () => {
    throw new StreamUnavailableError('Kafka does not answer');
  };
  const record: NewRecord = { topic: 'tripline.events', key: 'acme', headers: {}, value: Buffer.from('{}') };
  const said: string[] = [];
  const say = (level: string) => (_: object, text: string) => said.push(`${level}: ${text}`);
  const logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  const enough = Promise.withResolvers<void>();
  let pausedMs = 0;
  const clock: Clock = {
    ...systemClock,
    async pause(ms, signal) {
      pausedMs += ms;
      if (pausedMs > 12_000) enough.resolve();
      if (pausedMs > 12_000) await systemClock.pause(60_000, signal);
    },
  };
  const spool = { peek: async () => [record] } as unknown as Parameters<typeof createDrainer>[0]['spool'];
  const drainer = createDrainer({
    ...{ stream, spool, clock, letters: createLetters(), timeoutMs: 1000 },
    logger: logger as unknown as Logger,
  });
  await enough.promise;
  await drainer.stop();
  const spared = [100, 200, 400, 800, 1600, 3200].map(
    (ms) => `debug: appending what is spooled failed; retrying in ${ms} ms`,
  );
  expect(said).toEqual([...spared, 'warn: appending what is spooled failed; retrying in 5000 ms', ...said.slice(7)]);
});
