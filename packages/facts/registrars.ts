import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { inOwnOrder, inPlaceOf, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { runnerKeyOf } from './runner-keys.ts';
import { type Account, accountOf, accountSchema, authorOf, keyOf, senderOf } from './things.ts';

/** Of each month the first registrations, of the latest months: more of them say nothing new of who registers. */
const most = { ofMonth: 3, months: 6 } as const;

const registrationSchema = observedSchema.extend({
  /** The runner's key in the fact `runners`, its number and its name. */
  runnerKey: z.string(),
  runnerId: z.string(),
  runnerName: z.string(),
  organization: z.string().optional(),
  /** Of a repository's runner. */
  repository: z.string().optional(),
  repositoryId: z.string().optional(),
  isPublic: z.boolean(),
  /** For one job only, by the way in which it was registered. */
  singleUse: z.boolean(),
});
export type Registered = z.infer<typeof registrationSchema>;
export const registrarSchema = z.object({
  by: accountSchema,
  /** When the log heard of their first, ms of the log's time. */
  heardMs: z.number(),
  registrations: z.array(registrationSchema),
});
export type Registrar = z.infer<typeof registrarSchema>;

export const monthOf = ({ time }: { time: string }): string => time.slice(0, 'YYYY-MM'.length);

export const registrars: Fact<Registrar> = {
  id: 'registrars',
  description:
    'Who registered self-hosted runners, by account: when they were first heard to, and the first three runners of each of the last six months. Only a feed of audit records tells.',
  reads: ['dev.cdeventsx.tripline-runner.registered'],
  value: registrarSchema,
  keys(event) {
    const by = registrarOf(event);
    return by === undefined ? [] : [keyOf(event, registrarId(by))];
  },
  learn,
  // As long as somebody is remembered to be one who does that.
  keepMs: 400 * 86_400_000,
};

export const registrarId = (by: Account): string => `registrar:${authorOf(by)}`;

function registrarOf({ data }: LoggedEvent): Account | undefined {
  const { 'tripline.runner.registered_by': by, 'user.name': name }: Attributes = data;
  // The event's sender is who registered it where the feed says nobody else.
  return by === undefined || by === name ? senderOf(data) : accountOf(by);
}

function learn(known: Registrar | undefined, event: LoggedEvent, at: LearnContext): Registrar {
  const told = registeredBy(event);
  const before = known ?? { by: registrarOf(event)!, heardMs: at.nowMs, registrations: [] };
  const same = before.registrations.find(
    ({ runnerKey, time }) => runnerKey === told.runnerKey && monthOf({ time }) === monthOf(told),
  );
  const heardMs = Math.min(before.heardMs, at.nowMs);
  if (same !== undefined && inOwnOrder(same, told) <= 0)
    return heardMs === known?.heardMs ? known : { ...before, heardMs };
  const others = before.registrations.filter((one) => one !== same);
  const sorted = [...others, inPlaceOf(same, told, at.pinned)].sort(inOwnOrder);
  const months = [...new Set(sorted.map(monthOf))].slice(-most.months);
  const counts = new Map<string, number>();
  const kept = sorted.filter((one) => {
    const nth = (counts.get(monthOf(one)) ?? 0) + 1;
    counts.set(monthOf(one), nth);
    return at.pinned.has(one.eventId) || (nth <= most.ofMonth && months.includes(monthOf(one)));
  });
  const isAsKnown =
    kept.length === before.registrations.length && kept.every((one) => before.registrations.includes(one));
  return isAsKnown && heardMs === known?.heardMs ? known : { ...before, heardMs, registrations: kept };
}

function registeredBy(event: LoggedEvent): Registered {
  const data: Attributes = event.data;
  const { 'cicd.worker.id': runnerId = '', 'cicd.worker.name': runnerName = '' } = data;
  const { 'vcs.repository.name': repository, 'vcs.repository.id': repositoryId, 'vcs.owner.name': owner } = data;
  return {
    ...observedBy(event),
    ...{ runnerKey: runnerKeyOf(event, runnerId, runnerName), runnerId, runnerName: clip(runnerName, 200) },
    ...(owner === undefined ? {} : { organization: owner }),
    ...(repository === undefined ? {} : { repository }),
    ...(repositoryId === undefined ? {} : { repositoryId }),
    isPublic: data['tripline.repository.visibility'] === 'public',
    singleUse: data['tripline.runner.single_use'] === true,
  };
}
