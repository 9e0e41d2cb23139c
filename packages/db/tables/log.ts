import type { Generated } from 'kysely';

/** Tables of migrations/*_log.sql, for kysely. Field docs stand there. */
export type LogTables = {
  log_topics: { topic: string; partitions: number; retention_ms: number; max_record_bytes: number };
  log_partitions: {
    topic: string;
    partition: number;
    first_offset: Generated<number>;
    next_offset: Generated<number>;
    last_appended_ms: Generated<number>;
  };
  log: {
    topic: string;
    partition: number;
    offset: number;
    appended_at_ms: number;
    key: Buffer;
    headers: Record<string, string>;
    value: Buffer | null;
  };
  log_consumers: {
    group_name: string;
    topic: string;
    consumer: number;
    joined_at: Generated<Date>;
    expires_at: Date;
  };
  log_leases: { group_name: string; topic: string; partition: number; consumer: number };
};
