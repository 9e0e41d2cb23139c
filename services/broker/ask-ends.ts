import type { Config } from '@tripline/config/config';
import { hasRunEnded, readJob } from '@tripline/integrations/github/job';
import { mayRead } from '@tripline/integrations/github/reader';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { SweepParts } from './sweep.ts';

/** Asks GitHub whether jobs and runs have ended; without anything to ask with there is no answer. */
export function createEndsAtGitHub({
  config: { github },
  clock,
  logger,
}: {
  config: Pick<Config, 'github'>;
  clock: Clock;
  logger: Logger;
}): SweepParts['hasEnded'] {
  return async (what, { id, job: { repository, run, checkRunId } }) => {
    if (!mayRead(github)) return undefined;
    const options = {
      nowMs: clock.nowMs,
      onLeftAlive: (reason: string) =>
        logger.error({ reason }, 'revoking a read-only token failed; it expires within an hour'),
    };
    try {
      if (what === 'run' || checkRunId === null) return await hasRunEnded(github, { repository, run }, options);
      const state = await readJob(github, { repository, run, checkRunId }, options);
      return state && state.state === 'ended';
    } catch (error) {
      logger.warn({ err: error, grant: id }, 'asking GitHub whether a job has ended failed; it is asked again');
      return undefined;
    }
  };
}
