import type { Config } from '@tripline/config/config';
import { type EndQuestion, whichEnded } from '@tripline/integrations/github/job';
import { mayRead } from '@tripline/integrations/github/reader';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { SweepParts } from './sweep.ts';

/** Asks GitHub which jobs and runs have ended, by one token a repository; without anything to ask with there is no answer. */
export function createEndsAtGitHub({
  config: { github },
  clock,
  logger,
}: {
  config: Pick<Config, 'github'>;
  clock: Clock;
  logger: Logger;
}): SweepParts['whichEnded'] {
  return async (asked) => {
    const ended = new Set<string>();
    if (!mayRead(github)) return ended;
    const options = {
      nowMs: clock.nowMs,
      onLeftAlive: (reason: string) =>
        logger.error({ reason }, 'revoking a read-only token failed; it expires within an hour'),
    };
    const byRepository = Map.groupBy(asked, ({ look: { job } }) => job.repository.id);
    for (const [repositoryId, those] of byRepository) {
      const questions = those.map(
        ({ of, look: { job } }): EndQuestion => ({
          ...{ repository: job.repository, run: job.run },
          checkRunId: of === 'run' ? null : job.checkRunId,
        }),
      );
      try {
        const answers = await whichEnded(github, questions as [EndQuestion, ...EndQuestion[]], options);
        for (const [nth, { look }] of those.entries()) if (answers[nth] === true) ended.add(look.id);
        const unknown = answers.filter((one) => one === undefined).length;
        if (unknown > 0)
          logger.warn(
            { repositoryId, jobs: unknown },
            'GitHub does not say whether jobs have ended: github.app or github.token may not read runs there (actions: read); they are asked for again',
          );
      } catch (error) {
        const grants = those.map(({ look }) => look.id);
        logger.warn({ err: error, grants }, 'asking GitHub which jobs have ended failed; they are asked for again');
      }
    }
    return ended;
  };
}
