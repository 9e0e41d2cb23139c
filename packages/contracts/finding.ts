import { z } from 'zod';
import { type EventType, eventTypes } from './event.ts';
import { type Intent, intentSchema } from './response.ts';

export const severities = ['low', 'medium', 'high', 'critical'] as const;
export const confidences = ['low', 'medium', 'high'] as const;
export type Severity = (typeof severities)[number];
export type Confidence = (typeof confidences)[number];

const gravityOf = (severity: Severity): number => severities.indexOf(severity);
const surenessOf = (confidence: Confidence): number => confidences.indexOf(confidence);
export const isGraver = (a: Severity, b: Severity): boolean => gravityOf(a) > gravityOf(b);
/** Whether `severity` is `least` or graver. */
export const isAsGraveAs = (severity: Severity, least: Severity): boolean => gravityOf(severity) >= gravityOf(least);
/** For sorting, the least grave first. */
export const byGravity = (a: Severity, b: Severity): number => gravityOf(a) - gravityOf(b);
export const isSurer = (a: Confidence, b: Confidence): boolean => surenessOf(a) > surenessOf(b);
/** Whether `confidence` is `least` or surer. */
export const isAsSureAs = (confidence: Confidence, least: Confidence): boolean =>
  surenessOf(confidence) >= surenessOf(least);
export const surerOf = (a: Confidence, b: Confidence): Confidence => (isSurer(a, b) ? a : b);
export const lessSureOf = (a: Confidence, b: Confidence): Confidence => (isSurer(a, b) ? b : a);

/** The release of MITRE ATT&CK that our technique ids are of; stored with every finding. */
export const attackVersion = '19';

/**
 * Rules whose findings every channel reports, whatever their severity, and that nothing silences: what they report
 * excuses other acts.
 */
export const alwaysTold: ReadonlySet<string> = new Set(['break-glass-opened']);

/** Who or what a finding is about. Findings of one workspace that share an entity join one incident. */
export const entitySchema = z.object({
  kind: z.enum([
    ...['user', 'repository', 'run', 'runner', 'credential', 'commit', 'grant', 'environment'],
    // What exceptions look at beside these, named only where it is proved: a ref of the repository itself, as
    // `owner/name@refs/heads/main`; a workflow with the ref that its file is of, as
    // `owner/name/.github/workflows/release.yml@refs/heads/main`; the address from which somebody acted.
    ...['ref', 'workflow', 'address'],
  ] as const),
  /** What people call it, at the time of which the finding tells: a login, `owner/name`, `owner/name#run`. */
  id: z.string().min(1).max(512),
  /** Which one it is, by the provider's ids, such as `github:github.com:user:41`: names change hands. Absent where no event told an id. */
  key: z.string().min(1).max(600).optional(),
});
export type Entity = z.infer<typeof entitySchema>;

/** Whether two entities are one thing: by key where both have one, however they are called; else by name. */
export function isSameEntity(a: Entity, b: Entity): boolean {
  if (a.kind !== b.kind) return false;
  return a.key !== undefined && b.key !== undefined ? a.key === b.key : a.id === b.id;
}

/** One event on which a finding rests. Evidence is in order of `time`. */
export const evidenceSchema = z.object({
  eventId: z.string(),
  eventType: z.enum(Object.keys(eventTypes) as [EventType, ...EventType[]]),
  time: z.iso.datetime({ offset: true }),
  /** One sentence that says what happened and why it matters here. */
  what: z.string().max(2000),
  /** The id of the record that told it in the provider's own audit log. */
  record: z.string().max(512).optional(),
  /** Where to look at it at the provider. */
  url: z.string().max(4096).optional(),
});
export type Evidence = z.infer<typeof evidenceSchema>;

export const findingSchema = z.object({
  /** Hex SHA-256 of workspace, rule, subject and occasion: the same log gives the same ids. See findingId in packages/engine. */
  id: z.string().regex(/^[0-9a-f]{64}$/),
  rule: z.string(),
  workspace: z.string(),
  /** What the finding is about in one stable string, such as `acme/app@3f2c…`. */
  subject: z.string(),
  /**
   * What tells two findings on one subject apart, such as a run id. The deciding event's id unless the rule names
   * something steadier, so that whichever event of one occasion comes first, the finding is the same.
   */
  occasion: z.string(),
  severity: z.enum(severities),
  confidence: z.enum(confidences),
  title: z.string().max(300),
  /** Two or three sentences: what happened, why it is wrong. */
  summary: z.string().max(4000),
  /**
   * It rests on a delivery whose body was received before under another id, and which the provider's own list has not named:
   * anybody who kept that body could have sent it again. Nothing is done by itself while it is so. Absent: it is proved.
   */
  unproven: z.literal(true).optional(),
  /** Id of the event (or of the grant's event behind a timer) that decided it. */
  decidingEvent: z.string(),
  /** The deciding event's own time. */
  occurredAt: z.iso.datetime({ offset: true }),
  /** The log's time at which the rule decided. Not the wall clock, so that a replay says the same. */
  detectedAt: z.iso.datetime({ offset: true }),
  evidence: z.array(evidenceSchema),
  entities: z.array(entitySchema),
  /** The playbook, in order: what is to happen, whoever can do it. */
  response: z.array(intentSchema),
  /** What a person should do, a sentence an item. */
  remedy: z.array(z.string()),
  /** How to silence exactly this, ready to paste into tripline.yaml. */
  silence: z.string(),
  /** ATT&CK technique ids of `attackVersion`. */
  attack: z.array(z.string()),
  attackVersion: z.string(),
  /** OWASP Top 10 CI/CD Security Risks ids, `CICD-SEC-n`. */
  owasp: z.array(z.string()),
});
export type Finding = z.infer<typeof findingSchema>;

/** Additions to a finding, as it is found again with more; `confidence` counts where it is higher than before, and `response` is the whole playbook, of which each step is had once. */
export type Growth = {
  evidence?: Evidence[];
  entities?: Entity[];
  severity?: Severity;
  confidence?: Confidence;
  title?: string;
  summary?: string;
  response?: Intent[];
  /** It was lowered, and what it was lowered for did not hold, so it has its severity again. */
  raised?: true;
};
