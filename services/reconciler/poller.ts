import { randomUUID } from 'node:crypto';
import { checkAnswers } from '@tripline/db/check-answers';
import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import { createRecent, type Recent } from '@tripline/runtime/recent';
import { createLetters, type Letters } from '@tripline/sources/letters';
import type { Poll } from '@tripline/sources/polls';
import { type Stream, StreamUnavailableError } from '@tripline/stream/stream';
import { createPollMeasures, type PollMeasures } from './poll-measures.ts';
import { NotReadError, pollLeaseMs, pollRoundMs, readOn } from './poll-round.ts';
import { createPollTokens, type PollTokens } from './poll-token.ts';
import {
  declarePolls,
  leavePoll,
  type PollFailure,
  type PollHold,
  type PollState,
  PollTakenError,
  takePoll,
} from './store/polls.ts';

export type PollerParts = {
  /** What is asked; see `readPolls` of packages/sources. */
  polls: readonly Poll[];
  /** Whose App has tokens issued, where a feed asks with one. */
  config: Parameters<typeof createPollTokens>[0];
  db: Db;
  stream: Pick<Stream, 'append'>;
  logger: Logger;
  clock: Clock;
  metrics: Metrics;
  fetch?: typeof globalThis.fetch;
};

export type Poller = {
  /** Resolves when the database answers; rejects with the reason. */
  ready: () => Promise<void>;
  /** Aborts the request under way, releases the polls, then stops. */
  close: () => Promise<void>;
};

/** How often a poll is looked for that nobody holds: another process may have died with it. */
const lookMs = 5000;
/** After a refusal that a person must fix. */
const refusedPauseMs = 600_000;
/** Pause after the first failure: doubled with each, up to the longest. */
const firstPauseMs = 15_000;
const longestPauseMs = 900_000;
/** However long a provider asks to be left alone. */
const longestRestMs = 3_600_000;
/** Ids of one poll that are remembered, and up to as many from before them: far more than an overlap holds. */
const rememberedIds = 50_000;

/** What the steps of polling share. */
type Polling = Pick<PollerParts, 'db' | 'stream' | 'logger' | 'clock'> & {
  measures: PollMeasures;
  tokens: PollTokens;
  letters: Letters;
  stopping: AbortController;
};

/**
 * Reads every feed that is asked instead of posted to, each from where its cursor stands, at its own interval. Starts with
 * creation; several processes take turns by a lease in Postgres, which fences whoever lost it.
 */
export async function createPoller({ polls, metrics, config, fetch, ...parts }: PollerParts): Promise<Poller> {
  const { db, logger, clock } = parts;
  const polling: Polling = {
    ...parts,
    tokens: createPollTokens(config, { clock, logger, fetch }),
    measures: createPollMeasures(metrics, db, clock),
    letters: createLetters(),
    stopping: new AbortController(),
  };
  if (polls.length > 0) {
    const named = polls.map(({ feed, target }) => ({ feed: feed.name, target: target.name }));
    logger.info({ polls: named }, 'reading polled feeds');
    await declarePolls(db, named, { holder: randomUUID(), nowMs: clock.nowMs() }).catch((error) =>
      logger.warn({ err: error }, 'writing down which feeds are polled failed; each is when it is read first'),
    );
  }
  const running = Promise.all(polls.map((poll) => run(polling, poll)));
  return {
    ready: async () => {
      await checkAnswers(db);
    },
    close: async () => {
      polling.stopping.abort();
      await running;
    },
  };
}

async function run(polling: Polling, poll: Poll): Promise<void> {
  const { clock, logger, stopping } = polling;
  const log = logger.child({ feed: poll.feed.name, target: poll.target.name });
  const appended = createRecent(rememberedIds);
  let failure: string | null = null;
  while (!stopping.signal.aborted) {
    try {
      failure = await takeTurn(polling, poll, { log, appended, former: failure });
    } catch (error) {
      log.error({ err: error }, 'reading a polled feed failed; retrying');
    }
    await clock.pause(lookMs, stopping.signal);
  }
}

type Turn = { log: Logger; appended: Recent; former: string | null };

/** Takes the poll, unless somebody holds it, reads on, and leaves it until the next round. Answers why it failed, if it did. */
async function takeTurn(polling: Polling, poll: Poll, { log, appended, former }: Turn): Promise<string | null> {
  const { db, stream, clock, measures, tokens, letters, stopping } = polling;
  const { feed, target } = poll;
  const hold: PollHold = { feed: feed.name, target: target.name, holder: randomUUID() };
  const beganMs = clock.nowMs();
  const state = await takePoll(db, hold, { nowMs: beganMs, untilMs: beganMs + pollLeaseMs });
  if (state === null) return former;
  const { signal } = stopping;
  try {
    const endMs = beganMs + pollRoundMs;
    const round = { db, stream, poll, hold, appended, letters, clock, log, measures, signal, endMs };
    const read = (headers: Readonly<Record<string, string>>) => readOn({ ...round, headers }, state);
    const { finished, restMs } = await (target.token === undefined ? read({}) : tokens.issue(target.token, read));
    measures.round(feed.name, finished ? 'done' : 'unfinished');
    const pauseMs = Math.max(finished ? target.intervalMs : 0, Math.min(restMs, longestRestMs));
    await leave(polling, hold, { pauseMs, failure: null });
    return null;
  } catch (error) {
    // Whoever has it now says when it is due.
    if (error instanceof PollTakenError) return former;
    if (signal.aborted) {
      await leave(polling, hold, { pauseMs: 0, failure: null });
      return former;
    }
    const { pauseMs, ...failure } = failureOf(error, state);
    measures.round(feed.name, failure.kind === 'rate-limited' ? 'rate-limited' : 'failed');
    await leave(polling, hold, { pauseMs, failure });
    // An internal error is logged in full; of the provider's errors, each reason once.
    if (!(error instanceof NotReadError) && !(error instanceof StreamUnavailableError))
      log.error({ err: error }, 'reading a polled feed failed; the same page is read again after a pause');
    else if (failure.message !== former)
      log.warn({ kind: failure.kind, pauseMs }, `reading a polled feed failed: ${failure.message}`);
    return failure.message;
  }
}

function leave(
  { db, clock, stopping }: Polling,
  hold: PollHold,
  { pauseMs, failure }: { pauseMs: number; failure: PollFailure | null },
): Promise<void> {
  const nowMs = clock.nowMs();
  return leavePoll(db, hold, { nowMs, untilMs: stopping.signal.aborted ? nowMs : nowMs + pauseMs, failure });
}

/** What a failed round is told as, and how long nobody asks again. */
function failureOf(error: unknown, { failures }: PollState): PollFailure & { pauseMs: number } {
  const backOffMs = Math.min(firstPauseMs * 2 ** Math.min(failures, 10), longestPauseMs);
  if (error instanceof StreamUnavailableError)
    return { kind: 'retry', message: 'the log accepts no events: check it', pauseMs: backOffMs };
  if (!(error instanceof NotReadError)) {
    return {
      kind: 'give-up',
      message: 'a page could not be read: the log of the reconciler says why',
      pauseMs: backOffMs,
    };
  }
  const { refused: kind, message, afterMs } = error.refused;
  if (kind === 'give-up') return { kind, message, pauseMs: refusedPauseMs };
  if (afterMs === undefined) return { kind, message, pauseMs: backOffMs };
  return { kind, message, pauseMs: Math.min(Math.max(afterMs, firstPauseMs), longestRestMs) };
}
