import type { Excepted } from '@tripline/contracts/exception';
import type { Finding, Growth, Severity } from '@tripline/contracts/finding';
import type { Silence } from '@tripline/contracts/silence';
import type { OpenIncident } from './join-incidents.ts';

/** A verdict of a rule, in the order in which rules gave them. */
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

/** A finding in Postgres before a batch. */
export type KnownFinding = {
  incident: string | null;
  retracted: boolean;
  severity: Severity;
  unproven: boolean;
  excepted: boolean;
  /** A silence keeps it from being reported, or did until it ended. */
  silenced: boolean;
  /** The finding of a narrower rule that supersedes it. */
  supersededBy: string | null;
  /** Whether it may page. */
  pages: boolean;
  /** The fields by which exceptions and silences match. */
  facts: Facts;
};
type Facts = Pick<Finding, 'workspace' | 'rule' | 'subject' | 'title' | 'entities' | 'confidence'>;
export type Retraction = { reason: string; atMs: number };
/** Further changes of a finding's row. */
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

/** The id of the finding that a verdict is about. */
export function findingOf(verdict: RuleVerdict): string {
  if ('change' in verdict) return verdict.change.findingId;
  return verdict.kind === 'retracted' ? verdict.retraction.findingId : verdict.finding.id;
}
