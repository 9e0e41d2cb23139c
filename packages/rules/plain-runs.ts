import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { AnyRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { match } from './builders/match.ts';
import { repositoryOf } from './builders/seen.ts';

/** A run, for those who want to read of each of its kind. What matters of it is judged by `better`. */
function ruleOf(
  of: Pick<AnyRule, 'id' | 'title' | 'attack' | 'owasp'> & {
    better: string;
    on: AnyRule['reads'];
    where: NonNullable<AnyRule['where']>;
    says: (event: LoggedEvent, repository: string) => string;
  },
): AnyRule {
  const { better, says, ...rule } = of;
  return match({
    ...rule,
    description: `${of.title}. Each run is told, once. What is dangerous of such runs is judged by ${better}.`,
    ...{ severity: 'low', principles: [4] },
    falseAlarms: ['Each such run: it is worth reading where there are to be none.'],
    offByDefault: 'In an ordinary team it happens each day.',
    find(event) {
      const repository = repositoryOf(event)?.name;
      const run = (event.data as Attributes)['cicd.pipeline.run.id'];
      if (repository === undefined || run === undefined) return undefined;
      const what = says(event, repository);
      return {
        ...{ subject: repository, title: what, what, summary: `${what}, in run ${run}.`, occasion: `run ${run}` },
        remedy: ['Read what the run was for.'],
      };
    },
  });
}

export const rules: readonly AnyRule[] = [
  ruleOf({
    id: 'run-of-fork',
    title: 'A change from a fork set off a run',
    ...{ attack: ['T1677'], owasp: ['CICD-SEC-4'] },
    better: '`self-hosted-runner-fork` and `privileged-fork-trigger`',
    on: ['dev.cdevents.pipelinerun.queued'],
    where: { attribute: 'tripline.head.fork', oneOf: [true] },
    says: ({ data }, repository) =>
      `A change from ${clip((data as Attributes)['tripline.head.repository'] ?? 'a fork', 200)} set off a run of ${repository}`,
  }),
  ruleOf({
    id: 'run-on-own-machine',
    title: 'A job ran on a self-hosted runner',
    ...{ attack: ['T1543'], owasp: ['CICD-SEC-7'] },
    better: '`credential-new-runner` and `rogue-runner-registered`',
    on: ['dev.cdevents.taskrun.started'],
    where: { attribute: 'tripline.worker.hosted', oneOf: [false] },
    says: ({ data }, repository) =>
      `A job of ${repository} ran on ${clip((data as Attributes)['cicd.worker.name'] ?? 'a self-hosted runner', 200)}`,
  }),
];
