import type { ColumnType, GeneratedAlways } from 'kysely';

/** Table of migrations/0017_outbox.sql, for kysely. Field docs stand there. */
export type OutboxTables = {
  outbox: {
    id: GeneratedAlways<number>;
    event_id: string;
    event_type: string;
    workspace: string;
    source: string;
    at: Date;
    data: ColumnType<Record<string, unknown>, string, never>;
  };
};
