import type { Poison } from '@tripline/engine/effects';
import { deadLetter } from '@tripline/stream/dead-letter';
import type { Stream, StreamRecord } from '@tripline/stream/stream';

/**
 * Appends what a batch dead-letters to the dead-letter topic, each with its reason and the rule that threw. Comes
 * before the commit: a crash between them appends it twice, never loses it.
 * @throws {StreamUnavailableError} the log is away: the batch must not be committed.
 */
export async function deadLetterAll(
  stream: Stream,
  poison: readonly Poison[],
  from: { topic: string; partition: number },
) {
  for (const { rule, reason, record, timer } of poison) {
    const of = record ?? recordOfTimer(timer!, from);
    const headers = rule === null ? of.headers : { ...of.headers, tripline_rule: rule };
    await deadLetter(stream, { ...of, headers }, reason);
  }
}

/** A timer has no offset; its description is the record. */
function recordOfTimer(timer: NonNullable<Poison['timer']>, from: { topic: string; partition: number }): StreamRecord {
  return {
    ...from,
    offset: -1,
    appendedAtMs: timer.dueMs,
    key: timer.workspace,
    headers: { 'content-type': 'application/json', tripline_timer: timer.id },
    value: Buffer.from(JSON.stringify(timer)),
  };
}
