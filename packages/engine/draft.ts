import { createHash } from 'node:crypto';
import type { LoggedEvent } from '@tripline/contracts/event';
import {
  attackVersion,
  confidences,
  type Evidence,
  type Finding,
  findingSchema,
  lessSureOf,
  surerOf,
} from '@tripline/contracts/finding';
import { intents } from '@tripline/contracts/response';
import type { AnyRule, Conclusion, FindingDraft } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import type { z } from 'zod';
import { findingId } from './finding-id.ts';

const monthMs = 30 * 24 * 3_600_000;

/** Most lines of evidence of a finding, the first and the last. */
const mostEvidence = 40;

/** The context of a finding: the event being processed, or null in `due`. */
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
 * The draft that a conclusion makes: never surer than its feeds, and less so where a bound was reached of what it rests on.
 * @throws {Error} when it rests on nothing: then nobody could check it.
 */
export function draftOf(
  { because, confidence = 'high', heldUntilMs: _, acts: told = [], ...conclusion }: Conclusion,
  isFlooded: boolean,
): FindingDraft {
  const lines = inOwnOrder(because.map(({ evidence }) => evidence));
  const last = lines.at(-1);
  if (last === undefined) throw new Error('a conclusion needs what it rests on (because)');
  const sure = because.reduce((least, { trust, act }) => {
    const others = act === undefined ? [] : because.filter((one) => one.act === act);
    return lessSureOf(
      least,
      others.reduce((best, one) => surerOf(best, one.trust), trust),
    );
  }, confidence);
  const half = mostEvidence / 2;
  const evidence = lines.length > mostEvidence ? [...lines.slice(0, half), ...lines.slice(-half)] : lines;
  const acts = new Set([...told, ...because.flatMap(({ act }) => act ?? [])]);
  return {
    ...conclusion,
    acts: [...acts].slice(0, mostEvidence),
    confidence: isFlooded ? lessSureOf(sure, confidences[Math.max(0, confidences.indexOf(sure) - 1)]!) : sure,
    evidence,
    decidedBy: { eventId: last.eventId, time: last.time },
  };
}

/** Each event once, in order of its own time. */
function inOwnOrder(lines: readonly Evidence[]): Evidence[] {
  const once = new Map<string, Evidence>();
  for (const line of lines) if (!once.has(line.eventId)) once.set(line.eventId, line);
  return [...once.values()].sort((a, b) => Date.parse(a.time) - Date.parse(b.time) || (a.eventId < b.eventId ? -1 : 1));
}

/**
 * Fills a draft in. What does not fit a finding's schema is cut or left out, never the finding: a rule may be the user's
 * own, names are an attacker's to choose, and what Postgres refuses would stop the partition.
 * @throws {Error} when the draft lacks what a finding is known by.
 */
export function completeFinding(draft: FindingDraft, at: Occasion): Finding {
  const { rule, workspace, event, nowMs } = at;
  const { id, subject, occasion } = identify(draft, at);
  const decidedBy = draft.decidedBy ?? (event === null ? undefined : { eventId: event.id, time: event.time });
  if (decidedBy === undefined) throw new Error('a finding from a timer needs decidedBy');
  const limits = { title: 300, summary: 4000 };
  const whole = {
    id,
    rule: rule.id,
    workspace,
    subject,
    occasion,
    severity: draft.severity ?? rule.severity,
    confidence: draft.confidence,
    title: cut(clean(draft.title), limits.title),
    summary: cut(clean(draft.summary), limits.summary),
    decidingEvent: clean(decidedBy.eventId),
    occurredAt: decidedBy.time,
    detectedAt: new Date(nowMs).toISOString(),
    evidence: listed(draft.evidence)
      .map((item) => ({ ...item, what: cut(item?.what, 2000) }))
      .sort((a, b) => Date.parse(a.time) - Date.parse(b.time)),
    entities: listed(draft.entities).map((item) => ({
      ...item,
      id: shortened(item?.id, 512),
      ...(item?.key === undefined ? {} : { key: shortened(item.key, 600) }),
    })),
    response: listed(draft.response).sort((a, b) => rankOf(a) - rankOf(b)),
    remedy: listed(draft.remedy),
    silence: silenceFor({ rule: rule.id, subject, workspace, severity: draft.severity ?? rule.severity }, nowMs),
    attack: [...rule.attack],
    attackVersion,
    owasp: [...rule.owasp],
  };
  const parsed = findingSchema.safeParse(whole);
  return parsed.success ? parsed.data : fitted(whole, parsed.error.issues, limits.summary);
}

type Unfit = Record<(typeof lists)[number], unknown[]> & Record<string, unknown>;
type Issue = z.core.$ZodIssue;
const lists = ['evidence', 'entities', 'response', 'remedy'] as const;

/**
 * The finding without what does not fit its schema, which its summary names. A name of invalid length does not lower
 * the severity, since others choose names, nor does an invalid response step; anything else is a bug of the rule, and
 * makes the finding low.
 */
function fitted(whole: Unfit, issues: readonly Issue[], summaryLimit: number): Finding {
  const named = new Set<string>();
  const left: Unfit = { ...whole };
  for (const list of lists) {
    left[list] = whole[list].flatMap((item, place) => {
      const faults = issues.filter(({ path }) => path[0] === list && path[1] === place);
      if (faults.length === 0) return [item];
      for (const { path } of faults) named.add([list, ...path.slice(2)].map(String).join('.'));
      const rest = withoutFields(item, faults);
      return fits(list, rest) ? [rest] : [];
    });
  }
  const isOfRule = ({ path, code }: Issue) => path[0] !== 'response' && code !== 'too_big' && code !== 'too_small';
  for (const { path } of issues) {
    if (path.length > 1) continue;
    const field = String(path[0]);
    named.add(field);
    if (field === 'title') left['title'] = clip(`${whole['rule']}: ${whole['subject']}`, 300).toWellFormed();
    if (field === 'summary') left['summary'] = '';
    if (field === 'confidence') left['confidence'] = 'low';
    if (field === 'occurredAt') left['occurredAt'] = whole['detectedAt'];
    if (field === 'decidingEvent') left['decidingEvent'] = '';
  }
  if (issues.some(isOfRule)) left['severity'] = 'low';
  const note = ` Left out, since it did not fit: ${[...named].sort().join(', ')}.`;
  const summary = typeof left['summary'] === 'string' ? left['summary'] : '';
  return findingSchema.parse({ ...left, summary: `${cut(summary, summaryLimit - note.length)}${note}`.trim() });
}

/** `item` without those of its fields that do not fit, which may be ones that it can do without. */
function withoutFields(item: unknown, faults: readonly Issue[]): unknown {
  if (typeof item !== 'object' || item === null) return item;
  const fields = faults.map(({ path }) => path[2]);
  return Object.fromEntries(Object.entries(item).filter(([name]) => !fields.includes(name)));
}

const fits = (list: (typeof lists)[number], item: unknown) => findingSchema.shape[list].safeParse([item]).success;

/** A draft's list without what Postgres does not take; a rule of the user's may leave it out. */
const listed = <T>(list: readonly T[]): T[] => (Array.isArray(list) ? clean([...list]) : []);

const rankOf = (step: { action: keyof typeof intents }) => intents[step?.action]?.rank ?? 0;

/** At most `limit` UTF-16 units of `text`, and no half of a character. */
function cut<T>(text: T, limit: number): T {
  if (typeof text !== 'string' || text.length <= limit) return text;
  return `${clip(text, limit - 1)}…` as T;
}

/** As `cut`, but for ids: two that begin alike stay two. */
function shortened<T>(id: T, limit: number): T {
  if (typeof id !== 'string' || id.length <= limit) return id;
  return `${cut(id, limit - 65)}${createHash('sha256').update(id).digest('hex')}` as T;
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
