import type { Attributes } from '@tripline/contracts/attributes';
import { eventIs, type LoggedEvent } from '@tripline/contracts/event';
import type { Confidence } from '@tripline/contracts/finding';
import { defineRule, type FindingDraft, type RuleContext, runKey, type Timer } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { remembered } from './remembered.ts';
import {
  type Book,
  bookKeyOf,
  bookSchema,
  caps,
  credentialsOf,
  dayOf,
  enter,
  environmentCredential,
  isUsual,
  newRun,
  newRunner,
  type RunFacts,
  type Runner,
  type RunnerSettings,
  runnerOf,
  runnerSchema,
  runnerSettings,
  runSchema,
  selfHosted,
  suspicionOf,
  type Use,
  useOf,
  workflowCredential,
} from './runner-facts.ts';
import { inOrder, noSurerThan, tell } from './story.ts';

type State = Book | Runner | RunFacts;
type Context = RuleContext<State, RunnerSettings>;

const runTypes = [
  'dev.cdevents.pipelinerun.queued',
  'dev.cdevents.pipelinerun.started',
  'dev.cdevents.pipelinerun.finished',
] as const;
const taskTypes = ['dev.cdevents.taskrun.started', 'dev.cdevents.taskrun.finished'] as const;
const runnerTypes = ['dev.cdeventsx.tripline-runner.registered', 'dev.cdeventsx.tripline-runner.removed'] as const;
const isInventory = eventIs('dev.cdeventsx.tripline-inventory.observed');
const isRunEvent = eventIs(...runTypes);
const isTaskEvent = eventIs(...taskTypes);
const isRunnerEvent = eventIs(...runnerTypes);
const dayMs = 86_400_000;
const runKeepMs = 4 * dayMs;

const runnerKey = (identity: string) => `runner:${identity}`;
const runFactsKey = (repository: string, run: string) => `run:${repository}#${run}`;
const bookOf = remembered((repository) => `book:${repository}`);
const getBook = (context: Context, key: string) => context.get(key) as Book | undefined;
const getRunner = (context: Context, key: string) => (context.get(key) as Runner | undefined) ?? newRunner;
const getRun = (context: Context, key: string) => (context.get(key) as RunFacts | undefined) ?? newRun;

function keys(event: LoggedEvent): readonly string[] {
  const data: Attributes = event.data;
  if (isInventory(event)) {
    const runners = data['tripline.inventory.runners'] ?? [];
    const uses = data['tripline.inventory.credential_uses'] ?? [];
    return [
      ...new Set([
        ...runners.map((runner) => runnerKey(selfHosted(runner.id, runner.name))),
        ...uses.map((use) => bookKeyOf(use.credential)),
      ]),
    ];
  }
  const repository = data['vcs.repository.name'];
  const run = data['cicd.pipeline.run.id'];
  const hasRun = repository !== undefined && run !== undefined;
  if (isRunEvent(event)) return hasRun ? [runFactsKey(repository, run), bookOf(repository)] : [];
  const runner = runnerOf(data);
  if (runner === undefined) return [];
  if (isRunnerEvent(event)) return [runnerKey(runner.identity)];
  const named = [runnerKey(runner.identity)];
  if (hasRun) named.push(runFactsKey(repository, run), bookOf(repository), runKey(`${repository}#${run}`));
  return isTaskEvent(event) ? named : [...new Set([...named, ...credentialsOf(data).map(bookKeyOf)])];
}

function judge(event: LoggedEvent, context: Context): void {
  if (isInventory(event)) {
    learnInventory(event.data, context);
    return;
  }
  if (isRunnerEvent(event)) {
    learnRunner(event, context);
    return;
  }
  if (isRunEvent(event)) {
    learnRun(event, context);
    return;
  }
  if (isTaskEvent(event)) {
    judgeTask(event, context);
    return;
  }
  judgeUse(event, context);
}

function learnInventory(data: Attributes, context: Context): void {
  const keep = context.settings.expireMs;
  for (const { id, name, groupId, repository } of data['tripline.inventory.runners'] ?? []) {
    const key = runnerKey(selfHosted(id, name));
    const runner = { ...getRunner(context, key), known: true, lastMs: dayOf(context.nowMs), groupId: groupId ?? null };
    settle(context, key, repository === undefined ? runner : { ...runner, repository });
  }
  for (const { credential, runner } of data['tripline.inventory.credential_uses'] ?? []) {
    const key = bookKeyOf(credential);
    context.set(key, enter(getBook(context, key), credential, runner, context.nowMs), keep);
  }
}

function learnRunner(event: LoggedEvent, context: Context): void {
  const data: Attributes = event.data;
  const named = runnerOf(data);
  if (named === undefined) return;
  const key = runnerKey(named.identity);
  const runner = getRunner(context, key);
  // A removed runner's id never comes back, and what it did stays found.
  if (event.type === 'dev.cdeventsx.tripline-runner.removed') return;
  const by = data['tripline.runner.registered_by'] ?? data['user.name'];
  const ms = Date.parse(data['tripline.runner.registered_at'] ?? event.time);
  const evidence = tell(event, `${by ?? 'Somebody'} registered runner ${named.name}`);
  settle(context, key, { ...runner, registered: { ms, evidence, ...(by === undefined ? {} : { by }) } });
}

/** Keeps a runner, and takes back what was found on it when nothing speaks against it any more. */
function settle(context: Context, key: string, runner: Runner): void {
  const found = runner.found.filter((use) => {
    if (suspicionOf(runner, use, context.settings) !== undefined) return true;
    const reason = `runner ${use.runnerName} turned out to be a known one`;
    context.withdraw({ subject: subjectOf(key), occasion: use.occasion, reason });
    return false;
  });
  context.set(key, { ...runner, found }, context.settings.expireMs);
}

const subjectOf = (key: string) => key.slice('runner:'.length);

function learnRun(event: LoggedEvent, context: Context): void {
  const data: Attributes = event.data;
  const repository = data['vcs.repository.name']!;
  const path = data['tripline.pipeline.path'];
  if (path === undefined) return;
  const [key, ofBook] = context.keys as [string, string];
  const known =
    context.settings.secretWorkflows.includes(`${repository}/${path}`) ||
    getBook(context, ofBook)?.pairs[workflowCredential(repository, path)] !== undefined;
  if (!known) return;
  const run = getRun(context, key);
  if (run.path !== undefined) return;
  const by = data['tripline.pipeline.triggered_by'] ?? data['user.name'] ?? 'somebody unnamed';
  const evidence = tell(event, `${by} set off ${data['cicd.pipeline.name'] ?? path}, which uses secrets`);
  context.set(key, { ...run, path, secretWorkflow: true, evidence }, runKeepMs);
  // Jobs that were heard of before their run stand under keys of their runners.
  for (const task of run.tasks) {
    const keys = [key, task.runner, ofBook];
    context.setTimer({ id: `join ${task.runner} ${task.use.occasion}`, dueMs: context.nowMs, keys });
  }
}

function judgeTask(event: LoggedEvent, context: Context): void {
  const data: Attributes = event.data;
  const named = runnerOf(data)!;
  const repository = data['vcs.repository.name']!;
  const runId = data['cicd.pipeline.run.id']!;
  const [at, key] = context.keys as [string, string];
  const run = getRun(context, key);
  const environment = data['deployment.environment.name'];
  const credentials: string[] = [];
  if (environment !== undefined) credentials.push(environmentCredential(repository, environment));
  if (run.secretWorkflow) credentials.push(workflowCredential(repository, run.path!));
  // Only the audit stream can say what a hosted runner was given.
  if (!named.hosted) judgeOwnRunner(event, context, { at, key, name: named.name, run, credentials });
  if (event.type === 'dev.cdevents.taskrun.finished') {
    const all = [...credentials, ...run.credentials];
    learnUses(context, named, all, parseTime(event.time), `${repository}#${runId}`);
  }
}

/** A job on a machine of one's own: judged by what it is known to be given, or kept until that is known. */
function judgeOwnRunner(
  event: LoggedEvent,
  context: Context,
  { at, key, name, run, credentials }: { at: string; key: string; name: string; run: RunFacts; credentials: string[] },
): void {
  const data: Attributes = event.data;
  const environment = data['deployment.environment.name'];
  const task = data['cicd.pipeline.task.name'] ?? data['cicd.pipeline.task.run.id'];
  const what = `Job ${task} ran on ${name}${environment === undefined ? '' : `, for environment ${environment}`}`;
  const use = useOf(event, name, credentials, inOrder([run.evidence, tell(event, what)]));
  if (credentials.length > 0) {
    judgeOn(context, at, use, data['tripline.worker.group.id']);
    return;
  }
  if (run.tasks.length >= caps.tasks || run.tasks.some((known) => known.runner === at)) return;
  if (suspicionOf(getRunner(context, at), use, context.settings) === undefined) return;
  context.set(key, { ...run, tasks: [...run.tasks, { runner: at, use }] }, runKeepMs);
}

/** A credential that a feed saw in use: the audit stream, a cloud, Vault. */
function judgeUse(event: LoggedEvent, context: Context): void {
  const data: Attributes = event.data;
  const named = runnerOf(data)!;
  const credentials = credentialsOf(data);
  const repository = data['vcs.repository.name'];
  const runId = data['cicd.pipeline.run.id'];
  const what = `${credentials.map(nameOf).join(', ')} used from ${named.name}`;
  const use = useOf(event, named.name, credentials, [tell(event, what)]);
  judgeOn(context, runnerKey(named.identity), use, data['tripline.worker.group.id']);
  if (repository === undefined || runId === undefined) {
    learnUses(context, named, credentials, use.timeMs, undefined);
    return;
  }
  const key = runFactsKey(repository, runId);
  const run = getRun(context, key);
  const secrets = credentials.filter((credential) => bookKeyOf(credential) === `book:${repository}`);
  const all = [...new Set([...run.credentials, ...secrets])].slice(-caps.secrets);
  context.set(key, { ...run, credentials: all }, runKeepMs);
  // Other credentials have a page of their own, which the job's end will not name: enter them now.
  const others = credentials.filter((credential) => !secrets.includes(credential));
  learnUses(context, named, others, use.timeMs, `${repository}#${runId}`);
}

/**
 * Enters what was used. New pairs and runners only while the workspace is being learned, and never of a run that some
 * rule found; afterwards what is known is only kept from expiring.
 */
function learnUses(
  context: Context,
  named: { identity: string },
  credentials: readonly string[],
  timeMs: number,
  run: string | undefined,
): void {
  if (run !== undefined && context.tainted(run)) return;
  for (const credential of credentials) {
    const key = bookKeyOf(credential);
    const book = getBook(context, key);
    if (!context.learning && !isUsual(book, credential, named.identity, { timeMs }, context.settings)) continue;
    context.set(key, enter(book, credential, named.identity, timeMs), context.settings.expireMs);
  }
  const key = runnerKey(named.identity);
  const runner = getRunner(context, key);
  if (!context.learning && !runner.known) return;
  const lastMs = Math.max(runner.lastMs, dayOf(timeMs));
  const isSame = runner.known && runner.lastMs === lastMs;
  context.set(key, isSame ? runner : { ...runner, known: true, lastMs }, context.settings.expireMs);
}

function judgeOn(context: Context, key: string, use: Use, groupId?: string): void {
  const runner = getRunner(context, key);
  const identity = subjectOf(key);
  const fresh = use.credentials.filter(
    (credential) => !isUsual(getBook(context, bookKeyOf(credential)), credential, identity, use, context.settings),
  );
  const suspicion = suspicionOf(runner, { timeMs: use.timeMs, groupId }, context.settings);
  if (fresh.length === 0 || suspicion === undefined || context.learning) return;
  const found: Use = { ...use, credentials: fresh };
  context.find({ subject: identity, occasion: use.occasion, ...draftOf(runner, identity, found, suspicion) });
  if (runner.found.some((known) => known.occasion === use.occasion)) return;
  context.set(key, { ...runner, found: [...runner.found, found].slice(-caps.found) }, context.settings.expireMs);
}

function due(timer: Timer, context: Context): void {
  const [runAt, runnerAt] = timer.keys as [string, string];
  const run = getRun(context, runAt);
  for (const { runner, use } of run.tasks) {
    if (runner !== runnerAt || run.path === undefined) continue;
    const credentials = [workflowCredential(use.repository, run.path)];
    judgeOn(context, runnerAt, { ...use, credentials, evidence: inOrder([run.evidence, ...use.evidence]) });
  }
}

/** "secret DEPLOY_KEY of acme/app", as a sentence has it. */
function nameOf(credential: string): string {
  const [, kind, repository, name] = /^(workflow|environment|secret):([^/]+\/[^/]+)\/(.+)$/.exec(credential) ?? [];
  if (kind === 'workflow') return `the secrets of workflow ${name} of ${repository}`;
  if (kind === 'environment') return `the secrets of environment ${name} of ${repository}`;
  if (kind === 'secret') return `secret ${name} of ${repository}`;
  return `credential ${credential}`;
}

function confidenceOf(use: Use, hosted: boolean): Confidence {
  if (hosted) return 'low';
  const kinds = new Set(use.credentials.map((credential) => credential.split(':', 1)[0]));
  if (kinds.has('token') || kinds.has('id') || kinds.has('secret')) return 'high';
  return kinds.has('environment') ? 'medium' : 'low';
}

/** State of runs does not say yet at which provider they are. */
const place = { provider: 'github', instance: 'github.com' };

function draftOf(
  runner: Runner,
  identity: string,
  use: Use,
  suspicion: string,
): Omit<FindingDraft, 'subject' | 'occasion'> {
  const hosted = identity.startsWith('hosted:');
  const names = use.credentials.map(nameOf);
  const named = names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
  const { organization, repository, runId, runnerId, runnerName } = use;
  const remove = !hosted && runnerId !== undefined;
  return {
    decidedBy: { eventId: use.eventId, time: use.time },
    title: clip(`Unknown runner ${runnerName} was given ${named}`, 300),
    summary:
      `${runnerName} took a job of ${repository || organization} that has ${named}. ` +
      `It never had that before, and ${suspicion}. Whoever runs that machine now holds what the job was given.`,
    ...(hosted ? { severity: 'medium' as const } : {}),
    confidence: noSurerThan(confidenceOf(use, hosted), use.trust),
    evidence: inOrder([runner.registered?.evidence, ...use.evidence]),
    entities: [
      { kind: 'runner', id: clip(identity, 500) },
      ...(runId === undefined ? [] : [{ kind: 'run' as const, id: `${repository}#${runId}` }]),
      ...use.credentials.slice(0, 5).map((id) => ({ kind: 'credential' as const, id: clip(id, 500) })),
      ...use.credentials.slice(0, 5).flatMap((id) => {
        const environment = /^environment:[^/]+\/[^/]+\/(.+)$/.exec(id)?.[1];
        return environment === undefined ? [] : [{ kind: 'environment' as const, id: environment }];
      }),
    ],
    response: [
      ...(runId === undefined ? [] : [{ action: 'stop-run' as const, ...place, repository, runId }]),
      ...(remove
        ? [
            {
              action: 'isolate-runner' as const,
              ...place,
              organization,
              runnerId,
              runnerName: clip(runnerName, 128),
              ...(runner.repository === undefined ? {} : { repository: runner.repository }),
            },
          ]
        : []),
    ],
    remedy: [
      `Find out who registered ${runnerName} and where it runs; if nobody answers for it, remove it at https://github.com/organizations/${organization}/settings/actions/runners.`,
      `Rotate ${named}: the machine has had them.`,
      hosted
        ? 'If the workflow moved to this class of runner on purpose, resolve this as false.'
        : 'If it is one of yours, import the inventory again, or name who registers runners in `registrars`.',
    ],
  };
}

export const rule = defineRule<State, RunnerSettings>({
  id: 'credential-new-runner',
  title: 'Credential used from a runner that is unknown',
  description:
    'A credential is used from a runner that it was never seen with, and the runner itself is unknown: not in the inventory, younger than 24 hours, or registered by somebody who is no registrar. ' +
    'Self-hosted runners count each for itself, hosted ones by their class (group and labels), since each of those is new. ' +
    'With webhooks only, the credential is the secrets of an environment, or of a workflow known to use secrets, at lower confidence. ' +
    'Pairs and runners are learned for the learning period or from an inventory, then frozen; what is not used for 90 days expires, and nothing is learned from a run that some rule found. ' +
    'At most 300 credentials of a repository with 50 runners each are remembered; a forgotten pair is new again.',
  severity: 'critical',
  confidence: 'high',
  principles: [2, 3],
  attack: ['T1078.004', 'T1528'],
  owasp: ['CICD-SEC-6', 'CICD-SEC-2'],
  tiers: {
    needs: 'A',
    better:
      'the audit stream (B) names the secrets and the registrar; without it confidence is medium (environment) or low (workflow)',
  },
  falseAlarms: [
    'Autoscaled self-hosted runners are new every time: register them with a controller named in `registrars`, and set `youngMs: 0`.',
    'A runner rebuilt under a new id: import the inventory again.',
    'A workflow that moves to another class of hosted runner: found at medium severity and low confidence.',
  ],
  reads: [
    'dev.cdeventsx.tripline-inventory.observed',
    ...runnerTypes,
    ...runTypes,
    ...taskTypes,
    'dev.cdeventsx.tripline-credential.used',
  ],
  settings: runnerSettings as z.ZodType<RunnerSettings>,
  state: z.union([bookSchema, runnerSchema, runSchema]),
  learns: true,
  keys,
  judge,
  due,
});
