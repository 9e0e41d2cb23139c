import { randomUUID } from 'node:crypto';
import type { LoggedEvent } from '@tripline/contracts/event';
import { redactText } from '@tripline/runtime/redact';
import type { ClientBase } from 'pg';
import { type AnswerParts, answerQuestion } from './gate-answer.ts';
import { questionOf } from './gate-questions.ts';
import { claimQuestions, gateChannel, noteQuestions, postpone, sweepGates } from './store/gates.ts';
import { workOnSignals } from './work-on-signals.ts';

/** Longer than a conversation with GitHub takes: whoever died or is frozen loses its claims then. */
export const claimMs = 60_000;
/** Questions that are answered at once: they mostly wait for GitHub. What failed before takes no room from what is new. */
const rooms = { fresh: 16, failing: 8 };
/** New questions are signalled by NOTIFY; polling finds those that become due. */
const pollMs = 250;
/** GitHub itself ends what waits for thirty days. */
const keptMs = 35 * 86_400_000;
const sweepEveryMs = 3_600_000;

export type Gate = {
  close: () => Promise<void>;
};

/** Keeps the questions among events, in the transaction that moves past them. */
export function hearQuestions(client: ClientBase, events: readonly LoggedEvent[], nowMs: number): Promise<void> {
  const questions = events.flatMap((event) => questionOf(event) ?? []);
  return noteQuestions(client, questions, nowMs);
}

/**
 * Answers GitHub's deployment protection rule until `close`. Any number may run: each question is one worker's at a time, and
 * nobody gives a second verdict.
 */
export function startGate(parts: AnswerParts): Gate {
  const { db, clock } = parts;
  const by = randomUUID();
  const inHand = new Map<Promise<void>, 'fresh' | 'failing'>();
  let sweptMs = 0;
  const working = workOnSignals(
    parts,
    { channel: gateChannel, pollMs, failing: 'reading what the gate was asked failed; retrying' },
    async () => {
      await answerSome();
      const nowMs = clock.nowMs();
      if (nowMs - sweptMs < sweepEveryMs) return;
      await sweepGates(db, nowMs - keptMs);
      sweptMs = nowMs;
    },
  );
  async function answerSome(): Promise<void> {
    const room = { ...rooms };
    for (const which of inHand.values()) room[which] -= 1;
    if (room.fresh + room.failing === 0) return;
    const nowMs = clock.nowMs();
    for (const question of await claimQuestions(db, { by, nowMs, forMs: claimMs }, room)) {
      const answering: Promise<void> = answerSafely(parts, by, question).finally(() => {
        inHand.delete(answering);
        working.notify();
      });
      inHand.set(answering, question.isFailing ? 'failing' : 'fresh');
    }
  }
  return {
    async close() {
      await working.close();
      await Promise.all(inHand.keys());
    },
  };
}

/** Answers all that is due now, once each. @returns how many those were. */
export async function answerDue(parts: AnswerParts, by: string): Promise<number> {
  const nowMs = parts.clock.nowMs();
  const due = await claimQuestions(parts.db, { by, nowMs, forMs: claimMs }, rooms);
  await Promise.all(due.map((question) => answerSafely(parts, by, question)));
  return due.length;
}

/** Never rejects: what cannot be noted is due again when its claim expires. */
async function answerSafely(
  parts: AnswerParts,
  by: string,
  question: Parameters<typeof answerQuestion>[2],
): Promise<void> {
  const { db, clock, logger } = parts;
  try {
    await answerQuestion(parts, by, question);
  } catch (error) {
    logger.error({ err: error, question: question.id }, 'answering a question to the gate failed; it is tried again');
    const fault = redactText(String((error as Error).message ?? error));
    await postpone(db, { id: question.id, by }, { dueMs: clock.nowMs() + 1000, fault }).catch(() => {});
  }
}
