import type { ColumnType } from 'kysely';

/** Tables of migrations/*_trail.sql, for kysely. */
export type TrailTables = {
  trail: {
    topic: string;
    partition: number;
    offset: number;
    appended_at: Date;
    event_id: string | null;
    event_type: string | null;
    workspace: string | null;
    fault: string | null;
    key: Buffer;
    headers: ColumnType<Record<string, string>, string, never>;
    value: Buffer | null;
    hash: Buffer;
    repeats: string | null;
  };
  trail_bodies: { body: Buffer; event_id: string };
  trail_heads: {
    topic: string;
    partition: number;
    first_offset: number;
    last_offset: number;
    row_count: number;
    hash: Buffer;
  };
};
