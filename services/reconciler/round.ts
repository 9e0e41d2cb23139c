import type { Db } from '@tripline/db/database';
import { type OfHook, oldestQuestionMs, recordListed, recordNotListed } from '@tripline/db/delivery-questions';
import { type DeliveryAttempt, deliveriesKeptMs, type HookClient } from '@tripline/integrations/github/deliveries';
import { CannotReadError } from '@tripline/integrations/github/reader';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Measures } from './measures.ts';
import { type HookHold, keepHook, type Look } from './store/hooks.ts';
import { type AttemptedDelivery, findDue, recordAttempts, recordRequested, reportLate } from './store/undelivered.ts';

/** One round over one webhook that this process holds. */
export type Round = {
  db: Db;
  hold: HookHold;
  /** Whose deliveries it may list, and which other webhooks' lists there are. */
  of: OfHook;
  others: readonly OfHook[];
  client: HookClient;
  clock: Clock;
  log: Logger;
  measures: Measures;
  /** Nothing more is begun after this time. */
  endMs: number;
  signal: AbortSignal;
};

/** How a look ended. `answering`: the receiver answered the newest attempt, with whatever status. */
export type Looked = { finished: boolean; answering: boolean };

/** How long a lease lasts after its last renewal; a request takes ten seconds at most. */
export const leaseMs = 30_000;
/** Less than the ten minutes for which an App's JWT is valid. */
export const roundMs = 300_000;
/** GitHub gives 900 points a minute: a page of 100 attempts costs one, a request to deliver again five. */
const pagesARound = 100;
const asksARound = 120;
/** While the receiver does not answer, so many requests probe whether it does again. */
const probesARound = 5;
/** Read again by the next look, since an attempt is listed when it has ended, and attempts end out of order. */
const overlapMs = 300_000;
/** An attempt may be listed before its answer is; GitHub waits ten seconds for one. */
const settleMs = 30_000;
/** After this an attempt is on GitHub's list; its clock may differ from the log's. */
const listedWithinMs = 60_000;
/** Pause before the next attempt at one delivery: doubled with each, up to the longest. */
const firstPauseMs = 60_000;
const longestPauseMs = 6 * 3_600_000;

/**
 * Reads GitHub's list, newest first, down to where the last look began, and records it page by page. A look too long
 * for one round is continued by the next.
 * @throws {CannotReadError} {HookTakenError}
 */
export async function lookThrough(round: Round, before: Look): Promise<Looked> {
  const { db, hold, clock, measures, log } = round;
  const nowMs = clock.nowMs();
  const missingDownToMs = before.lookedUntilMs === null ? nowMs - deliveriesKeptMs : before.lookedUntilMs - overlapMs;
  // Doubted deliveries may be further down the list than missing ones.
  const askedMs = await oldestQuestionMs(db, round.of);
  const downToMs = Math.max(nowMs - deliveriesKeptMs, Math.min(missingDownToMs, (askedMs ?? nowMs) - overlapMs));
  let { unfinished } = before;
  /** Attempts until this time are on the pages that are read now. */
  const wholeUntilMs = (unfinished?.newestMs ?? nowMs) - listedWithinMs;
  let answering = false;
  for (let pages = 0; pages < pagesARound && goesOn(round); pages += 1) {
    const { attempts, next } = await page(round, before, unfinished?.cursor ?? null);
    measures.seen(attempts.length);
    const newestMs = unfinished?.newestMs ?? attempts[0]?.atMs;
    if (unfinished === null) answering = attempts[0] !== undefined && isAnswer(attempts[0]);
    const oldestMs = attempts.at(-1)?.atMs;
    const goesDown = next !== null && newestMs !== undefined && oldestMs !== undefined && oldestMs >= downToMs;
    unfinished = goesDown ? { newestMs, cursor: next } : null;
    const lookedUntilMs = goesDown ? before.lookedUntilMs : (newestMs ?? before.lookedUntilMs);
    const heldUntilMs = clock.nowMs() + leaseMs;
    const recent = attempts.filter(({ atMs }) => atMs >= missingDownToMs);
    const made = await recordAttempts(
      db,
      hold,
      together(recent),
      { lookedUntilMs, unfinished },
      { heldUntilMs, settleMs },
    );
    measures.made(made);
    await recordListed(db, round.of, attempts);
    if (made > 0) log.info({ made }, 'missing deliveries have arrived');
    if (!goesDown) {
      const since = next === null ? 0 : downToMs;
      const answered = await recordNotListed(db, round.of, {
        ...{ sinceMs: since, untilMs: wholeUntilMs, others: round.others },
      });
      if (answered.notListed > 0)
        log.warn(answered, 'received deliveries that GitHub does not list; they repeat earlier bodies');
      const late = await reportLate(db, hold.hook);
      if (late > 0) log.info({ late }, 'appended to the log when late deliveries were first attempted');
      return { finished: true, answering };
    }
  }
  return { finished: false, answering };
}

/** A cursor of an earlier round that GitHub no longer accepts is dropped: the look starts over. */
async function page(round: Round, before: Look, cursor: string | null) {
  try {
    return await round.client.list(cursor);
  } catch (error) {
    const stale = cursor !== null && cursor === before.unfinished?.cursor;
    if (!(stale && error instanceof CannotReadError && error.outcome.reason === 'rejected')) throw error;
    round.log.warn('GitHub rejected the page cursor; starting again from the newest attempt');
    const heldUntilMs = round.clock.nowMs() + leaseMs;
    await recordAttempts(round.db, round.hold, [], { ...before, unfinished: null }, { heldUntilMs, settleMs });
    throw new CannotReadError({ kind: 'retry', reason: error.outcome.reason, message: error.message });
  }
}

/**
 * Asks GitHub to make the missing deliveries again that are due; only a few while the receiver answers nothing.
 * @throws {CannotReadError} when GitHub limits the rate or does not answer. {HookTakenError}
 */
export async function requestRedeliveries(round: Round, { answering }: Looked): Promise<void> {
  const { db, hold, client, clock, measures, log } = round;
  const limit = answering ? asksARound : probesARound;
  const due = await findDue(db, hold.hook, { nowMs: clock.nowMs(), limit });
  let asked = 0;
  for (const { guid, attempt, asked: times } of due) {
    if (!goesOn(round)) break;
    const nowMs = clock.nowMs();
    await keepHook(db, hold, nowMs + leaseMs);
    await recordRequested(db, hold.hook, guid, nowMs + Math.min(firstPauseMs * 2 ** times, longestPauseMs));
    const outcome = await client.redeliver(attempt);
    measures.asked(outcome);
    if (outcome.kind === 'retry') throw new CannotReadError(outcome);
    if (outcome.kind === 'done' && outcome.reason === 'accepted') asked += 1;
    else log.warn({ delivery: guid, reason: outcome.reason }, 'GitHub refused to redeliver; retrying later');
  }
  if (asked > 0) log.info({ asked, answering }, 'requested redeliveries');
}

function goesOn({ clock, endMs, signal }: Round): boolean {
  return !signal.aborted && clock.nowMs() < endMs;
}

/** Whether the receiver answered, and not a proxy in front of it: a refusal is an answer too. */
function isAnswer({ statusCode }: DeliveryAttempt): boolean {
  return statusCode >= 200 && statusCode < 500;
}

/** The attempts of a page, one line a delivery. */
function together(attempts: readonly DeliveryAttempt[]): AttemptedDelivery[] {
  const seen = new Map<string, AttemptedDelivery>();
  for (const { guid, id, event, atMs, statusCode, made, redelivery } of attempts) {
    const newer = seen.get(guid);
    if (newer === undefined) {
      const madeMs = made ? atMs : null;
      seen.set(guid, {
        ...{ guid, attempt: id, event, statusCode, madeMs, redelivered: redelivery },
        ...{ oldestMs: atMs, newestMs: atMs },
      });
      continue;
    }
    newer.oldestMs = Math.min(newer.oldestMs, atMs);
    newer.madeMs ??= made ? atMs : null;
    newer.redelivered ||= redelivery;
  }
  return [...seen.values()];
}
