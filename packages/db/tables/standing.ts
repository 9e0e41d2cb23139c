import type { ColumnType } from 'kysely';

/** What stands by itself, as the broker's daily look found it. */
export type StandingTables = {
  standing_looks: {
    organization: string;
    workspace: string;
    looked_at: Date;
    whole_at: Date | null;
    fault: string | null;
  };
  access_promotions_told: {
    workspace: string;
    repository_id: string;
    repository: string;
    environment: string;
    told_sha256: string;
    told_at: Date;
  };
  standing_privileges: {
    organization: string;
    id: string;
    kind: string;
    row: ColumnType<unknown, string, string>;
    told_sha256: string;
    told_at: Date;
  };
};
