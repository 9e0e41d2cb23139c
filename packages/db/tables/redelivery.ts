import type { Generated } from 'kysely';

/** Tables of migrations/*_redelivery.sql, for kysely. Field docs stand there. */
export type RedeliveryTables = {
  hooks: {
    hook: string;
    looked_until: Date | null;
    look_newest: Date | null;
    look_cursor: string | null;
    holder: string;
    held_until: Date;
    failed_at: Date | null;
    failed_reason: string | null;
  };
  undelivered: {
    hook: string;
    guid: string;
    attempt: string;
    event: string;
    first_failed_at: Date;
    last_failed_at: Date;
    status_code: number;
    asked: Generated<number>;
    due_at: Date;
    made_at: Date | null;
    /** migrations/0032_late_deliveries.sql */
    late_told_at: Generated<Date | null>;
  };
  /** migrations/0025_unproven.sql */
  delivery_questions: {
    workspace: string;
    event_id: string;
    source: string;
    event: string | null;
    heard_at: Date;
    /** migrations/0026_question_sent.sql */
    sent_at: Date | null;
    asked_at: Generated<Date>;
    looked: Generated<string[]>;
    proof: 'listed' | 'not-listed' | 'unavailable' | null;
    answered_at: Date | null;
  };
  hook_coverage: { hook: string; workspace: string; event: string };
};
