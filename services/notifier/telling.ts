import type { Db } from '@tripline/db/database';
import type { MessageKind, Mode, SinkName } from '@tripline/db/tables/messages';
import { clearSinkTrouble, mendedByPeople, noteSinkTrouble } from '@tripline/health/sink-troubles';
import type { Outcome } from '@tripline/integrations/outcome';
import { failpoint } from '@tripline/runtime/failpoint';
import type { Logger } from '@tripline/runtime/logger';
import type { Measures } from './measures.ts';
import type { Pace } from './pace.ts';
import {
  type Claim,
  forgetMessage,
  noteIntent,
  type Progress,
  recordFailure,
  recordSent,
  recordSkipped,
  releaseClaim,
} from './store/messages.ts';

/** What a sink lacks next: a message to send, or only a note that nothing need be sent. */
export type Step =
  | {
      kind: MessageKind;
      /** What is noted as about to be sent; its kind, unless more must be known of it after a crash. */
      intent?: string;
      /** For people, one line. */
      line: string;
      render: (options: { possiblyRepeated: boolean }) => Record<string, unknown>;
      send: (body: Record<string, unknown>) => Promise<{ outcome: Outcome; left?: Partial<Progress> }>;
      /** The incident's version that is being told; a step that is given up takes the rest of the way with it. */
      version: number;
      /** Where the telling stands once it is sent. */
      after: Progress;
      /** Where the telling stands when it is given up, and the rest of the way goes on; absent, that is left with it. */
      givenUp?: Progress;
      /** Sending it again shows it again: a repeat must be marked. */
      repeats: boolean;
      /** Where the message that it changes or answers is gone, the incident is posted anew. */
      replaceable?: true;
      /** When the newest of what it tells was recorded, ms; absent for what is no news. */
      newsMs?: readonly number[];
      /** Runs after the message is recorded. */
      recorded?: (claim: Claim) => Promise<void>;
    }
  | { kind: 'nothing'; after: Progress }
  /** What there is to tell waits for more to come, and is told with it. */
  | { kind: 'wait'; afterMs: number };

/** Something told to somebody: handed to whoever shows it. */
export type Told = {
  incident: string | null;
  sink: SinkName;
  kind: MessageKind;
  mode: Mode;
  line: string;
  body: Record<string, unknown>;
};

export type Sink = {
  name: SinkName;
  mode: Mode;
  /** Which calls share a limit, and how much of its burst a kind of message leaves to more urgent ones. */
  paceOf: (kind: MessageKind) => { pace: Pace; keep: number };
  paces: readonly Pace[];
  /** The pace of an incident's first message. */
  newsPace: Pace;
  /** Whether a call that ended so may have been carried out. */
  mayHaveBeenDone: (reason: string) => boolean;
  /** Calls in a row that did not succeed, whatever they told. */
  troubles: number;
  /** Whether Postgres may say that it takes nothing: so at the start, since nobody knows. */
  mayBeNoted: boolean;
};

export type TellingParts = {
  db: Db;
  logger: Logger;
  measures: Measures;
  claimMs: number;
  onTold?: ((told: Told) => void) | undefined;
};

/** How it ended: in step, or to be taken up again after so long. */
type Ending = { kind: 'in-step' } | { kind: 'later'; afterMs: number };

const backoffMs = [1000, 2000, 5000, 15_000, 60_000, 300_000];
/** A sink that somebody must mend is asked more seldom, and hears what it missed within minutes of being mended. */
const longestHoldMs = { usual: 30_000, mendable: 120_000 };

/**
 * Brings one claimed telling in step: compare → send what is missing → record, until nothing is missing. No lock and no
 * transaction is held over a call; what is about to be sent is noted before, so that a crash in between is known of.
 */
export async function bringInStep(
  parts: TellingParts,
  sink: Sink,
  claim: Claim,
  next: (claim: Claim) => Promise<Step | undefined>,
): Promise<void> {
  const held = { current: claim };
  let ending: Ending = { kind: 'later', afterMs: backoffMs[0]! };
  try {
    ending = await tellWhatIsMissing(parts, sink, held, next);
  } finally {
    failpoint('notifier.before-release');
    await releaseClaim(parts.db, held.current, ending.kind === 'later' ? ending.afterMs : undefined);
    failpoint('notifier.after-release');
  }
}

async function tellWhatIsMissing(
  parts: TellingParts,
  sink: Sink,
  held: { current: Claim },
  next: (claim: Claim) => Promise<Step | undefined>,
): Promise<Ending> {
  const { db, measures } = parts;
  for (;;) {
    const { telling } = held.current;
    const step = await next(held.current);
    failpoint('notifier.after-compare');
    if (step === undefined) return { kind: 'in-step' };
    if (step.kind === 'nothing') {
      held.current = await recordSkipped(db, held.current, step.after);
      failpoint('notifier.after-skip');
      continue;
    }
    if (step.kind === 'wait') {
      if (held.current.intended !== undefined) await noteIntent(db, held.current, null, parts.claimMs);
      return { kind: 'later', afterMs: step.afterMs };
    }
    const { pace, keep } = sink.paceOf(step.kind);
    const waitMs = sink.mode === 'live' ? pace.admit({ keep }) : 0;
    const { intended, ...claim } = held.current;
    held.current = claim;
    if (waitMs > 0) {
      if (intended !== undefined) await noteIntent(db, claim, null, parts.claimMs);
      return { kind: 'later', afterMs: waitMs };
    }
    const intent = step.intent ?? step.kind;
    const possiblyRepeated = step.repeats && telling.intent === intent;
    const isNoted = intended === intent || (await noteIntent(db, claim, intent, parts.claimMs));
    if (!isNoted) return { kind: 'later', afterMs: 50 };
    failpoint('notifier.after-intent');
    const body = step.render({ possiblyRepeated });
    failpoint('notifier.before-send');
    const { outcome, left } = await step.send(body);
    failpoint('notifier.after-send');
    measures.told(sink.name, sink.mode, outcome);
    if (outcome.kind === 'done') {
      sink.troubles = 0;
      const message = { kind: step.kind, mode: sink.mode, body, possiblyRepeated };
      held.current = await recordSent(db, held.current, message, { ...step.after, ...left });
      failpoint('notifier.after-record');
      await step.recorded?.(held.current);
      measures.latency(sink.name, step.newsMs ?? []);
      if (sink.mayBeNoted) await clearSinkTrouble(db, sink.name);
      sink.mayBeNoted = false;
      const { incident } = telling;
      parts.onTold?.({ incident, sink: sink.name, kind: step.kind, mode: sink.mode, line: step.line, body });
      continue;
    }
    const log = { incident: telling.incident, sink: sink.name, kind: step.kind, reason: outcome.reason };
    if (outcome.kind === 'give-up' && outcome.reason === 'message-gone' && step.replaceable) {
      parts.logger.warn(log, `${step.kind} is posted anew: ${outcome.message}`);
      held.current = await forgetMessage(db, held.current);
      continue;
    }
    const isMendable = mendedByPeople.has(outcome.reason);
    if (outcome.kind === 'give-up' && !isMendable) {
      parts.logger.error(log, `${step.kind} was given up: ${outcome.message}`);
      const left = step.givenUp ?? { version: step.version };
      held.current = await recordSkipped(db, held.current, left, outcome.reason);
      failpoint('notifier.after-give-up');
      if (step.givenUp !== undefined) continue;
      return { kind: 'in-step' };
    }
    const askedAfterMs = outcome.kind === 'retry' ? outcome.afterMs : undefined;
    if (outcome.reason === 'rate-limited') pace.hold(askedAfterMs ?? 30_000);
    else {
      holdOff(sink, isMendable ? longestHoldMs.mendable : longestHoldMs.usual);
      sink.mayBeNoted = true;
      await noteSinkTrouble(db, sink.name, outcome.reason);
    }
    const unknown = sink.mayHaveBeenDone(outcome.reason) || possiblyRepeated;
    await recordFailure(db, held.current, outcome.reason, unknown);
    failpoint('notifier.after-failure');
    const afterMs = askedAfterMs ?? backoffMs[Math.min(telling.failures, backoffMs.length - 1)]!;
    const level = isMendable ? 'error' : 'warn';
    parts.logger[level]({ ...log, afterMs }, `${step.kind} is to be tried again: ${outcome.message ?? outcome.reason}`);
    return { kind: 'later', afterMs };
  }
}

/** A service that fails again and again is asked ever more seldom: what else there is to tell waits meanwhile, untried. */
function holdOff(sink: Sink, longestMs: number): void {
  sink.troubles += 1;
  const holdMs = sink.troubles < 2 ? 0 : (backoffMs[sink.troubles - 2] ?? longestMs);
  for (const pace of sink.paces) pace.hold(Math.min(holdMs, longestMs));
}
