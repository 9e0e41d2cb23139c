import { type NewRecord, type Stream, StreamUnavailableError } from './stream.ts';

/**
 * Appends, and gives up after `timeoutMs`: a log that does not answer is away.
 * @throws what `append` throws, or {@link StreamUnavailableError}; then the records may be in the log all the same.
 */
export async function appendWithin(
  stream: Pick<Stream, 'append'>,
  records: readonly NewRecord[],
  timeoutMs: number,
): Promise<void> {
  const tooLong = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => tooLong.reject(new StreamUnavailableError(`the log did not acknowledge within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const appended = stream.append(records);
  // A failure after the timeout has nobody left to report to.
  appended.catch(() => {});
  try {
    await Promise.race([appended, tooLong.promise]);
  } finally {
    clearTimeout(timer);
  }
}
