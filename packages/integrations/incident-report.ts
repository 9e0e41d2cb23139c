import type { Finding, Severity } from '@tripline/contracts/finding';
import type { Actor, IncidentState, Resolution } from '@tripline/contracts/incident';

/** An incident as it is reported to people, by any channel. Times are RFC 3339 in UTC. */
export type IncidentReport = {
  id: string;
  workspace: string;
  state: IncidentState;
  severity: Severity;
  /** The highest severity among findings that may page; `none` where none may. Absent: `severity`. */
  pageSeverity?: Severity | 'none';
  title: string;
  openedAt: string;
  acknowledged: { at: string; by: Actor } | null;
  resolved: { at: string; by: Actor; resolution: Resolution } | null;
  /** It was acknowledged, and pages again for later findings: nobody has acknowledged that page. */
  pagesAnew: boolean;
  /** How many findings it has, where not all of them are listed. */
  findingCount?: number;
  /** Oldest first. */
  findings: readonly ReportedFinding[];
  /** What of the findings' playbooks was done, would have been done, or was refused; in order. */
  steps: readonly ReportedStep[];
};

export type ReportedFinding = Finding & {
  retracted: { at: string; reason: string } | null;
  /** It was lowered, since it could not be confirmed that it still holds. */
  lowered?: { at: string; reason: string } | null;
};

export type ReportedStep = {
  finding: string;
  /** `planned`: nobody has decided yet. `shown`: dry run. */
  state: 'planned' | 'shown' | 'done' | 'failed' | 'refused';
  /** One sentence: what is to be done or was done, and the result. */
  text: string;
};

/** Many incidents in numbers: counts, most severe or most frequent first, and the most severe incidents by name. */
export type DigestReport = {
  incidents: number;
  open: number;
  severities: readonly { name: Severity; count: number }[];
  rules: readonly { name: string; count: number }[];
  gravest: readonly (Pick<IncidentReport, 'title' | 'severity' | 'state'> & { incident: string })[];
};

/** Who acted, as people read it. */
export function describeActor(actor: Actor): string {
  if (actor.via === 'tripline') return 'Tripline';
  const through = {
    slack: 'Slack',
    pagerduty: 'PagerDuty',
    cli: 'the command line',
    console: 'the console',
    config: 'tripline.yaml',
  }[actor.via];
  return `${actor.name} (${through})`;
}

export const resolutionText: Record<Resolution, string> = {
  true: 'it was a real breach',
  false: 'false positive',
  accepted: 'right, but allowed',
};
