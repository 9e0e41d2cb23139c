import type { Entity } from '@tripline/contracts/finding';
import { type Because, type ConcludeContext, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import * as of from '@tripline/facts/credentials';
import { registrars } from '@tripline/facts/registrars';
import { namesOf, repositories } from '@tripline/facts/repositories';
import { poolOf, runnerClasses } from '@tripline/facts/runner-classes';
import { isHostedGroup, runnerGroups } from '@tripline/facts/runner-groups';
import { isRunnerClassKey, keyBeside, runnerGroupId } from '@tripline/facts/runner-keys';
import * as standing from '@tripline/facts/runner-standing';
import { hasCredential, type Runner, runners, type Work } from '@tripline/facts/runners';
import { runs } from '@tripline/facts/runs';
import { entityOf } from '@tripline/facts/things';
import { isFileOf, workflowFile } from '@tripline/facts/workflow-files';
import { z } from 'zod';
import { because, namedOnce } from './evidence.ts';
import { houseOf, runnerHouse } from './runner-house.ts';
import { nameOfRunner, stoppingAndIsolating } from './runner-words.ts';

/** As many runs, credentials and runners a finding names, and as much work it tells: whoever sets off jobs chooses how much there is. */
const mostNamed = 5;
const mostEvidence = 20;

const settings = z.strictObject({
  ...runnerHouse,
  /** Workflows known to use secrets, `owner/name/.github/workflows/file.yml`, or `owner/name:id/…` with the id of the repository. */
  secretWorkflows: z.array(workflowFile).default([]),
});
type Context = ConcludeContext<z.output<typeof settings>>;

/** What a runner was given that it should not have been, and why not. Findings on one runner are one for each kind of reason. */
type Doubted = standing.Doubt & Given & { key: string; runner: Runner; work: Work };
type Given = { credentials: readonly string[]; because: readonly Because[] };

function conclude(subject: string, context: Context): readonly Conclusion[] {
  if (context.learning) return [];
  return isRunnerClassKey(subject) ? concludePool(subject, context) : concludeRunner(subject, context);
}

function concludeRunner(key: string, context: Context): Conclusion[] {
  // Thousands of runners of one pool look at their class and group. Only those watch of which something stands, and the first.
  const watch: Context['watch'] = (fact, of) =>
    fact.id === runs.id ? context.watch(fact, of) : context.read(fact, of);
  const isFirst = ({ classKey = '' }: Work) => poolOf(watch(runnerClasses, classKey)).some((one) => one.key === key);
  const doubted = doubtedWork(key, { ...context, watch });
  const isWatching = doubted.some((one) => standing.isRebuilt(one) || !isToldByPool(one, { ...context, watch }));
  return isWatching || watch(runners, key)?.work.some(isFirst) ? runnerConclusions(key, context) : [];
}
function runnerConclusions(key: string, context: Context): Conclusion[] {
  const own = doubtedWork(key, context).filter((one) => !isToldByPool(one, context));
  const byOccasion = Map.groupBy(own, ({ occasion }) => occasion);
  return [...byOccasion.values()].map((some) => conclusionOf(key, some, context));
}

/** Of a pool that nobody knows the first two runners are found each, and all others told once, as a pool; so are those made anew of one that is known. */
function concludePool(key: string, context: Context): Conclusion[] {
  const doubted = [...doubtedOfPool(key, context), ...rebuiltOfPool(key, context)];
  return [...Map.groupBy(doubted, ({ occasion }) => occasion).values()].map((some) => conclusionOf(key, some, context));
}
function rebuiltOfPool(key: string, context: Context): Doubted[] {
  const isKnown = ({ work: [first], ...of }: Runner) => {
    const { listings, usual } = standing.standingAt({ ...of, work: [] }, first!, context);
    return listings.length + usual.length > 0;
  };
  return (context.read(runnerClasses, key)?.members ?? []).flatMap((member) => {
    const runner = context.read(runners, member.key);
    if (runner === undefined || runner.work.length === 0 || isKnown(runner)) return [];
    const isTold = (work: Work) => hasCredential(work) && work.classKey === key;
    return doubtedWork(member.key, context, isTold).filter(standing.isRebuilt);
  });
}
function doubtedOfPool(key: string, context: Context): Doubted[] {
  const others = poolOf(context.watch(runnerClasses, key)).slice(2);
  return others.flatMap((member) =>
    doubtedWork(member.key, context).filter(
      ({ occasion, work }) => occasion === standing.isNew && work.classKey === key,
    ),
  );
}
function isToldByPool({ key, work, ...reason }: Doubted, context: Context): boolean {
  const { classKey } = work;
  const known = classKey === undefined ? undefined : context.watch(runnerClasses, classKey);
  if (standing.isRebuilt(reason)) return hasCredential(work) && known?.members.some((one) => one.key === key) === true;
  const pool = reason.occasion === standing.isNew ? poolOf(known) : [];
  if (pool.length === 0 || pool.slice(0, 2).some((member) => member.key === key)) return false;
  return context.watch(runners, key)!.jobs.length < 2 && doubtedOfPool(classKey!, context).length > 0;
}

function doubtedWork(key: string, context: Context, isAsked = (_: Work) => true): Doubted[] {
  const runner = context.watch(runners, key);
  if (runner === undefined) return [];
  const house = houseOf(runner.name, context.settings);
  return runner.work.filter(isAsked).flatMap((work) => {
    const reason = standing.doubtOf(runner, work, house, context);
    if (reason === undefined) return [];
    const given = givenTo(key, runner, work, context);
    return given.credentials.length === 0 ? [] : [{ key, runner, work, ...reason, ...given }];
  });
}

/** What a job is known to be given, but for what is usual on that runner, and what tells of it. */
function givenTo(key: string, runner: Runner, work: Work, context: Context): Given {
  const known = (id: string) => context.read(of.credentials, keyBeside(key, of.credentialId(id)));
  const isUsual = (id: string) =>
    known(id)?.contexts.some((one) => one.runner === key && (one.isListed || standing.isLearned(one, context))) ===
    true;
  const where = work.environment === undefined ? '' : `, for environment ${work.environment}`;
  const what = work.credentials.length > 0 ? 'A credential was used' : `Job ${work.job ?? 'unnamed'} ran`;
  const lines = [because(runners, key, work, `${what} on ${nameOfRunner(runner)}${where}`)];
  let ids = work.credentials;
  // Only a feed of audit records can say what a machine of the provider's was given.
  if (ids.length > 0 || isOfHosted(key, runner, work, context)) ids = ids.filter((id) => !isUsual(id));
  else if (work.environment !== undefined) ids = [of.environmentCredential(work.repository, work.environment)];
  else if (work.runKey !== undefined) {
    const attempt = context.watch(runs, work.runKey)?.attempts.find((one) => one.attempt === work.attempt);
    const path = attempt?.path;
    // It may have been told of under a name that the repository had before.
    const id = work.repositoryId;
    const named = id === undefined ? undefined : context.read(repositories, keyBeside(key, id));
    const repository = { id, names: namesOf(named, work.repository) };
    const called = repository.names.map((name) => of.workflowCredential(name, path ?? ''));
    const isSecret =
      context.settings.secretWorkflows.some((one) => isFileOf(one, repository, path)) ||
      called.some((id) => known(id) !== undefined);
    if (attempt !== undefined && path !== undefined && isSecret && !called.some(isUsual)) {
      const who = attempt.actor?.login ?? 'Somebody unnamed';
      const what = `${who} set off ${attempt.name ?? path}, which uses secrets`;
      lines.unshift(because(runs, work.runKey, attempt, what));
      ids = called.slice(0, 1);
    }
  }
  return { credentials: ids, because: lines };
}

/** Whether it is a machine of the provider's own in a group of the customer's: by the group, unless somebody registered it. */
function isOfHosted(key: string, runner: Runner, { groupId, ownerId }: Work, context: Context): boolean {
  if (groupId === undefined || runner.listings.length + runner.registrations.length > 0) return false;
  return isHostedGroup(context.watch(runnerGroups, keyBeside(key, runnerGroupId(groupId))), ownerId);
}

function conclusionOf(subject: string, doubted: readonly Doubted[], context: Context): Conclusion {
  const [{ key, runner, work, occasion, why }] = doubted as readonly [Doubted, ...Doubted[]];
  const some = doubted.slice(0, mostNamed);
  const isPool = subject !== key;
  const given = [...new Set(doubted.flatMap(({ credentials }) => credentials))];
  const named = given.slice(0, mostNamed).map(of.credentialInWords).join(', ');
  const name = isPool ? `pool of runners such as ${nameOfRunner(runner)}` : `runner ${nameOfRunner(runner)}`;
  const isHosted = isOfHosted(key, runner, work, context);
  const registered = isPool ? [] : runner.registrations;
  return {
    ...{ subject, occasion, confidence: isHosted ? 'low' : of.confidenceOfCredentials(given) },
    ...(isHosted ? { severity: 'medium' as const } : {}),
    ...(standing.isRebuilt(doubted[0]!) ? { severity: 'low' as const } : {}),
    title: clip(`${standing.isRebuilt(doubted[0]!) ? 'New' : 'Unknown'} ${name} was given ${named}`, 300),
    summary: `A job of ${work.repository || work.owner} that has ${named} ran on ${name}: ${why}. Whoever runs that machine now holds what the job was given.`,
    because: [
      ...registered.map((one) => because(runners, key, one, `${one.by ?? 'Somebody'} registered ${name}`)),
      ...doubted.slice(0, mostEvidence).flatMap((one) => one.because),
    ],
    entities: namedOnce(entitiesOf(isPool ? [subject] : [], doubted, given), subject, mostNamed + 1),
    response:
      isHosted || standing.isRebuilt(doubted[0]!)
        ? []
        : some.flatMap((one) => stoppingAndIsolating(one.key, one.runner, one.work)),
    remedy: [
      `Find out who registered ${name} and where it runs; if nobody answers for it, remove it from the runners of ${work.owner}.`,
      `Rotate ${named}: the machine has had them.`,
      `If it is yours, resolve the incident as accepted and say why: ${name} is known from then on. \`tripline inventory import\` makes a machine known before its first job.`,
    ],
  };
}

const hasWorked = (known: unknown): boolean => known !== undefined && (known as Runner).work.length > 0;

function entitiesOf(pool: readonly string[], doubted: readonly Doubted[], given: readonly string[]): Entity[] {
  const all = (kind: Entity['kind'], ids: readonly (string | undefined)[]): Entity[] =>
    ids.flatMap((id) => (id === undefined ? [] : [entityOf(kind, id)]));
  const environments = doubted.map(({ work }) => work.environment);
  const keys = doubted.map(({ key }) => key);
  const inRuns = doubted.slice(0, mostNamed).map(({ work }) => work);
  return [
    ...all('runner', [...pool, ...keys]),
    ...inRuns.flatMap(({ run, runKey }) => (run === undefined ? [] : [entityOf('run', run, runKey)])),
    ...[...all('credential', given), ...all('environment', environments)],
  ];
}

export const rule = defineRule<unknown, z.output<typeof settings>>({
  id: 'credential-new-runner',
  title: 'Credential used from a runner that is unknown',
  description:
    'A job that has credentials runs on a self-hosted runner that is unknown: in no inventory, not at work while the workspace was learned, accepted by nobody, of no known pool; or registered by somebody who is no registrar or within 24 hours, in another group than the inventory has it in, or a runner of another repository. ' +
    'It is one finding a runner, which grows. Resolving its incident as accepted teaches the runner. A pool of runners that take one job each (a scale set) is learned, accepted or configured as one. ' +
    'Machines that are made anew inform once a pool and month, at low severity, where others of their pool (group, labels, how names begin) are known and the group is one that the organisation made, as the inventory tells; unless somebody registered them who is no registrar, and registered none of the organisation’s while it was learned. ' +
    'With webhooks only, the credential is the secrets of an environment (medium confidence) or of a workflow in `secretWorkflows` (low), and whoever may register a runner passes for one of a known pool. ' +
    'What is not used for 90 to 135 days is forgotten, and nothing is learned from a run in which something stands found.',
  severity: 'critical',
  confidence: 'high',
  principles: [2, 3],
  attack: ['T1078.004', 'T1528'],
  owasp: ['CICD-SEC-6', 'CICD-SEC-2'],
  feeds: { needs: ['github'], better: { 'github-audit': 'names secrets and registrars, so it is surer' } },
  falseAlarms: [
    'A new machine of yours is found once: resolve it as accepted, or run `tripline inventory import` before its first job.',
    'Autoscaled runners that take one job each: accept the pool once, or name it in `pools` (group and how names begin). Runners of a pool that take several jobs are known by `pools` alone.',
    'A pool that is built anew in the default group, or in a workspace without an inventory: put it into a group of its own, and run `tripline inventory import`.',
    'Larger hosted runners in a group of yours: an inventory tells them, unless self-hosted ones share their group.',
  ],
  limits: [
    'With webhooks alone: a machine that is put into a known pool’s own group by whoever may administer the organisation’s runners; it informs, since no webhook tells who registered it.',
  ],
  reads: [],
  settings: settings as z.ZodType<z.output<typeof settings>>,
  learns: true,
  concludes: {
    uses: [runners, runnerClasses, runnerGroups, registrars, of.credentials, runs, repositories],
    about: [runners, runnerClasses],
    // Of a machine that never worked, such as most of an inventory's, nothing can be found.
    subjects: ({ fact, key, value, before }) =>
      fact === runners.id && !hasWorked(value) && !hasWorked(before) ? [] : [key],
    conclude,
  },
});
