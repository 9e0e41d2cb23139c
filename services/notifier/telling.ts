import { randomUUID } from 'node:crypto';
import type { Db } from '@tripline/db/database';
import {
  type Claim,
  claimTelling,
  noteIntent,
  type Progress,
  recordFailure,
  recordSent,
  recordSkipped,
  releaseClaim,
  type Telling,
} from '@tripline/db/messages';
import type { MessageKind, Mode, SinkName } from '@tripline/db/tables/messages';
import type { Outcome } from '@tripline/integrations/outcome';
import { failpoint } from '@tripline/runtime/failpoint';
import type { Logger } from '@tripline/runtime/logger';
import type { Measures } from './measures.ts';
import type { Pace } from './pace.ts';

/** What a sink lacks next: a message to send, or only a note that nothing need be sent. */
export type Step =
  | {
      kind: MessageKind;
      /** For people, one line. */
      line: string;
      render: (options: { possiblyRepeated: boolean }) => Record<string, unknown>;
      send: (body: Record<string, unknown>) => Promise<{ outcome: Outcome; left?: Partial<Progress> }>;
      /** The incident's version that is being told; a step that is given up takes the rest of the way with it. */
      version: number;
      /** Where the telling stands once it is sent. */
      after: Progress;
      /** Sending it again shows it again: a repeat must be marked. */
      repeats: boolean;
      /** When the newest of what it tells was recorded, ms; absent for what is no news. */
      newsMs?: readonly number[];
      /** Runs after the message is recorded. */
      recorded?: (claim: Claim) => Promise<void>;
    }
  | { kind: 'nothing'; after: Progress };

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
  /** Whether a call that ended so may have been carried out. */
  mayHaveBeenDone: (reason: string) => boolean;
};

export type TellingParts = {
  db: Db;
  logger: Logger;
  measures: Measures;
  claimMs: number;
  onTold?: ((told: Told) => void) | undefined;
};

/** How the job ended: in step, or to be taken up again after so long. */
export type Ending = { kind: 'in-step' } | { kind: 'snooze'; afterMs: number };

const backoffMs = [1000, 2000, 5000, 15_000, 60_000, 300_000];

/**
 * Brings one telling in step: claim → compare → send what is missing → record, until nothing is missing. No lock and no
 * transaction is held over a call; what is about to be sent is noted before, so that a crash in between is known of.
 */
export async function bringInStep(
  parts: TellingParts,
  sink: Sink,
  id: number,
  next: (telling: Telling) => Promise<Step | undefined>,
): Promise<Ending> {
  for (;;) {
    failpoint('notifier.before-claim');
    const claimed = await claimTelling(parts.db, id, randomUUID(), parts.claimMs);
    failpoint('notifier.after-claim');
    // Whoever has the claim looks again after giving it back; this is for the case that it never does.
    if ('busyForMs' in claimed) return { kind: 'snooze', afterMs: claimed.busyForMs + 50 };
    const held = { current: claimed };
    try {
      const ending = await tellWhatIsMissing(parts, sink, held, next);
      if (ending !== undefined) return ending;
    } finally {
      failpoint('notifier.before-release');
      await releaseClaim(parts.db, held.current);
      failpoint('notifier.after-release');
    }
    // A change that came while the claim was held found it held, and left it to us.
    if ((await next(held.current.telling)) === undefined) return { kind: 'in-step' };
  }
}

async function tellWhatIsMissing(
  parts: TellingParts,
  sink: Sink,
  held: { current: Claim },
  next: (telling: Telling) => Promise<Step | undefined>,
): Promise<Ending | undefined> {
  const { db, measures } = parts;
  for (;;) {
    const { telling } = held.current;
    const step = await next(telling);
    failpoint('notifier.after-compare');
    if (step === undefined) return undefined;
    if (step.kind === 'nothing') {
      held.current = await recordSkipped(db, held.current, step.after);
      failpoint('notifier.after-skip');
      continue;
    }
    const { pace, keep } = sink.paceOf(step.kind);
    const waitMs = sink.mode === 'live' ? pace.admit(`${sink.name} ${telling.id}`, { keep }) : 0;
    if (waitMs > 0) return { kind: 'snooze', afterMs: waitMs };
    const possiblyRepeated = step.repeats && telling.intent === step.kind;
    if (!(await noteIntent(db, held.current, step.kind, parts.claimMs))) return { kind: 'snooze', afterMs: 50 };
    failpoint('notifier.after-intent');
    const body = step.render({ possiblyRepeated });
    failpoint('notifier.before-send');
    const { outcome, left } = await step.send(body);
    failpoint('notifier.after-send');
    measures.told(sink.name, sink.mode, outcome);
    if (outcome.kind === 'done') {
      const message = { kind: step.kind, mode: sink.mode, body, possiblyRepeated };
      held.current = await recordSent(db, held.current, message, { ...step.after, ...left });
      failpoint('notifier.after-record');
      await step.recorded?.(held.current);
      measures.latency(sink.name, step.newsMs ?? []);
      const { incident } = telling;
      parts.onTold?.({ incident, sink: sink.name, kind: step.kind, mode: sink.mode, line: step.line, body });
      continue;
    }
    const log = { incident: telling.incident, sink: sink.name, kind: step.kind, reason: outcome.reason };
    if (outcome.kind === 'give-up') {
      parts.logger.error(log, `${step.kind} was given up: ${outcome.message}`);
      held.current = await recordSkipped(db, held.current, { version: step.version }, outcome.reason);
      failpoint('notifier.after-give-up');
      return { kind: 'in-step' };
    }
    if (outcome.reason === 'rate-limited') pace.hold(outcome.afterMs ?? 30_000);
    const unknown = sink.mayHaveBeenDone(outcome.reason) || possiblyRepeated;
    await recordFailure(db, held.current, outcome.reason, unknown);
    failpoint('notifier.after-failure');
    const afterMs = outcome.afterMs ?? backoffMs[Math.min(telling.failures, backoffMs.length - 1)]!;
    parts.logger.warn({ ...log, afterMs }, `${step.kind} is to be tried again: ${outcome.message ?? outcome.reason}`);
    return { kind: 'snooze', afterMs };
  }
}
