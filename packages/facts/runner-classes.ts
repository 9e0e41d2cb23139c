import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventIs, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { acceptedIn, acceptedSchema, newerAct, teaches } from './acceptance.ts';
import { inOwnOrder as byOwnTime, inPlaceOf, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { hostedJob, isRunnerClassKey, runnerClassKeyOf, runnerKeyOf, sortedLabels } from './runner-keys.ts';
import { runKeyOf, runNameOf } from './things.ts';

const dayMs = 86_400_000;
/** As many of its runners are known, the first: those of which something stands are named by it. */
const mostMembers = 32;
/** By the first so many it is seen whether it is a pool of runners that take one job each. */
const mostDeciding = 5;
/** A pool has at least so many, each of which took one job. */
const leastMembers = 3;

const memberSchema = observedSchema.extend({
  /** The runner's key in the fact `runners`. */
  key: z.string(),
  heardMs: z.number(),
  /** Ids of two jobs at most. */
  jobs: z.array(z.string()),
  /** As findings name it: `owner/name#run`. */
  run: z.string().optional(),
  /** Its key in the fact `runs`; absent in what former versions kept. */
  runKey: z.string().optional(),
});
export const runnerClassSchema = z.object({
  members: z.array(memberSchema),
  accepted: acceptedSchema.optional(),
  lastDayMs: z.number(),
});
export type RunnerClass = z.infer<typeof runnerClassSchema>;
export type RunnerClassMember = z.infer<typeof memberSchema>;

const reads = [
  'dev.cdevents.taskrun.started',
  'dev.cdevents.taskrun.finished',
  'dev.cdeventsx.tripline-act.performed',
] as const satisfies readonly EventType[];
const isAct = eventIs('dev.cdeventsx.tripline-act.performed');

export const runnerClasses: Fact<RunnerClass> = {
  id: 'runner-classes',
  description:
    'A class of self-hosted runners: of one group, with jobs of the same labels, whose names begin alike. Its first 32 runners, with two jobs of each at most, and whether a person accepted it. A scale set or another pool of runners that take one job each shows as one.',
  reads,
  passesOver: { 'dev.cdevents.taskrun.started': hostedJob, 'dev.cdevents.taskrun.finished': hostedJob },
  value: runnerClassSchema,
  keys(event) {
    const data: Attributes = event.data;
    if (isAct(event)) return teaches(data, isRunnerClassKey);
    if (data['cicd.worker.id'] === undefined || data['tripline.worker.hosted'] === true) return [];
    const key = runnerClassKeyOf(event, data['cicd.worker.name'] ?? '');
    return key === undefined ? [] : [key];
  },
  learn(known, event, at) {
    const before: RunnerClass = known ?? { members: [], lastDayMs: 0 };
    if (isAct(event)) {
      const accepted = newerAct(before.accepted, acceptedIn(event, at.nowMs), at.pinned);
      return accepted === before.accepted ? known : { ...before, accepted };
    }
    const members = membersAfter(before.members, event, at);
    const lastDayMs = Math.max(before.lastDayMs, Math.floor(parseTime(event.time) / dayMs) * dayMs);
    return members === before.members && lastDayMs === before.lastDayMs ? known : { ...before, members, lastDayMs };
  },
  keepMs: 90 * dayMs,
};

function membersAfter(members: RunnerClassMember[], event: LoggedEvent, at: LearnContext): RunnerClassMember[] {
  const data: Attributes = event.data;
  const key = runnerKeyOf(event, data['cicd.worker.id']!, data['cicd.worker.name'] ?? '');
  const job = data['cicd.pipeline.task.run.id']!;
  const before = members.find((member) => member.key === key);
  const isFirst = before === undefined || isEarlier(event, before);
  const run = runNameOf(event);
  const told = inPlaceOf(before, observedBy(event), at.pinned);
  const first = isFirst ? { ...told, ...(run === undefined ? {} : { run, runKey: runKeyOf(event)! }) } : {};
  const jobs = before?.jobs ?? [];
  const next = {
    ...(before ?? { key, heardMs: at.nowMs }),
    ...first,
    jobs: jobs.length < 2 && !jobs.includes(job) ? [...jobs, job].sort() : jobs,
  } as RunnerClassMember;
  if (before !== undefined && !isFirst && next.jobs === jobs) return members;
  const sorted = [...members.filter((member) => member !== before), next].sort(inOwnOrder);
  const kept = sorted.slice(0, mostMembers);
  const pinned = sorted.slice(mostMembers).filter(({ eventId }) => at.pinned.has(eventId));
  return before === undefined && !kept.includes(next) ? members : [...kept, ...pinned];
}

const isEarlier = ({ id: eventId, time }: LoggedEvent, known: RunnerClassMember): boolean =>
  byOwnTime({ eventId, time }, known) < 0;
const inOwnOrder = (a: RunnerClassMember, b: RunnerClassMember): number =>
  parseTime(a.time) - parseTime(b.time) || (a.key < b.key ? -1 : 1);

/**
 * A pool in settings, such as a scale set of the Actions Runner Controller: the number of its group, how the names of its
 * runners begin and, where given, the labels that their jobs ask for.
 */
export const pool = z.strictObject({
  groupId: z.string(),
  namePrefix: z.string().min(3),
  labels: z.array(z.string()).optional(),
});
/** Whether a runner of this name did some work as one of a pool in settings. */
export function isOfPool(
  { groupId, namePrefix, labels }: z.output<typeof pool>,
  name: string,
  work: { groupId?: string | undefined; labels: readonly string[] },
): boolean {
  const isOfLabels = labels === undefined || sortedLabels(labels).join() === work.labels.join();
  return groupId === work.groupId && name.startsWith(namePrefix) && isOfLabels;
}

/** The first runners of a class that is a pool: each of them took one job. Empty where it is none, as is a class of machines that stay. */
export function poolOf(known: RunnerClass | undefined): readonly RunnerClassMember[] {
  const first = known?.members.slice(0, mostDeciding) ?? [];
  return first.length >= leastMembers && first.every(({ jobs }) => jobs.length === 1) ? first : [];
}
