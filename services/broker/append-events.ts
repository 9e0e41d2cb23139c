import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType, TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import { signInternal } from '@tripline/contracts/internal';
import { clip } from '@tripline/contracts/text';
import { instanceOfIssuer } from '@tripline/identity/github/instance';
import type { GitHubJob, Proof } from '@tripline/identity/workload';
import { appendWithin } from '@tripline/stream/append-within';
import { type Stream, topics } from '@tripline/stream/stream';

/** A log that takes longer to acknowledge counts as away, in ms: a job waits for the answer. */
export const appendTimeoutMs = 5000;

/** What the log is told under the broker’s own keys; see packages/contracts/internal.ts. */
export type EventParts = {
  stream: Pick<Stream, 'append'>;
  config: { broker: { eventKeys?: readonly string[] | undefined } };
};

/**
 * Appends what only the broker may say, signed with the first of `broker.eventKeys`; resolves once the log has it on disk.
 * @throws {StreamUnavailableError} the log is away; then it may be there all the same.
 */
export async function appendEvents({ stream, config }: EventParts, events: readonly TriplineEvent[]): Promise<void> {
  const key = config.broker.eventKeys?.[0];
  if (key === undefined)
    throw new Error('no key of the broker’s events is configured: set broker.eventKeys (TRIPLINE_BROKER_EVENT_KEY)');
  const records = events.map((event) => ({ topic: topics.events, ...signInternal(toEventRecord(event), key) }));
  await appendWithin(stream, records, appendTimeoutMs);
}

/** An event of the broker’s. `id`: made of the grant, so that a repeated append is a duplicate. */
export function brokerEvent(
  type: EventType,
  { id, workspace, atMs }: { id: string; workspace: string; atMs: number },
  data: Attributes,
): TriplineEvent {
  const time = new Date(atMs).toISOString();
  return { id, type, workspace, time, source: `//tripline/${workspace}`, trust: 'high', data } as TriplineEvent;
}

/** Which job it is about, as its own events name it. */
export function jobAttributes(job: Pick<Proof, 'issuer' | 'tokenId'> & GitHubJob): Attributes {
  const { repository, run, checkRunId, environment, actor } = job;
  return {
    'vcs.provider.name': 'github',
    'tripline.provider.instance': instanceOfIssuer(job.issuer),
    'vcs.owner.name': clip(job.owner.name, 256),
    'vcs.repository.id': repository.id,
    'vcs.repository.name': clip(repository.name, 512),
    'cicd.pipeline.run.id': run.id,
    'tripline.pipeline.run.attempt': run.attempt,
    ...(checkRunId === null ? {} : { 'cicd.pipeline.task.check_run.id': checkRunId }),
    'vcs.ref.head.revision': job.sha,
    ...(environment === null ? {} : { 'deployment.environment.name': clip(environment, 512) }),
    'user.id': actor.id,
    'user.name': clip(actor.name, 256),
    'tripline.access.issuer': clip(job.issuer, 512),
    'tripline.access.token_sha256': job.tokenId.sha256,
    'tripline.access.workflow': clip(job.workflow.ref, 512),
    'tripline.access.workflow_revision': job.workflow.sha,
  };
}
