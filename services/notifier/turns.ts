import { randomUUID } from 'node:crypto';
import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import { failpoint } from '@tripline/runtime/failpoint';
import type { Logger } from '@tripline/runtime/logger';
import { type Claim, takeUpDue } from './store/messages.ts';
import type { Sink } from './telling.ts';

/** How often is looked for what another process left waiting, or what has become due. */
const lookMs = 1000;

/** Tells what waits, one after the other, as the sink's pace allows: by turns what waits longest and what came last. */
export function takeTurns(parts: {
  db: Db;
  clock: Clock;
  logger: Logger;
  sink: Sink;
  claimMs: number;
  tell: (claim: Claim) => Promise<void>;
}): { ring: () => void; stop: () => Promise<void> } {
  const { db, clock, logger, sink, claimMs, tell } = parts;
  const stopping = new AbortController();
  let bell = new AbortController();
  let rung = false;

  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms > 0) await clock.pause(ms, AbortSignal.any([signal, stopping.signal]));
  }

  async function run(): Promise<void> {
    for (let turn = 0; !stopping.signal.aborted; turn += 1) {
      if (sink.mode === 'live') await pause(Math.min(...sink.paces.map((pace) => pace.freeInMs())), stopping.signal);
      if (stopping.signal.aborted) return;
      rung = false;
      bell = new AbortController();
      try {
        failpoint('notifier.before-turn');
        const claim = await takeUpDue(db, sink.name, turn % 2 ? 'oldest' : 'newest', randomUUID(), claimMs);
        failpoint('notifier.after-turn');
        if (claim !== undefined) await tell(claim);
        else if (!rung) await pause(lookMs, bell.signal);
      } catch (error) {
        logger.error({ err: error, sink: sink.name }, 'what waits could not be told; tried again in a second');
        await pause(lookMs, stopping.signal);
      }
    }
  }
  const running = run();

  return {
    /** Something waits now. */
    ring() {
      rung = true;
      bell.abort();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
