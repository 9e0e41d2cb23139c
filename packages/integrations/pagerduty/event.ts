import type { Severity } from '@tripline/contracts/finding';
import { describeActor, type IncidentReport, resolutionText } from '../incident-report.ts';

export type PagerDutyAction = 'trigger' | 'acknowledge' | 'resolve';

/** An Events API v2 event without its routing key, which only the client knows. https://developer.pagerduty.com/docs/send-alert-event */
export type PagerDutyEvent = {
  event_action: PagerDutyAction;
  /** One alert per incident and page: PagerDuty treats repeated events with one key as one. */
  dedup_key: string;
  client: 'Tripline';
  payload: {
    summary: string;
    source: string;
    severity: 'critical' | 'error' | 'warning' | 'info';
    timestamp: string;
    component: 'ci-cd';
    class?: string;
    custom_details: Record<string, unknown>;
  };
  links: { href: string; text: string }[];
};

export const pagerDutyLimits = { summaryChars: 1024, linkCount: 10, eventBytes: 512 * 1024 };

const severityNames: Record<Severity, PagerDutyEvent['payload']['severity']> = {
  critical: 'critical',
  high: 'error',
  medium: 'warning',
  low: 'info',
};

/** `generation`: counts an incident's pages after the first. Each has an alert of its own, so that it rings again. */
export function dedupKey(incident: string, generation = 0): string {
  return `tripline:${incident}${generation === 0 ? '' : `:g${generation + 1}`}`;
}

/**
 * An incident as an event about its alert of `generation`. Acknowledging and resolving say who and when; `because`: what a page after
 * the first is for, or why an alert is resolved whose incident is not.
 */
export function renderEvent(
  report: IncidentReport,
  action: PagerDutyAction,
  { generation = 0, because }: { generation?: number; because?: string | undefined } = {},
): PagerDutyEvent {
  const standing = report.findings.filter((finding) => finding.retracted === null);
  const findings = (standing.length > 0 ? standing : report.findings).slice(0, 10);
  const { acknowledged, resolved } = report;
  const said = saidOf(report, action, because);
  const rule = findings[0]?.rule;
  return {
    event_action: action,
    dedup_key: dedupKey(report.id, generation),
    client: 'Tripline',
    payload: {
      summary: cut(oneLine(`${report.severity.toUpperCase()} ${said}`), pagerDutyLimits.summaryChars),
      source: cut(report.workspace, 255),
      severity: severityNames[report.severity],
      timestamp: timeOf(report, action),
      component: 'ci-cd',
      ...(rule === undefined ? {} : { class: rule }),
      custom_details: {
        incident: report.id,
        workspace: report.workspace,
        state: report.state,
        ...(acknowledged ? { acknowledged_by: describeActor(acknowledged.by), acknowledged_at: acknowledged.at } : {}),
        ...(resolved
          ? { resolved_by: describeActor(resolved.by), resolved_at: resolved.at, resolution: resolved.resolution }
          : {}),
        findings: findings.map((finding) => ({
          title: finding.title,
          rule: finding.rule,
          severity: finding.severity,
          confidence: finding.confidence,
          summary: cut(finding.summary, 2000),
          what_happened: finding.evidence.slice(-12).map(({ time, what }) => `${time} ${cut(what, 500)}`),
          what_to_do: finding.remedy.map((what) => cut(what, 600)),
          concerns: finding.entities.slice(0, 20).map(({ kind, id }) => `${kind} ${id}`),
          attack: finding.attack,
          owasp: finding.owasp,
        })),
        response: report.steps.slice(0, 20).map(({ text }) => cut(text, 600)),
      },
    },
    links: links(findings),
  };
}

function saidOf(report: IncidentReport, action: PagerDutyAction, because: string | undefined): string {
  const { title, workspace, acknowledged, resolved } = report;
  if (action === 'acknowledge' && acknowledged) return `Acknowledged by ${describeActor(acknowledged.by)}: ${title}`;
  if (action === 'resolve' && resolved)
    return `Resolved by ${describeActor(resolved.by)}, ${resolutionText[resolved.resolution]}: ${title}`;
  if (because === undefined) return `${title} (${workspace})`;
  return action === 'trigger' ? `Pages again, ${because} (${title}, ${workspace})` : `${because}: ${title}`;
}

function timeOf({ openedAt, acknowledged, resolved }: IncidentReport, action: PagerDutyAction): string {
  if (action === 'acknowledge') return acknowledged?.at ?? openedAt;
  if (action === 'resolve') return resolved?.at ?? openedAt;
  return openedAt;
}

/** The newest evidence first: what decided is on top. Addresses keep no name and password. */
function links(findings: IncidentReport['findings']): PagerDutyEvent['links'] {
  const found = new Map<string, string>();
  for (const { url, what } of findings.flatMap(({ evidence }) => evidence).reverse()) {
    if (url === undefined || !URL.canParse(url)) continue;
    const address = new URL(url);
    if (address.protocol !== 'https:' && address.protocol !== 'http:') continue;
    address.username = '';
    address.password = '';
    if (!found.has(address.href)) found.set(address.href, cut(oneLine(what), 200));
    if (found.size === pagerDutyLimits.linkCount) break;
  }
  return [...found].map(([href, text]) => ({ href, text }));
}

function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}

/** By code points: PagerDuty counts characters, and half a surrogate pair is no valid text. */
function cut(text: string, max: number): string {
  const characters = [...text.toWellFormed()];
  return characters.length <= max ? characters.join('') : `${characters.slice(0, max - 1).join('')}…`;
}
