import type { Generated } from 'kysely';

/** The table of migrations/*_feed_polls.sql, for kysely. Field docs stand there. */
export type PollsTables = {
  feed_polls: {
    feed: string;
    target: string;
    begun_at: Date;
    cursor: string | null;
    unfinished: Generated<boolean>;
    read_at: Date | null;
    whole_until: Date | null;
    holder: string;
    held_until: Date;
    failures: Generated<number>;
    failing_since: Date | null;
    failed_at: Date | null;
    failed_kind: 'retry' | 'rate-limited' | 'give-up' | null;
    failed_reason: string | null;
    lost_from: Date | null;
    lost_until: Date | null;
    lost_at: Date | null;
    lost_records: string | null;
  };
};
