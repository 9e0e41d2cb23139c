import type { Config } from '@tripline/config/config';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Jobs } from '@tripline/contracts/job';
import type { Attempt } from '@tripline/db/run-jobs';
import { instanceOf } from '@tripline/integrations/github/instance';
import { CannotReadError, type GitHubAccess, mayRead, withReader } from '@tripline/integrations/github/reader';
import { lookUpReviews } from '@tripline/integrations/github/reviews';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { redactValue } from '@tripline/runtime/redact';
import type { Stream } from '@tripline/stream/stream';
import { appendFromWithin } from './append-from-within.ts';

export type LookUpParts = {
  config: Pick<Config, 'github' | 'internalKeys'>;
  stream: Pick<Stream, 'append'>;
  logger: Logger;
  clock: Clock;
  fetch?: typeof globalThis.fetch;
  /** For tests in a hurry; see createGitHubClient. */
  waitBaseMs?: number;
};

/** Attempts before the answer is `unavailable`: the rule that asked is waiting, and must get an answer. */
const maxAttempts = 4;

/**
 * The task behind the job `look-up`: asks GitHub what a rule wants to know, and appends the answer to the log as an
 * event. Its id is the question's, so that a repeated answer is a duplicate.
 */
export function createLookUpTask(parts: LookUpParts) {
  const { config, clock, fetch, waitBaseMs } = parts;
  const access: GitHubAccess = { ...config.github, fetch, ...(waitBaseMs === undefined ? {} : { waitBaseMs }) };

  return async function lookUp({ workspace, lookup }: Jobs['look-up'], { job }: Attempt): Promise<void> {
    const found = await ask(parts, access, lookup, job.attempts);
    const event: TriplineEvent<'dev.cdeventsx.tripline-change.looked-up'> = {
      id: `look-up:${lookup.id}`,
      source: `//${instanceOf(access.apiUrl)}/${lookup.repository}`,
      type: 'dev.cdeventsx.tripline-change.looked-up',
      time: new Date(clock.nowMs()).toISOString(),
      workspace,
      // Tripline itself asked the provider, over TLS.
      trust: 'high',
      data: {
        'vcs.provider.name': 'github',
        'vcs.repository.name': lookup.repository,
        ...(lookup.repositoryId === undefined ? {} : { 'vcs.repository.id': lookup.repositoryId }),
        'vcs.ref.head.revision': lookup.revision,
        'tripline.lookup.id': lookup.id,
        'tripline.lookup.outcome': found === undefined ? 'unavailable' : 'found',
        ...(found === undefined
          ? {}
          : {
              'tripline.lookup.commit': redactValue(found.commit),
              'tripline.lookup.changes': redactValue(found.changes),
            }),
      },
    };
    await appendFromWithin(parts, [event]);
  };
}

/** The commit and the changes that hold it, or undefined when GitHub cannot be asked. Throws to be called again. */
async function ask(
  { logger, clock }: LookUpParts,
  access: GitHubAccess,
  lookup: Jobs['look-up']['lookup'],
  attempt: number,
) {
  if (!mayRead(access)) return undefined;
  const log = logger.child({ lookup: lookup.id, repository: lookup.repository });
  try {
    return await withReader(
      access,
      {
        owner: lookup.repository.split('/')[0]!,
        repository: lookup.repository,
        permissions: { contents: 'read', pull_requests: 'read' },
      },
      {
        nowMs: clock.nowMs,
        onLeftAlive: (reason) => log.error({ reason }, 'revoking a read-only token failed; it expires within an hour'),
      },
      (client) => lookUpReviews(client, lookup),
    );
  } catch (error) {
    if (!(error instanceof CannotReadError)) throw error;
    if (error.outcome.kind === 'retry' && attempt < maxAttempts) throw error;
    log.warn({ reason: error.outcome.reason }, `looking up reviews failed: ${error.message}`);
    return undefined;
  }
}
