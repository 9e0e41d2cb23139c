import type { ColumnType, Generated, GeneratedAlways } from 'kysely';

/** Tables of migrations/*_access.sql, for kysely. Field docs stand there. */
export type AccessTables = {
  known_runs: {
    workspace: string;
    run: string;
    jobs: ColumnType<unknown, string, string>;
    told_at: Date;
  };
  access_spent: { issuer: string; token_sha256: string; expires_at: Date };
  access_ends: { key: string; ended_at: Date; heard_at: Generated<Date> };
  access_grants: {
    id: string;
    workspace: string;
    policy: string;
    policy_sha256: string;
    policy_revision: string | null;
    tier: string;
    job_key: string;
    run_key: string;
    job: ColumnType<unknown, string, string>;
    things: Generated<string[]>;
    until: 'job' | 'run';
    on_incident: 'atOnce' | 'afterJob';
    asked_at: Generated<Date>;
    longest_until: Date;
    ending_at: Date | null;
    ending_why: string | null;
  };
  access_credentials: {
    grant_id: string;
    nth: number;
    kind: 'github' | 'aws' | 'vault' | 'gitlab';
    scope: ColumnType<unknown, string, string>;
    state: 'minting' | 'live' | 'ending' | 'stuck' | 'dead' | 'lost';
    handle: ColumnType<unknown, string | null, string | null>;
    sealed: Buffer | null;
    token_hash: string | null;
    minted_at: Date | null;
    expires_at: Date | null;
    dead_at: Date | null;
    attempts: Generated<number>;
    due_at: Generated<Date>;
    claimed_by: string | null;
    claimed_until: Date | null;
    last_fault: string | null;
  };
  known_heads: {
    workspace: string;
    repository: string;
    revision: string;
    before: string | null;
    reviewed: 'reviewed' | 'unreviewed' | 'unknown';
    why: string;
    told_at: Date;
  };
  access_policy_faults: { place: string; revision: string | null; fault: string; since: Generated<Date> };
  access_policies: {
    nth: GeneratedAlways<string>;
    repository_id: string;
    repository: string;
    branch: string;
    path: string;
    revision: string;
    policies: string;
    lock: string;
    sha256: string;
    reviewed: string;
    taken_at: Generated<Date>;
    mac: string;
  };
  access_step_ups: {
    id: string;
    workspace: string;
    binding: string;
    asked: string;
    shown: ColumnType<unknown, string, string>;
    number: string;
    wrong_numbers: Generated<number>;
    state: Generated<'open' | 'approved' | 'refused' | 'closed'>;
    asked_at: Date;
    expires_at: Date;
    answered_by: ColumnType<unknown, string | null, string | null>;
    answered_at: Date | null;
    proved_at: Date | null;
    method: 'oidc' | 'passkey' | null;
    phishing_resistant: boolean | null;
  };
  access_passkeys: {
    id: string;
    workspace: string;
    confirm_key: string;
    instance: string;
    account_id: string;
    account_name: string;
    public_key: Buffer;
    counter: number;
    made_at: Date;
    confirmed_by: ColumnType<unknown, string | null, string | null>;
    confirmed_at: Date | null;
    last_used_at: Date | null;
    ended_at: Date | null;
  };
};
