import type { Actor } from '@tripline/contracts/incident';
import type { GuardVerdict } from '@tripline/contracts/job';
import type { Intent, IntentName } from '@tripline/contracts/response';
import type { ColumnType, Generated } from 'kysely';

type Json<T> = ColumnType<T, string, string>;

export type RemediationState = 'planned' | 'queued' | 'acting' | 'done' | 'failed' | 'refused';
export type ShownRequest = { method: string; path: string; body?: unknown };
/** Imports of before runner groups were read lack their count. */
export type ImportCounts = Record<'runners' | 'heads' | 'members' | 'deployKeys' | 'installations', number> & {
  runnerGroups?: number;
  /** Repositories of which it may not be read what protects them. */
  unknownProtections?: number;
};
export type ImportProgress = { repositories: number; of: number };

/** Tables of migrations/0005_remediations.sql 0020_remediations_queued.sql and 0036_intents.sql, for kysely. Field docs stand there. */
export type RemediationsTables = {
  remediations: {
    finding: string;
    ordinal: number;
    workspace: string;
    action: IntentName;
    code: string;
    target: Json<Intent>;
    mode: 'dry-run' | 'live';
    request: Json<ShownRequest | null>;
    state: Generated<RemediationState>;
    verdict: GuardVerdict | null;
    attempts: Generated<number>;
    leased_until: Date | null;
    reason: string | null;
    said: string | null;
    check_result: 'dead' | 'alive' | 'unknown' | null;
    check_said: string | null;
    planned_at: Generated<Date>;
    due_at: Date | null;
    queued_at: Date | null;
    begun_at: Date | null;
    sent_at: Date | null;
    acted_at: Date | null;
    settled_at: Date | null;
  };
  switches: { name: 'remediation'; stopped: boolean; by: Json<Actor>; at: Generated<Date>; reason: string | null };
  imports: {
    workspace: string;
    requested_at: Generated<Date>;
    imported_at: Date | null;
    counts: ColumnType<ImportCounts | null, string | null, string | null>;
    failed_at: Date | null;
    failed_reason: string | null;
    /** migrations/0033_import_progress.sql */
    progress: ColumnType<ImportProgress | null, string | null, string | null>;
  };
};
