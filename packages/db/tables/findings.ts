import type { Excepted } from '@tripline/contracts/exception';
import type { Confidence, Entity, Evidence, Severity } from '@tripline/contracts/finding';
import type { Actor, IncidentEventKind, IncidentState, Resolution } from '@tripline/contracts/incident';
import type { Intent } from '@tripline/contracts/response';
import type { ColumnType, Generated, GeneratedAlways } from 'kysely';

/** A jsonb column: written as JSON text, read as what it holds. */
type Json<T> = ColumnType<T, string, string>;
type GeneratedJson<T> = ColumnType<T, string | undefined, string>;

/** Tables of migrations/0002_findings.sql, for kysely. Field docs stand there and in packages/contracts. */
export type FindingsTables = {
  incidents: {
    id: string;
    workspace: string;
    state: Generated<IncidentState>;
    severity: Severity;
    title: string;
    version: Generated<number>;
    opened_at: Generated<Date>;
    updated_at: Generated<Date>;
    /** migrations/0015_last_verdict.sql */
    last_verdict_at: Date | null;
    acknowledged_at: Date | null;
    acknowledged_by: ColumnType<Actor | null, string | null, string | null>;
    resolved_at: Date | null;
    resolved_by: ColumnType<Actor | null, string | null, string | null>;
    resolution: Resolution | null;
    /** migrations/0018_silences.sql */
    page_generation: Generated<number>;
    /** migrations/0095_pages.sql */
    page_severity: Severity | 'none' | null;
    acknowledged_severity: Severity | null;
    acknowledged_generation: number | null;
  };
  /** `entity`: what people call it; `key`: which one it is, null where no event told an id, and in rows of former versions. */
  incident_entities: { incident: string; workspace: string; kind: Entity['kind']; entity: string; key: string | null };
  findings: {
    id: string;
    incident: string | null;
    rule: string;
    workspace: string;
    subject: string;
    occasion: string;
    severity: Severity;
    confidence: Confidence;
    title: string;
    summary: string;
    deciding_event: string;
    occurred_at: Date;
    detected_at: Date;
    recorded_at: Generated<Date>;
    evidence: Json<Evidence[]>;
    entities: Json<Entity[]>;
    response: Json<Intent[]>;
    remedy: Json<string[]>;
    silence: string;
    attack: string[];
    attack_version: string;
    owasp: string[];
    silenced_by: string | null;
    withdrawn_at: Date | null;
    withdrawn_reason: string | null;
    /** migrations/0025_unproven.sql */
    unproven: Generated<boolean>;
    lowered_at: Date | null;
    lowered_reason: string | null;
    /** migrations/0030_growth.sql */
    excepted: ColumnType<Excepted | null, string | null, string | null>;
    superseded_by: string | null;
    /** migrations/0095_pages.sql */
    pages: Generated<boolean>;
  };
  incident_events: {
    id: GeneratedAlways<number>;
    incident: string;
    at: Generated<Date>;
    kind: IncidentEventKind;
    actor: Json<Actor>;
    detail: GeneratedJson<Record<string, unknown>>;
  };
  /** migrations/0018_silences.sql */
  silences: {
    id: string;
    workspace: string | null;
    rule: string | null;
    subject: string | null;
    actor: string | null;
    repository: string | null;
    runner: string | null;
    environment: string | null;
    critical: boolean;
    owner: string;
    reason: string;
    until: Date;
    created_at: Generated<Date>;
    created_by: Json<Actor>;
    expired_at: Date | null;
    expired_by: ColumnType<Actor | null, string | null, string | null>;
  };
  /** migrations/0018_silences.sql */
  silenced_findings: { finding: string; workspace: string; silence: string; until: Date };
};
