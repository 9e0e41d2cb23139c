import { type ConcludeContext, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { privileged, privilegedTriggers } from '@tripline/facts/privileged-triggers';
import {
  acceptanceOfForkRun,
  mattersToReviews,
  type Place,
  placeOf,
  reviewFacts,
  reviewHouse,
  reviewReader,
  usesSecrets,
} from '@tripline/facts/review-reader';
import { becauseOf } from '@tripline/facts/reviewed';
import { isOwnMachine, runnerGroups } from '@tripline/facts/runner-groups';
import { type Attempt, buildOf, type Run, runs } from '@tripline/facts/runs';
import { secretWorkflowKey, secretWorkflows } from '@tripline/facts/secret-workflows';
import { commitKeyIn, entityOf, personOf, runKeyIn } from '@tripline/facts/things';
import { workflowFile } from '@tripline/facts/workflow-files';
import { z } from 'zod';
import { targetOf } from './builders/seen.ts';
import { namedOnce } from './evidence.ts';

const settings = z.strictObject({
  ...reviewHouse,
  /** Workflows known to use secrets beside those that an inventory tells, `owner/name/.github/workflows/file.yml`. */
  secretWorkflows: z.array(workflowFile).default([]),
});
type Settings = z.output<typeof settings>;
type Context = ConcludeContext<Settings>;

/** A run of a fork's head with the rights of the base. */
export const isPrivileged = ({ trigger = '', fork }: Attempt): boolean =>
  fork === true && privilegedTriggers.has(trigger);

export const rule = defineRule<unknown, Settings>({
  id: 'privileged-fork-trigger',
  title: 'A fork set off a run with the rights of the base',
  description:
    'A run with a fork’s head was set off by a trigger for which the provider takes the workflow of the base, with its secrets and a token that may write (`pull_request_target`, `workflow_run` …): whatever of the fork that workflow checks out, evaluates or passes on acts with these. ' +
    'Found high where it is seen what the run holds: secrets, an environment, a machine of your own, or a workflow that is known to use secrets. ' +
    'Without any of that it is found once a workflow, medium (high where its jobs are given secrets), when a workflow runs so that did not while the workspace was learned: labellers and their like, which do so all day, are usual. ' +
    'Runs set off by those who may write, and heads that somebody of the house approved, are in order.',
  severity: 'high',
  confidence: 'high',
  principles: [4],
  attack: ['T1677'],
  owasp: ['CICD-SEC-4'],
  feeds: {
    needs: ['github'],
    better: {
      'github-audit': 'tells which secrets the jobs of a workflow are given',
      'github-api': 'tells who may write, and what was approved before the first delivery',
    },
  },
  falseAlarms: [
    'A new workflow that labels or greets, once: resolve it as accepted.',
    'A workflow that needs a secret to comment on forks’ changes and checks nothing of theirs out: an exception for the repository.',
    'Contributors that you trust with it: an exception for their login, or have a maintainer set the run off by a label.',
  ],
  limits: [
    'What the workflow does with the fork’s code: the files of workflows are not read. Where neither secrets nor an environment are told, a workflow that always ran for forks is passed over.',
    'Where GitHub names the base’s commit alone for such a run, that somebody approved the head: then only who set it off speaks for it.',
    'Which workflows always ran so: no inventory tells, so what is new is found once the learning period is over, whatever was imported.',
    'Runs whose head is the default branch, as those of `issue_comment` are: that a comment had them check a fork out is not told. `untrusted-metadata-injection` reads what the comment says.',
  ],
  reads: [],
  settings: settings as z.ZodType<Settings>,
  learns: true,
  supersedes: ['build-from-unreviewed-commit'],
  concludes: {
    uses: [runs, privileged, secretWorkflows, runnerGroups, ...reviewFacts],
    about: [runs],
    matters: mattersToReviews,
    subjects({ fact, key, value, before }) {
      if (fact !== runs.id) return [];
      return [value, before].some((run) => (run as Run | undefined)?.attempts.some(isPrivileged)) ? [key] : [];
    },
    conclude(key, context) {
      const run = context.read(runs, key);
      if (run === undefined) return [];
      const { name, defaultBranch } = run.repository;
      const repositoryKey = key.slice(0, key.lastIndexOf('#'));
      return run.attempts.flatMap((attempt) => {
        // What ran while the workspace was learned is not judged afterwards.
        if (!isPrivileged(attempt) || attempt.heardMs < context.learnedUntilMs) return [];
        return judge(key, run, attempt, placeOf(repositoryKey, name, defaultBranch, context), context);
      });
    },
  },
});

type Why = { what: string; severity: 'high' | 'medium' };

function judge(key: string, run: Run, attempt: Attempt, place: Place, context: Context): Conclusion[] {
  const why = whyOf(key, run, attempt, place, context);
  if (why === undefined) return [];
  const build = buildOf(key, run, attempt);
  const { actor } = attempt;
  const reader = reviewReader(place, undefined, context, context.settings, build.timeMs);
  if (actor !== undefined && (reader.isExempt(actor) || reader.couldWrite(actor, build.timeMs))) {
    context.explain(`${actor.login}, who set it off, could write to ${place.name} then`);
    return [];
  }
  const verdict = acceptanceOfForkRun(build.revision, place, reader, context);
  if (verdict.is === 'reviewed') {
    context.explain(verdict.why);
    return [];
  }
  // As build-from-unreviewed-commit has it: what strangers do has nothing found, and takes nothing back.
  if (verdict.is === 'unknown' && !verdict.isCrowded) return [];
  const { heardMs } = attempt;
  const heldUntilMs =
    verdict.is === 'unknown'
      ? Number.POSITIVE_INFINITY
      : verdict.mayBeExplained
        ? heardMs + context.settings.holdMs
        : 0;
  const seen = [...build.lines(), ...verdict.seen].map(becauseOf);
  return [{ ...found(key, run, attempt, place, { ...why, isOfBase: verdict.isOfBase }), because: seen, heldUntilMs }];
}

/** What such a run holds, or that its workflow never ran so before; undefined where it is a usual one that holds nothing. */
function whyOf(key: string, run: Run, attempt: Attempt, place: Place, context: Context): Why | undefined {
  const { secrets, jobs, trigger, path = '' } = attempt;
  if (secrets.length > 0) return { what: `it was given ${listed(secrets)}`, severity: 'high' };
  if (usesSecrets(attempt, place, context.settings.secretWorkflows))
    return { what: 'its workflow is known to use secrets', severity: 'high' };
  const { environments } = buildOf(key, run, attempt);
  if (environments.length > 0) return { what: `it deploys to ${listed(environments)}`, severity: 'high' };
  const machine = jobs.find(({ worker }) => isOwnMachine(worker, key, context.read))?.worker;
  if (machine !== undefined) return { what: `it ran on ${machine.name}, a machine of your own`, severity: 'high' };
  const first = (look: Context['read']) =>
    look(privileged, place.key)?.workflows.find(
      (one) => one.fork && one.trigger === trigger && one.path === clip(path, 300),
    );
  const isNew = first(context.read)?.run === key && attempt === run.attempts[0];
  // No inventory tells which workflows always ran so.
  if (!isNew || first(context.read)!.heardMs < context.unlistedLearnedUntilMs) return undefined;
  // Every such run looks there; only the one of which something stands need be asked again.
  first(context.watch);
  const handed = context.watch(secretWorkflows, secretWorkflowKey(place.key, `${place.name}/${path}`))?.handed ?? [];
  const what = 'its workflow was never seen to run so before';
  if (handed.length === 0) return { what, severity: 'medium' };
  return { what: `${what}, and its jobs are given ${listed(handed.map(({ secret }) => secret))}`, severity: 'high' };
}

function found(
  key: string,
  run: Run,
  attempt: Attempt,
  place: Place,
  { what, severity, isOfBase }: Why & { isOfBase: boolean },
) {
  const { id, repository, name, occasion, revision, environments } = buildOf(key, run, attempt);
  const { actor } = attempt;
  const who = actor?.login ?? 'somebody unnamed';
  // As the wider rule names it, so that this one speaks for it.
  const subject = `${repository}@${revision}`;
  return {
    ...{ subject, occasion, severity },
    title: clip(`${name} ran for a fork with the rights of ${repository}, set off by ${who}`, 300),
    summary:
      `${who} had ${name} run for a head in a fork (${attempt.trigger}), with the rights of ${repository}: ${what}. ` +
      'Whatever of the fork it checks out or evaluates acts with what the run holds.',
    entities: [
      // The base's commit is everybody's.
      ...(isOfBase ? [] : [entityOf('commit', subject, commitKeyIn(place.key, revision))]),
      entityOf('run', `${repository}#${id}`, runKeyIn(place.key, id)),
      entityOf('repository', repository, place.key),
      ...namedOnce(
        environments.map((environment) => entityOf('environment', environment)),
        subject,
      ),
      ...(actor === undefined ? [] : [personOf(actor, key)]),
    ],
    response: [{ action: 'stop-run' as const, ...targetOf(place, place.key), runId: id }],
    remedy: [
      `Read what ${name} does with the head of the change; stop run ${id} where that is more than to read its title and labels.`,
      'Rotate what the run could read, and delete caches that it wrote.',
      'Have such workflows check out nothing of the head, or run them by `pull_request`, without secrets.',
    ],
  };
}
const listed = (names: readonly string[]) => names.slice(0, 10).join(', ');
