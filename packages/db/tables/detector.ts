import type { ColumnType, Generated, GeneratedAlways } from 'kysely';

/** Tables of migrations/*_detector.sql and migrations/*_state*.sql, for kysely. */
export type DetectorTables = {
  positions: {
    consumer: string;
    topic: string;
    partition: number;
    next: number;
    log_time_ms: number;
    epoch: number;
    state_epoch: number | null;
  };
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
  state_segments: { partition: number; segment: number; entries: Buffer };
  state_runs: {
    partition: number;
    run: number;
    state: 'building' | 'standing' | 'dropped';
    newest: number;
    bits: number;
    keys: number;
    bytes: number;
    inputs: number[];
  };
  state_pages: { partition: number; run: number; page: number; entries: Buffer };
  state_stretches: { partition: number; run: number; stretch: number; counts: Buffer; prints: Buffer };
  seen_batches: { partition: number; next: number; log_time_ms: number; entries: Buffer };
  rule_faults: { rule: string; reason: string; times: number; since: Date; last_at: Date };
  rule_sets: { version: string; made_of: ColumnType<unknown, string, string>; first_at: Generated<Date> };
  rule_set_uses: {
    use: GeneratedAlways<number>;
    partition: number;
    next: number;
    log_time_ms: number;
    version: string;
    at: Generated<Date>;
  };
  reload_faults: { process: string; reason: string; since: Generated<Date>; last_at: Generated<Date> };
};
