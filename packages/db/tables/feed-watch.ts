import type { Generated } from 'kysely';

/** The table of migrations/*_feed_watch.sql, for kysely. Field docs stand there. */
export type FeedWatchTables = {
  feed_watch: {
    workspace: string;
    feed: string;
    begun_at: Date;
    last_at: Date | null;
    counts: Generated<Record<string, number>>;
    silence: string | null;
    silent_since: Date | null;
  };
};
