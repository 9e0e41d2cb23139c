import type { Severity } from '@tripline/contracts/finding';
import type { IncidentState } from '@tripline/contracts/incident';
import type { ChannelName, MessageKind, Mode } from '@tripline/contracts/notification';
import type { ColumnType, Generated, GeneratedAlways } from 'kysely';

/** Tables of migrations/0004_messages.sql, 0008_told_due.sql, 0019_paging.sql and 0086_channels.sql, for kysely. */
export type MessagesTables = {
  told: {
    id: GeneratedAlways<number>;
    /** Null for a digest. */
    incident: string | null;
    sink: ChannelName;
    /** That of the last message, or of the sink when the row was made. */
    mode: Mode;
    created_at: Generated<Date>;
    /**
     * The incident's version reported last; 0 before the first. Rises when it was reported, and when it was given up.
     */
    version: Generated<number>;
    state: IncidentState | null;
    /** Id of the last line of incident_events that the thread reports; 0 before the first. */
    story: Generated<number>;
    told_at: Date | null;
    channel: string | null;
    ts: string | null;
    dedup_key: string | null;
    reference: ColumnType<Record<string, string> | null, string | null, string | null>;
    /** The digest that the incident was grouped into; its messages are the digest's. */
    digest: number | null;
    claimed_by: string | null;
    claimed_until: Date | null;
    /** When it is due; null while nothing is left to do. */
    due_at: Date | null;
    /** The severity that the digest reported for it. */
    severity: Severity | null;
    intent: string | null;
    failures: Generated<number>;
    failure: string | null;
    /** The incident's page generation reported last. */
    generation: Generated<number>;
    /** Generations of older alerts that are, or may still be, open at PagerDuty. */
    superseded: Generated<number[]>;
  };
  /** A row while calls to a channel fail. */
  sink_troubles: { sink: ChannelName; since: Generated<Date>; tried_at: Generated<Date>; reason: string };
  messages: {
    id: GeneratedAlways<number>;
    incident: string | null;
    telling: number;
    sink: ChannelName;
    kind: MessageKind;
    mode: Mode;
    version: number;
    possibly_repeated: Generated<boolean>;
    body: ColumnType<Record<string, unknown>, string, never>;
    sent_at: Generated<Date>;
  };
};
