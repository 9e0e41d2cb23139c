import { z } from 'zod';
import { type AttributeName, type Attributes, attributes } from './attributes.ts';

/**
 * The kinds of event that Tripline knows, each with the attributes without which it would not be that event.
 *
 * Names are those of CDEvents where CDEvents has one (`dev.cdevents.<subject>.<predicate>`), otherwise they are in its
 * namespace for custom events, `dev.cdeventsx.tripline-<subject>.<predicate>`. A source that cannot fill the required
 * attributes must ignore the delivery with a reason instead of inventing them.
 */
export const eventTypes = {
  'dev.cdevents.pipelinerun.queued': ['vcs.repository.name', 'cicd.pipeline.run.id', 'vcs.ref.head.revision'],
  'dev.cdevents.pipelinerun.started': ['vcs.repository.name', 'cicd.pipeline.run.id', 'vcs.ref.head.revision'],
  'dev.cdevents.pipelinerun.finished': ['vcs.repository.name', 'cicd.pipeline.run.id', 'vcs.ref.head.revision'],
  'dev.cdeventsx.tripline-taskrun.queued': ['vcs.repository.name', 'cicd.pipeline.run.id', 'cicd.pipeline.task.run.id'],
  'dev.cdevents.taskrun.started': ['vcs.repository.name', 'cicd.pipeline.run.id', 'cicd.pipeline.task.run.id'],
  'dev.cdevents.taskrun.finished': ['vcs.repository.name', 'cicd.pipeline.run.id', 'cicd.pipeline.task.run.id'],
  'dev.cdevents.change.created': ['vcs.repository.name', 'vcs.change.id', 'vcs.ref.head.revision'],
  'dev.cdevents.change.updated': ['vcs.repository.name', 'vcs.change.id', 'vcs.ref.head.revision'],
  'dev.cdevents.change.reviewed': [
    'vcs.repository.name',
    'vcs.change.id',
    'tripline.review.id',
    'tripline.review.state',
    'tripline.review.revision',
  ],
  'dev.cdevents.change.merged': ['vcs.repository.name', 'vcs.change.id', 'vcs.ref.head.revision'],
  'dev.cdevents.change.abandoned': ['vcs.repository.name', 'vcs.change.id', 'vcs.ref.head.revision'],
  'dev.cdeventsx.tripline-change.looked-up': [
    'vcs.repository.name',
    'vcs.ref.head.revision',
    'tripline.lookup.id',
    'tripline.lookup.outcome',
  ],
  'dev.cdevents.branch.created': ['vcs.repository.name', 'vcs.ref.head.name'],
  'dev.cdevents.branch.deleted': ['vcs.repository.name', 'vcs.ref.head.name'],
  'dev.cdeventsx.tripline-tag.created': ['vcs.repository.name', 'vcs.ref.head.name'],
  'dev.cdeventsx.tripline-tag.deleted': ['vcs.repository.name', 'vcs.ref.head.name'],
  'dev.cdeventsx.tripline-ref.pushed': [
    'vcs.repository.name',
    'vcs.ref.head.name',
    'vcs.ref.head.revision',
    'vcs.ref.head.type',
  ],
  'dev.cdeventsx.tripline-mergegroup.requested': ['vcs.repository.name', 'vcs.ref.head.revision'],
  'dev.cdeventsx.tripline-mergegroup.destroyed': ['vcs.repository.name', 'vcs.ref.head.revision'],
  'dev.cdeventsx.tripline-deployment.requested': ['vcs.repository.name', 'deployment.environment.name'],
  'dev.cdeventsx.tripline-deployment.changed': ['vcs.repository.name', 'deployment.environment.name'],
  'dev.cdeventsx.tripline-deployment.reviewed': ['vcs.repository.name'],
  'dev.cdevents.service.deployed': ['vcs.repository.name', 'deployment.environment.name'],
  'dev.cdeventsx.tripline-grant.added': ['tripline.grant.kind', 'tripline.grant.grantee', 'tripline.grant.target'],
  'dev.cdeventsx.tripline-grant.changed': ['tripline.grant.kind', 'tripline.grant.grantee', 'tripline.grant.target'],
  'dev.cdeventsx.tripline-grant.removed': ['tripline.grant.kind', 'tripline.grant.grantee', 'tripline.grant.target'],
  'dev.cdeventsx.tripline-credential.requested': ['tripline.credential.id'],
  'dev.cdeventsx.tripline-credential.used': ['tripline.credential.id'],
  'dev.cdeventsx.tripline-runner.registered': ['cicd.worker.id'],
  'dev.cdeventsx.tripline-runner.removed': ['cicd.worker.id'],
  'dev.cdeventsx.tripline-control.changed': ['tripline.control.kind', 'tripline.control.action'],
  'dev.cdevents.ticket.created': ['vcs.repository.name', 'tripline.ticket.id'],
  'dev.cdevents.ticket.updated': ['vcs.repository.name', 'tripline.ticket.id'],
  'dev.cdevents.ticket.closed': ['vcs.repository.name', 'tripline.ticket.id'],
  'dev.cdeventsx.tripline-comment.created': ['vcs.repository.name', 'tripline.comment.id'],
  'dev.cdevents.artifact.published': ['tripline.package.name'],
  'dev.cdeventsx.tripline-release.published': ['vcs.repository.name', 'tripline.release.tag'],
  'dev.cdeventsx.tripline-check.finished': ['vcs.repository.name', 'tripline.check.name'],
  /** Its code was cloned, fetched or downloaded; reported by audit feeds only, not by webhooks. */
  'dev.cdeventsx.tripline-repository.read': ['vcs.repository.name'],
  /** Somebody proved who they are, or changed by what they can. */
  'dev.cdeventsx.tripline-identity.authenticated': ['user.name', 'tripline.identity.mfa'],
  /** A token or key was made. */
  'dev.cdeventsx.tripline-credential.issued': ['tripline.credential.kind'],
  /** Pages of a repository's wiki were written: its text is nobody's reviewed work. */
  'dev.cdeventsx.tripline-wiki.changed': ['vcs.repository.name', 'tripline.wiki.pages'],
  /** A feed fell silent, or speaks again; only Tripline itself says so. */
  'dev.cdeventsx.tripline-feed.silent': ['tripline.feed.name', 'tripline.feed.silence'],
  /** A record of an audit log for which there is no more specific type. */
  'dev.cdeventsx.tripline-audit.recorded': ['tripline.audit.action'],
  'dev.cdeventsx.tripline-repository.forked': ['vcs.repository.name', 'tripline.head.repository'],
  'dev.cdeventsx.tripline-inventory.observed': ['tripline.inventory.part', 'tripline.inventory.parts'],
  'dev.cdeventsx.tripline-deliveries.summarized': ['tripline.deliveries.counts', 'tripline.deliveries.recent'],
  'dev.cdeventsx.tripline-breakglass.opened': [
    'tripline.breakglass.id',
    'tripline.breakglass.actor',
    'tripline.breakglass.reason',
    'tripline.breakglass.expires_at',
  ],
  'dev.cdeventsx.tripline-act.performed': ['tripline.act.kind', 'tripline.act.target'],
  'dev.cdeventsx.tripline-response.finished': [
    'tripline.response.action',
    'tripline.response.finding',
    'tripline.response.verdict',
  ],
  'dev.cdeventsx.tripline-delivery.looked-up': ['tripline.delivery.id', 'tripline.delivery.proof'],
  /** A job asked the broker for access, and was answered. */
  'dev.cdeventsx.tripline-access.decided': ['tripline.access.policy', 'tripline.access.decision'],
  /** A person asked for a right, somebody approved or denied it, it was given, and it ended. */
  'dev.cdeventsx.tripline-access.requested': ['tripline.access.grant', 'tripline.access.policy'],
  'dev.cdeventsx.tripline-access.approved': ['tripline.access.grant', 'tripline.access.decision'],
  'dev.cdeventsx.tripline-access.granted': [
    'tripline.access.grant',
    'tripline.grant.kind',
    'tripline.grant.grantee',
    'tripline.grant.target',
    'tripline.grant.expires_at',
  ],
  'dev.cdeventsx.tripline-access.ended': ['tripline.access.grant', 'tripline.access.end'],
  /** A right of a person is to be over, and could not be taken back for a minute. */
  'dev.cdeventsx.tripline-access.outlived': ['tripline.access.grant', 'tripline.access.end'],
  /** A credential was made for a job; in the log before anybody is given it. */
  'dev.cdeventsx.tripline-credential.minted': [
    'tripline.access.grant',
    'tripline.access.policy',
    'tripline.credential.kind',
    'tripline.credential.expires_at',
  ],
  /** The provider said that it is dead, or denies it. */
  'dev.cdeventsx.tripline-credential.revoked': [
    'tripline.access.grant',
    'tripline.credential.kind',
    'tripline.access.end',
  ],
  /** It is to be dead, and could not be revoked for a minute. */
  'dev.cdeventsx.tripline-credential.outlived': [
    'tripline.access.grant',
    'tripline.credential.kind',
    'tripline.access.end',
  ],
  /** Somebody proved a second factor for one run. */
  'dev.cdeventsx.tripline-stepup.proved': ['user.name', 'cicd.pipeline.run.id', 'tripline.identity.method'],
  /** Somebody who was asked to stand for a run, and proved who they are, says that it was not they who set it off. */
  'dev.cdeventsx.tripline-stepup.refused': ['user.name', 'cicd.pipeline.run.id', 'tripline.identity.method'],
  /** A passkey stands for somebody from now on, by the word of another person. */
  'dev.cdeventsx.tripline-stepup.linked': ['user.name', 'tripline.identity.method', 'tripline.stepup.link'],
  /** A deployment protection rule was answered. */
  'dev.cdeventsx.tripline-gate.decided': [
    'vcs.repository.name',
    'cicd.pipeline.run.id',
    'deployment.environment.name',
    'tripline.access.decision',
  ],
  /** Other policies of access are in force, or were refused. */
  'dev.cdeventsx.tripline-policy.changed': ['tripline.access.policy_sha256', 'tripline.policy.outcome'],
  /** From which environments commits may come to one, by the policies that came into force. */
  'dev.cdeventsx.tripline-promotion.changed': ['vcs.repository.name', 'deployment.environment.name'],
  /** A privilege that stands by itself, as an inventory found it. */
  'dev.cdeventsx.tripline-standing.observed': ['tripline.standing.kind', 'tripline.standing.id'],
} as const satisfies Record<string, readonly AttributeName[]>;

export type EventType = keyof typeof eventTypes;

/**
 * The workspace of what the receiver says of itself (`tripline-deliveries.summarized`). No organisation's: nothing is
 * imported there, and only what concerns the receiver itself is judged.
 */
export const receiverWorkspace = '@receiver';

/** Attributes of an event of type `T`: the required ones are there, every other may be. */
export type EventData<T extends EventType> = Attributes & Required<Pick<Attributes, (typeof eventTypes)[T][number]>>;

/** What every event carries around its attributes: a CloudEvents 1.0 envelope with Tripline's extension attributes. */
export type Envelope<T extends EventType> = {
  /** Unique within `source`: the provider's delivery id where it has one. A redelivery keeps it. */
  id: string;
  /** Who says so, as a URI reference: `//github.com/acme`. */
  source: string;
  type: T;
  /** When it happened by the provider's own field (`started_at`, `submitted_at` …), RFC 3339 in UTC; when none is sent, when it was received. */
  time: string;
  /** The workspace to which all correlation is confined, and the log's partition key. */
  workspace: string;
  /** How far the feed proves what it says (sources.md): HMAC over the body is `high`. Rules lower confidence below it. */
  trust: 'high' | 'medium' | 'low';
  /** Hex SHA-256 of the raw body, by which a body that comes again under another id is known; absent on events that Tripline itself appends. */
  bodySha256?: string;
  data: EventData<T>;
};

/** A normalised event. Narrow it by `event.type`. */
export type TriplineEvent<T extends EventType = EventType> = T extends EventType ? Envelope<T> : never;

/** Where an event stands in the log, and when the log took it in: the only clock that rules know. */
export type LogPosition = {
  partition: number;
  offset: number;
  /** Broker's append time in ms since the epoch (Kafka `LogAppendTime`); never runs backwards within a partition. */
  appendedAtMs: number;
};

/** An event as the detector and the recorder read it. */
export type LoggedEvent<T extends EventType = EventType> = TriplineEvent<T> & {
  position: LogPosition;
  /** Which act it reports, derived by the engine from `tripline.fact.id`: the same for both reports of one act. */
  fact?: string;
};

/** Of attributes that are text of any form: how short and how long it may be. */
const lengths = new Map<string, { min: number; max: number }>();
for (const [name, schema] of Object.entries(attributes)) {
  if (!(schema instanceof z.ZodString) || schema.format !== null) continue;
  lengths.set(name, { min: schema.minLength ?? 0, max: schema.maxLength ?? Number.POSITIVE_INFINITY });
}

/**
 * Each attribute that is there by its own schema, and the many plain texts by their length: one schema of all attributes
 * takes three times as long, for the sake of those that are absent.
 */
const dataSchema = z.custom<Record<string, unknown>>(isObject, 'must be an object').transform((given, { issues }) => {
  const data: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const length = lengths.get(name);
    if (length && typeof value === 'string' && value.length >= length.min && value.length <= length.max) {
      data[name] = value;
    } else if (!Object.hasOwn(attributes, name)) {
      issues.push({ code: 'unrecognized_keys', keys: [name], input: given });
    } else if (value !== undefined) {
      const checked = attributes[name as AttributeName].safeParse(value);
      if (checked.success) data[name] = checked.data;
      else issues.push(...checked.error.issues.map((issue) => under(name, issue)));
    }
  }
  return data;
});
function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
function under(name: string, issue: z.core.$ZodIssue): z.core.$ZodRawIssue {
  return { ...issue, path: [name, ...issue.path] } as z.core.$ZodRawIssue;
}
const envelopeSchema = z.object({
  id: z.string().min(1).max(256),
  source: z.string().min(1).max(512),
  type: z.enum(Object.keys(eventTypes) as [EventType, ...EventType[]]),
  time: z.iso.datetime({ offset: true }),
  workspace: z.string().min(1).max(128),
  trust: z.enum(['high', 'medium', 'low']),
  bodySha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  data: dataSchema,
});

/**
 * Checks a candidate event whole: envelope, known attributes only, those that its type requires.
 * @throws {z.ZodError} naming each attribute that is wrong, missing or unknown.
 */
export function parseEvent(candidate: unknown): TriplineEvent {
  const event = envelopeSchema.parse(candidate);
  const missing = eventTypes[event.type].filter((name) => (event.data as Attributes)[name] === undefined);
  if (missing.length > 0) {
    throw new z.ZodError(
      missing.map((name) => ({
        code: 'custom' as const,
        path: ['data', name],
        message: `${event.type} needs ${name}`,
        input: undefined,
      })),
    );
  }
  return event as TriplineEvent;
}

/** True when `event` has type `T`; narrows it. */
export function isEvent<T extends EventType>(event: TriplineEvent, ...types: readonly T[]): event is TriplineEvent<T> {
  return (types as readonly string[]).includes(event.type);
}

/** `isEvent` for types that are asked for again and again. */
export function eventIs<T extends EventType>(
  ...types: readonly T[]
): (event: TriplineEvent) => event is TriplineEvent<T> {
  const wanted = new Set<EventType>(types);
  return (event): event is TriplineEvent<T> => wanted.has(event.type);
}
