import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';
import type { Poll } from '@tripline/sources/polls';

/** How long nothing may be read before it is told: what a network or a provider loses for a minute is over by then. */
const patienceMs = { retry: 5 * 60_000, 'rate-limited': 3_600_000, 'give-up': 0 } as const;
/** A poll is taken again when its pause is over, within seconds. */
const overdueMs = 5 * 60_000;
/** Records that are lost are told for so long. */
const lostToldMs = 24 * 3_600_000;

type PollRow = {
  feed: string;
  target: string;
  unfinished: boolean;
  whole_until: Date | null;
  held_until: Date;
  failing_since: Date | null;
  failed_kind: keyof typeof patienceMs | null;
  failed_reason: string | null;
  lost_from: Date | null;
  lost_until: Date | null;
  lost_at: Date | null;
  lost_records: string | null;
};

/** How the feeds are that are asked: one check each, in the order of `polls`. */
export async function checkPolls(db: Db, polls: readonly Poll[], nowMs: number): Promise<Check[]> {
  if (polls.length === 0) return [];
  const { rows } = await db.pool.query<PollRow>(
    `SELECT feed, target, unfinished, whole_until, held_until, failing_since, failed_kind, failed_reason,
            lost_from, lost_until, lost_at, lost_records FROM feed_polls`,
  );
  return polls.map(({ feed, target }): Check => {
    const row = rows.find((one) => one.feed === feed.name && one.target === target.name);
    return { name: `polled feed ${feed.name} ${target.name}`, ...stateOf(row, nowMs) };
  });
}

function stateOf(row: PollRow | undefined, nowMs: number): Omit<Check, 'name'> {
  if (row === undefined) return { state: 'broken', detail: 'nobody has asked it yet', remedy: startReconciler };
  const until = row.whole_until ? `read up to ${moment(row.whole_until)} UTC` : 'nothing of it is read yet';
  if (row.failing_since !== null) {
    const detail = `${row.failed_reason}; so since ${moment(row.failing_since)} UTC; ${until}`;
    if (nowMs - row.failing_since.getTime() >= patienceMs[row.failed_kind!])
      return {
        ...{ state: 'broken', detail },
        remedy: `do as it says; it is asked again at ${moment(row.held_until)} UTC, and goes on where it stopped`,
      };
    return { state: 'ok', detail: `${detail}; retrying` };
  }
  if (nowMs - row.held_until.getTime() > overdueMs) {
    const detail = `due since ${moment(row.held_until)} UTC, and nobody asks it; ${until}`;
    return { state: 'broken', detail, remedy: startReconciler };
  }
  if (row.lost_at !== null && nowMs - row.lost_at.getTime() < lostToldMs) {
    const detail = `its ${row.lost_records ?? 'records'} from ${moment(row.lost_from!)} to ${moment(row.lost_until!)} UTC are lost: it keeps them no more; ${until}`;
    const remedy = 'export them at the provider, if it can; keep the reconciler running; reported for a day';
    return { state: 'broken', detail, remedy };
  }
  return { state: 'ok', detail: row.unfinished ? `${until}; reading on` : until };
}

const startReconciler =
  'see that a reconciler runs (`npx tripline up`, or `npx tripline reconciler`) under the same settings';

/** `2026-03-02 14:05:09` in UTC. */
const moment = (time: Date) => time.toISOString().slice(0, 19).replace('T', ' ');
