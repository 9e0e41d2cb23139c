import type { Letters } from '@tripline/sources/letters';
import type { SecretScope } from '@tripline/sources/secrets';
import type { Ignored } from '@tripline/sources/source';
import { RecordTooLargeError } from '@tripline/stream/stream';
import type { createAppender } from './appender.ts';
import type { createDeliveries } from './deliveries.ts';
import type { createMeasures } from './measures.ts';

type Keeping = {
  letters: Letters;
  /** Which letters were kept: apart from deliveries, which a sender of bad records must not have forgotten. */
  keptLetters: ReturnType<typeof createDeliveries>;
  appender: Pick<ReturnType<typeof createAppender>, 'append'>;
  measures: Pick<ReturnType<typeof createMeasures>, 'deadLetter'>;
};

/** The delivery of which something could not be read. */
type LetterOrigin = {
  source: string;
  /** What its headers say of it, made safe to display. */
  claims: { delivery?: string | undefined; event?: string | undefined };
  bodySha256: string;
  receivedAtMs: number;
  secretScope: SecretScope;
};

/**
 * Keeps a dead letter of each part that could not be read, as far as their rate allows; of the same delivery once. Resolves when
 * all are on disk.
 * @throws {NotKeptError} one is not: the delivery must not be acknowledged.
 */
export async function keepLetters(
  { letters, keptLetters, appender, measures }: Keeping,
  parts: readonly Ignored[],
  { source, claims, bodySha256, receivedAtMs, secretScope }: LetterOrigin,
): Promise<void> {
  for (const part of parts) {
    if (part.unread === undefined) continue;
    const place = [claims.delivery ?? [], claims.event ?? [], part.part ?? []].flat().join(', ');
    await keptLetters.once(`${source}\0${bodySha256}\0${place}`, async () => {
      const workspace = workspaceOf(secretScope);
      const origin = { feed: source, workspace, place, bodySha256, atMs: receivedAtMs };
      const letter = letters.write(part, origin);
      if (letter === undefined) return measures.deadLetter(source, 'over-rate');
      try {
        await appender.append(letter.record);
        measures.deadLetter(source, 'kept');
      } catch (error) {
        // The log would never take it: it is counted, and must not be sent again.
        if (error instanceof RecordTooLargeError) return measures.deadLetter(source, 'too-large');
        letter.takeBack();
        throw error;
      }
    });
  }
}

/** The only workspace that the sender speaks for: whose a body is that cannot be read is not known by itself. */
const workspaceOf = (scope: SecretScope): string | undefined =>
  scope.kind === 'workspaces' && scope.ids.length === 1 ? scope.ids[0] : undefined;
