import { escapeCode } from './text.ts';

/** What became of what somebody was asked. `closed`: nobody approved it in time, or the number was wrong too often; `by` is null then. */
export type Answered = { is: 'approved' | 'refused' | 'closed'; by: string | null; atMs: number };

const words: Record<Answered['is'], string> = {
  ...{ approved: '✅ Approved', refused: '⛔ Denied', closed: '⚪ Nobody approved it; it is over' },
};

/** `✅ Approved by ada at 12:03 UTC`. Names may be a stranger's. */
export function answeredLine({ is, by, atMs }: Answered): string {
  const whom = by === null ? '' : ` by \`${escapeCode(by, 100)}\``;
  return `${words[is]}${whom} at ${new Date(atMs).toISOString().slice(11, 16)} UTC`;
}
