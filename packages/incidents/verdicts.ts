import type { Excepted } from '@tripline/contracts/exception';
import type { Entity, Evidence, Finding, Severity } from '@tripline/contracts/finding';
import type { Intent } from '@tripline/contracts/response';
import type { Silence } from '@tripline/contracts/silence';
import type { OpenIncident } from './join-incidents.ts';

/** What a rule said, in the order in which rules said it. */
export type RuleVerdict =
  | { kind: 'found' | 'reinstated'; finding: Finding; supersededBy?: string }
  | { kind: 'retracted'; retraction: { findingId: string; reason: string; atMs: number } }
  | { kind: 'proven' | 'lowered' | 'grown' | 'superseded'; change: FindingChange };
export type FindingChange = {
  findingId: string;
  rule: string;
  atMs: number;
  reason?: string;
  by?: string | null;
} & Growth;
/** What a finding has beside what it had; `response` is the whole playbook. */
export type Growth = {
  evidence?: Evidence[];
  entities?: Entity[];
  severity?: Severity;
  title?: string;
  summary?: string;
  response?: Intent[];
};

/** What Postgres has of a finding before a batch. */
export type KnownFinding = {
  incident: string | null;
  retracted: boolean;
  severity: Severity;
  unproven: boolean;
  excepted: boolean;
  /** A silence keeps it from being told, or did until it ended. */
  silenced: boolean;
  /** The finding of a narrower rule that speaks for it. */
  supersededBy: string | null;
  /** Whether it may page. */
  pages: boolean;
  /** What exceptions and silences look at. */
  facts: Facts;
};
type Facts = Pick<Finding, 'workspace' | 'rule' | 'subject' | 'title' | 'entities' | 'confidence'>;
export type Retraction = { reason: string; atMs: number };
/** What else becomes of a finding's row. */
export type FindingUpdate = {
  unproven?: boolean;
  lowered?: Retraction;
  growth?: Growth;
  supersededBy?: string | null;
  silence?: Silence;
  exception?: Excepted;
};
/** A finding whose row is to be inserted, and where it belongs. */
export type FindingInsert = {
  finding: Finding;
  incident: OpenIncident | null;
  silence: Silence | null;
  exception: Excepted | null;
  supersededBy: string | null;
  pages: boolean;
};

/** The finding of which a verdict is. */
export function findingOf(verdict: RuleVerdict): string {
  if ('change' in verdict) return verdict.change.findingId;
  return verdict.kind === 'retracted' ? verdict.retraction.findingId : verdict.finding.id;
}
