import { z } from 'zod';

/**
 * How far a feed was read whose records are asked for by time: from `sinceMs` on, page by page. Records appear late, so a
 * window begins before the newest record of the one before it; what is read twice is known by its id.
 */
export type PollWindow = {
  sinceMs: number;
  /** Newest record of this window so far. */
  newestMs: number;
  /** The provider's name of the next page of this window; null at its beginning. */
  page: string | null;
};

const schema = z.strictObject({ sinceMs: z.int(), newestMs: z.int(), page: z.string().nullable() });

/** The window that a cursor stands for; before the first one it begins at `firstMs`. @throws on a cursor that is none of ours. */
export function windowAt(cursor: string | null, firstMs: number): PollWindow {
  if (cursor === null) return { sinceMs: firstMs, newestMs: firstMs, page: null };
  return schema.parse(JSON.parse(cursor));
}

/**
 * The cursor after a page: on to the `next` one, or to a new window that overlaps this one by `overlapMs`. `newestMs`: of the
 * page's records; absent where it had none. A record from the future (`nowMs`) moves nothing beyond now.
 */
export function cursorAfter(
  window: PollWindow,
  read: { newestMs?: number; next: string | null; nowMs: number; overlapMs: number },
): string {
  const newestMs = Math.max(window.newestMs, Math.min(read.newestMs ?? 0, read.nowMs));
  if (read.next !== null) return JSON.stringify({ ...window, newestMs, page: read.next } satisfies PollWindow);
  const sinceMs = Math.max(window.sinceMs, newestMs - read.overlapMs);
  return JSON.stringify({ sinceMs, newestMs, page: null } satisfies PollWindow);
}
