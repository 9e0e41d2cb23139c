import { hash } from 'node:crypto';
import type { Clock } from '@tripline/runtime/clock';
import type { Recent } from '@tripline/runtime/recent';
import type { Letter, Letters } from '@tripline/sources/letters';
import type { Poll } from '@tripline/sources/polls';
import type { Ignored } from '@tripline/sources/source';
import type { Stream } from '@tripline/stream/stream';
import type { PollMeasures } from './poll-measures.ts';

type Appending = {
  stream: Pick<Stream, 'append'>;
  poll: Poll;
  /** Events and dead letters that this process has appended. */
  appended: Recent;
  letters: Letters;
  clock: Clock;
  measures: Pick<PollMeasures, 'deadLetters'>;
};

/**
 * Appends a dead letter of each record that could not be read, as far as their rate allows; of one record once, however often
 * windows overlap.
 * @throws {StreamUnavailableError} the cursor must not move over them.
 */
export async function appendLetters(
  { stream, poll, appended, letters, clock, measures }: Appending,
  leftOut: readonly Ignored[],
): Promise<void> {
  const { name: feed } = poll.feed;
  const { name: target, workspace } = poll.target;
  const written: Letter[] = [];
  const names: string[] = [];
  for (const one of leftOut) {
    if (one.unread === undefined) continue;
    const bodySha256 = hash('sha256', JSON.stringify(one.unread.content) ?? '');
    const name = `letter\0${bodySha256}`;
    if (appended.has(name) || names.includes(name)) continue;
    names.push(name);
    const place = [target, one.part ?? []].flat().join(', ');
    const letter = letters.write(one, { feed, workspace, place, bodySha256, atMs: clock.nowMs() });
    if (letter !== undefined) written.push(letter);
  }
  try {
    if (written.length > 0) await stream.append(written.map(({ record }) => record));
  } catch (error) {
    for (const letter of written.reverse()) letter.takeBack();
    throw error;
  }
  for (const name of names) appended.add(name);
  if (written.length > 0) measures.deadLetters(feed, 'kept', written.length);
  if (names.length > written.length) measures.deadLetters(feed, 'over-rate', names.length - written.length);
}
