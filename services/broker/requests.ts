import { randomUUID } from 'node:crypto';
import { RightError } from '@tripline/integrations/github/people/right';
import { redactText } from '@tripline/runtime/redact';
import { consider } from './request-approval.ts';
import { give, look, takeBack, tellOutlived } from './request-right.ts';
import { longestPauseMs, type RequestParts, type Step } from './request-step.ts';
import { claimRequests, type OpenRequest, type RightState, waitOn } from './store/requests.ts';

const pollMs = 1000;
/** Longer than all calls of one step take. */
const claimMs = 120_000;
const atOnce = 10;
const firstPauseMs = 1000;

/** Brings what people asked for from one state to the next, until `close`. Several brokers may: each step is one broker's. */
export function startRequests(parts: RequestParts): { close: () => Promise<void> } {
  const { clock, logger } = parts;
  const closing = new AbortController();
  const by = randomUUID();
  const working = (async () => {
    while (!closing.signal.aborted) {
      try {
        await workRequests(parts, by);
      } catch (error) {
        logger.error({ err: error }, 'looking for requests of people failed; retrying in 1 s');
      }
      await clock.pause(pollMs, closing.signal);
    }
  })();
  return {
    async close() {
      closing.abort();
      await working;
    },
  };
}

/** One step of each request that is due. @returns how many those were. */
export async function workRequests(parts: RequestParts, by: string): Promise<number> {
  const nowMs = parts.clock.nowMs();
  const due = await claimRequests(parts.db, { by, nowMs, forMs: claimMs }, atOnce);
  await Promise.all(due.map((request) => work(parts, by, request)));
  return due.length;
}

/** Never rejects: what fails is tried again, which each step allows. */
async function work(parts: RequestParts, by: string, request: OpenRequest): Promise<void> {
  const { db, clock, logger } = parts;
  try {
    await steps[request.state](parts, by, request);
  } catch (error) {
    const fault = redactText(String((error as Error).message ?? error));
    const log = { request: request.id, state: request.state, fault };
    if (error instanceof RightError) logger.warn(log, 'GitHub did not do what a request of a person needs; retrying');
    else logger.error({ ...log, err: error }, 'a step of a request of a person failed; retrying');
    if (request.state === 'ending')
      await tellOutlived(parts, by, request).catch((broken: unknown) =>
        logger.error({ err: broken, request: request.id }, 'telling that a right outlives its end failed; retrying'),
      );
    const afterMs = error instanceof RightError && 'afterMs' in error.outcome ? error.outcome.afterMs : undefined;
    const usualMs = firstPauseMs * 2 ** Math.min(request.tries - 1, 10);
    const pauseMs = Math.min(Math.max(afterMs ?? 0, usualMs), longestPauseMs);
    await waitOn(db, { id: request.id, by }, { state: request.state, dueMs: clock.nowMs() + pauseMs, fault }).catch(
      (broken: unknown) =>
        logger.error(
          { err: broken, request: request.id },
          'noting what became of a request failed; it is looked at when its claim ends',
        ),
    );
  }
}

const over: Step = async () => {};
const steps: Record<RightState, Step> = {
  ...{ new: consider, asked: consider, giving: give, given: look, ending: takeBack },
  ...{ ended: over, denied: over, expired: over },
};
