import type { Attributes } from '@tripline/contracts/attributes';
import { eventIs, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { clip, inSmallLetters } from '@tripline/contracts/text';
import { z } from 'zod';
import { type Bound, keepBounded, observedBy } from './bounds.ts';
import { keepEarliest } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { accountSchema, authorOf, repositoryKeyOf, runKeyIn, senderOf } from './things.ts';

const dayMs = 86_400_000;

const askedSchema = observedSchema.extend({ run: z.string() });
const answerSchema = observedSchema.extend({
  run: z.string(),
  approved: z.boolean(),
  by: accountSchema.optional(),
});
/** A job that a machine took for the environment. `heardMs`: when the log first heard of it, ms. */
const entrySchema = observedSchema.extend({
  run: z.string(),
  job: z.string(),
  name: z.string(),
  production: z.boolean(),
  heardMs: z.number(),
  attempt: z.number().optional(),
});
/** That Tripline's App was asked, and not people. `heardMs`: when the log first heard of it, ms. */
const questionSchema = askedSchema.extend({ heardMs: z.number() });
/** What the broker answered. `question`: id of the event that asked. `dryRun`: it told nobody. */
const verdictSchema = observedSchema.extend({
  run: z.string(),
  question: z.string(),
  attempt: z.number().optional(),
  decision: z.enum(['granted', 'denied', 'pending']),
  dryRun: z.literal(true).optional(),
});
const gateSchema = z.object({
  repository: z.string(),
  environment: z.string(),
  asked: z.array(askedSchema),
  answered: z.array(answerSchema),
  entered: z.array(entrySchema),
  /** Absent in what was kept before there was a gate of Tripline's own. */
  questions: z.array(questionSchema).optional(),
  verdicts: z.array(verdictSchema).optional(),
});
export type DeploymentGate = z.infer<typeof gateSchema>;
export type GateEntry = DeploymentGate['entered'][number];
export type GateQuestion = z.infer<typeof questionSchema>;
export type GateVerdict = z.infer<typeof verdictSchema>;

const most = 60;
const asked: Bound<DeploymentGate['asked'][number]> = {
  ...{ kind: 'requests for a review', authorOf: () => '', mostPerAuthor: most, most, rolls: 'all' },
};
const answered: Bound<DeploymentGate['answered'][number]> = {
  ...{
    kind: 'reviews of deployments',
    authorOf: ({ by }) => authorOf(by),
    mostPerAuthor: most,
    most: 3 * most,
    rolls: 'all',
  },
};
const entered: Bound<GateEntry> = {
  ...{ kind: 'jobs for an environment', authorOf: () => '', mostPerAuthor: most, most, rolls: 'all' },
};
const questions: Bound<GateQuestion> = {
  ...{ kind: 'questions to the gate', authorOf: () => '', mostPerAuthor: most, most, rolls: 'all' },
};
const verdicts: Bound<GateVerdict> = {
  ...{ kind: 'answers of the gate', authorOf: () => '', mostPerAuthor: 2 * most, most: 2 * most, rolls: 'all' },
};

const isReview = eventIs('dev.cdeventsx.tripline-deployment.reviewed');
const isVerdict = eventIs('dev.cdeventsx.tripline-gate.decided');
const noEnvironment = { without: ['deployment.environment.name'] as const };

export const deploymentGates: Fact<DeploymentGate> = {
  id: 'deployment-gates',
  description:
    'An environment of a repository: for which runs a review was asked, who gave it, what Tripline’s own gate was asked and answered, and which jobs a machine took for it; the latest of each. That a gate was set up or taken away is not told by webhooks: that one is asked for shows it.',
  reads: [
    'dev.cdeventsx.tripline-deployment.reviewed',
    'dev.cdeventsx.tripline-gate.decided',
    'dev.cdevents.taskrun.started',
    'dev.cdevents.taskrun.finished',
  ],
  passesOver: { 'dev.cdevents.taskrun.started': noEnvironment, 'dev.cdevents.taskrun.finished': noEnvironment },
  value: gateSchema,
  keys(event) {
    const data: Attributes = event.data;
    const repository = repositoryKeyOf(event);
    const environment = data['deployment.environment.name'];
    if (repository === undefined || environment === undefined || data['cicd.pipeline.run.id'] === undefined)
      return none;
    if (isVerdict(event)) return [keyIn(repository, environment)];
    // A job that waits, or was rejected, has no machine.
    if (!isReview(event)) return data['tripline.worker.hosted'] === undefined ? none : [keyIn(repository, environment)];
    return (data['tripline.deployment.environments'] ?? [environment]).map((one) => keyIn(repository, one));
  },
  learn,
  keepMs: 90 * dayMs,
};
const none: readonly string[] = [];
const keyIn = (repository: string, environment: string) => `${repository}~${clip(inSmallLetters(environment), 200)}`;
/** The key of the repository that has the environment. */
export const repositoryKeyOfGate = (key: string): string => key.slice(0, key.indexOf('~'));

function learn(known: DeploymentGate | undefined, event: LoggedEvent, at: LearnContext): DeploymentGate {
  const data: Attributes = event.data;
  const before: DeploymentGate = known ?? {
    repository: data['vcs.repository.name'] ?? '',
    environment: at.key.slice(at.key.indexOf('~') + 1),
    ...{ asked: [], answered: [], entered: [] },
  };
  const after = (isReview(event) ? afterReview : isVerdict(event) ? afterVerdict : afterJob)(before, event, at);
  return known !== undefined && after === before ? known : after;
}

function afterReview(gate: DeploymentGate, event: LoggedEvent, at: LearnContext): DeploymentGate {
  const data: Attributes = event.data;
  const run = runKeyIn(repositoryKeyOf(event)!, data['cicd.pipeline.run.id']!);
  const decision = data['tripline.deployment.decision'];
  if (decision === 'requested') {
    const told = { ...observedBy(event), run };
    if (data['tripline.deployment.gate'] !== undefined) {
      const former = gate.questions ?? [];
      const kept = keepBounded<GateQuestion>(former, { ...told, heardMs: at.nowMs }, questions, at);
      return kept === former ? gate : { ...gate, questions: [...kept] };
    }
    const kept = keepEarliest(gate.asked, told, (other) => other.run === run, asked, at);
    return kept === gate.asked ? gate : { ...gate, asked: [...kept] };
  }
  const by = senderOf(data);
  const told = { ...observedBy(event), run, approved: decision === 'approved', ...(by === undefined ? {} : { by }) };
  const isSame = (other: DeploymentGate['answered'][number]) =>
    other.run === run && other.approved === told.approved && authorOf(other.by) === authorOf(by);
  const kept = keepEarliest(gate.answered, told, isSame, answered, at);
  return kept === gate.answered ? gate : { ...gate, answered: [...kept] };
}

function afterVerdict(gate: DeploymentGate, event: LoggedEvent, at: LearnContext): DeploymentGate {
  const data: Attributes = event.data;
  const attempt = data['tripline.pipeline.run.attempt'];
  const told: GateVerdict = {
    ...{ ...observedBy(event), run: runKeyIn(repositoryKeyOf(event)!, data['cicd.pipeline.run.id']!) },
    ...{ question: data['tripline.deployment.question'] ?? '', decision: data['tripline.access.decision']! },
    ...(attempt === undefined ? {} : { attempt }),
    ...(data['tripline.access.dry_run'] === true ? { dryRun: true as const } : {}),
  };
  const former = gate.verdicts ?? [];
  const kept = keepBounded(former, told, verdicts, at);
  return kept === former ? gate : { ...gate, verdicts: [...kept] };
}

function afterJob(gate: DeploymentGate, event: LoggedEvent, at: LearnContext): DeploymentGate {
  const data: Attributes = event.data;
  const job = data['cicd.pipeline.task.run.id']!;
  const before = gate.entered.find((other) => other.job === job);
  const attempt = data['tripline.pipeline.run.attempt'];
  const told: GateEntry = {
    ...observedBy(event),
    ...{ run: runKeyIn(repositoryKeyOf(event)!, data['cicd.pipeline.run.id']!), job },
    name: clip(data['cicd.pipeline.task.name'] ?? '', 200),
    production: data['tripline.deployment.production'] === true || before?.production === true,
    heardMs: before?.heardMs ?? at.nowMs,
    ...(attempt === undefined ? {} : { attempt }),
  };
  const kept = keepEarliest(gate.entered, told, (other) => other.job === job, entered, at);
  return kept === gate.entered ? gate : { ...gate, entered: [...kept] };
}
