import type { ColumnType } from 'kysely';

/** Tables of migrations/*_detector.sql, for kysely. */
export type DetectorTables = {
  positions: { consumer: string; topic: string; partition: number; next: number; log_time_ms: number; epoch: number };
  rule_state: {
    workspace: string;
    rule: string;
    key: string;
    value: ColumnType<unknown, string, string>;
    expires_ms: number;
    partition: number;
  };
  timers: {
    workspace: string;
    rule: string;
    id: string;
    due_ms: number;
    keys: ColumnType<string[], string, string>;
    partition: number;
  };
  seen_batches: { partition: number; next: number; log_time_ms: number; entries: Buffer };
};
