import type { LoggedEvent } from '@tripline/contracts/event';
import { attackVersion, type Finding, findingSchema } from '@tripline/contracts/finding';
import { responseActions } from '@tripline/contracts/response';
import type { AnyRule, FindingDraft } from '@tripline/rules/contract';
import { findingId } from './finding-id.ts';

const monthMs = 30 * 24 * 3_600_000;

/** Where a finding is made: the event being judged, or null in `due`. */
export type Occasion = { workspace: string; rule: AnyRule; event: LoggedEvent | null; nowMs: number };

/** The finding's subject and occasion, and the id that they give it. */
export function identify(draft: { subject: string; occasion?: string }, at: Occasion) {
  const subject = clean(draft.subject);
  const occasion = clean(draft.occasion ?? at.event?.id ?? '');
  if (subject === '') throw new Error('a finding needs a subject');
  if (occasion === '') throw new Error('a finding from a timer needs an occasion');
  return { id: findingId({ workspace: at.workspace, rule: at.rule.id, subject, occasion }), subject, occasion };
}

/**
 * Fills a draft in and checks it whole: a rule may be the user's own, and what Postgres refuses would stop the partition.
 * @throws {Error} naming what the draft lacks.
 */
export function completeFinding(draft: FindingDraft, at: Occasion): Finding {
  const { rule, workspace, event, nowMs } = at;
  const { id, subject, occasion } = identify(draft, at);
  const decidedBy = draft.decidedBy ?? (event === null ? undefined : { eventId: event.id, time: event.time });
  if (decidedBy === undefined) throw new Error('a finding from a timer needs decidedBy');
  return findingSchema.parse({
    id,
    rule: rule.id,
    workspace,
    subject,
    occasion,
    severity: draft.severity ?? rule.severity,
    confidence: draft.confidence,
    title: clean(draft.title),
    summary: clean(draft.summary),
    decidingEvent: clean(decidedBy.eventId),
    occurredAt: decidedBy.time,
    detectedAt: new Date(nowMs).toISOString(),
    evidence: clean([...draft.evidence]).sort((a, b) => Date.parse(a.time) - Date.parse(b.time)),
    entities: clean([...draft.entities]),
    response: clean([...draft.response]).sort(
      (a, b) => responseActions[a.action].rank - responseActions[b.action].rank,
    ),
    remedy: clean([...draft.remedy]),
    silence: silenceFor({ rule: rule.id, subject, workspace, severity: draft.severity ?? rule.severity }, nowMs),
    attack: [...rule.attack],
    attackVersion,
    owasp: [...rule.owasp],
  });
}

/** An entry for tripline.yaml. JSON's text is YAML's too. */
function silenceFor(
  { rule, subject, workspace, severity }: Pick<Finding, 'rule' | 'subject' | 'workspace' | 'severity'>,
  nowMs: number,
): string {
  return [
    'silences:',
    `  - rule: ${rule}`,
    `    subject: ${JSON.stringify(subject)}`,
    `    workspace: ${JSON.stringify(workspace)}`,
    // Critical ones pass a silence that does not say so.
    ...(severity === 'critical' ? ['    critical: true'] : []),
    `    until: ${new Date(nowMs + monthMs).toISOString()}`,
    '    reason: say here why this is in order',
    '',
  ].join('\n');
}

/** What Postgres takes: no NUL, no lone surrogate, in any text of `value`. */
export function clean<T>(value: T): T {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\0', '\ufffd') as T;
  if (Array.isArray(value)) return value.map(clean) as T;
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, clean(inner)])) as T;
  }
  return value;
}
