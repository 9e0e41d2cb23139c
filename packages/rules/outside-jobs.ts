import type { AnyFact } from '@tripline/contracts/fact';
import type { Confidence } from '@tripline/contracts/finding';
import { breakGlass, recordsKeysOf } from '@tripline/facts/break-glass';
import { deliveries } from '@tripline/facts/deliveries';
import { givenAccess } from '@tripline/facts/given-access';
import { addressedKey, type Given, type Grant, type GrantAct, grantKey, grants } from '@tripline/facts/grants';
import { refs } from '@tripline/facts/refs';
import { repositoryNames } from '@tripline/facts/repository-names';
import { runs } from '@tripline/facts/runs';
import { isSameAccount } from '@tripline/facts/things';
import { workflowRuns } from '@tripline/facts/workflow-runs';
import {
  accessFor,
  type GrantContext,
  givenBackFor,
  isNamed,
  jobsAround,
  recheckLate,
  recheckWindow,
  recordFor,
  timeOf,
  windowsAt,
} from './granting.ts';

/** What decides whether a grant was authorised. */
export const authorisingFacts: readonly AnyFact[] = [
  grants,
  givenAccess,
  breakGlass,
  deliveries,
  workflowRuns,
  repositoryNames,
  runs,
  refs,
];

/** A team's access is told twice, within a minute; the telling that says which right may come second. */
const tellingsMs = 60_000;
/** An invitation can be accepted for seven days, and the membership is then judged by it. */
const invitationMs = 8 * 24 * 3_600_000;

/** An invitation that a membership accepted, and where it is known. */
type Accepted = { key: string; grant: Grant; act: GrantAct };

/** Whether an act is in order. `until`: while a window of it is open, its end may yet turn out to lie before the act. */
function isExcused(grant: Grant, act: Given, context: GrantContext): boolean {
  const { settings } = context;
  const { ms } = timeOf(act, context);
  if (isNamed(settings.exemptActors, act)) {
    context.explain(`${act.by.login} is exempt`);
    return true;
  }
  if (grant.kind.startsWith('app-') && grant.granteeId !== undefined && settings.ownApps.includes(grant.granteeId)) {
    context.explain('it is the App by which Tripline itself reads');
    return true;
  }
  const record = recordFor(act, ms, context);
  if (record) {
    context.explain(`break-glass record ${record.id} of ${record.actor}`);
    return true;
  }
  const given = accessFor(grant, act, ms, context);
  if (given) {
    context.explain(`the access broker gave it, as ${given.first.grant}`);
    return true;
  }
  const back = givenBackFor(grant, act, ms, context);
  if (back) {
    context.explain(`the access broker gave back what was held before ${back.grant}`);
    return true;
  }
  const windows = windowsAt(grant, act, ms, context);
  const window = windows.find(({ ended }) => ended) ?? windows[0];
  if (window) {
    context.explain(`job ${window.job.name} of ${window.run} was running`);
    // Where the default branch stood, and when the job ended, may yet be received.
    if (window.ended) recheckLate(act.heardMs, context);
    else recheckWindow(window, context);
    return true;
  }
  const accepted = invitationsOf(grant, act, ms, context);
  return accepted.length > 0 && accepted.every((one) => isExcused(one.grant, invitedAs(one), context));
}

const invitedAs = ({ act }: Accepted): Given => ({ ...act, occasion: act.fact ?? act.eventId, tellings: [act] });

/**
 * The invitations of which `act`, a membership, may be the acceptance: of the account itself or, where somebody joined by
 * their own hand and none is known of them, those that were sent to an address.
 */
export function invitationsOf(grant: Grant, act: Given, ms: number, context: GrantContext): Accepted[] {
  if (grant.kind !== 'org-member') return [];
  const { skewMs } = context.settings;
  const before = ({ did, time }: GrantAct) =>
    did === 'invited' && Date.parse(time) <= ms + skewMs && Date.parse(time) > ms - invitationMs;
  const place = { target: act.target, targetId: grant.targetId };
  const invited = { ...grant, kind: 'org-invitation' };
  const own = grantKey(grant, { ...place, kind: 'org-member' }, { id: grant.granteeId, name: act.grantee });
  const named = grant.acts.filter(before).map((one) => ({ key: own, grant: invited, act: one }));
  if (named.length > 0 || !joinedAlone(grant, act)) return named;
  const key = addressedKey(grant, { id: grant.targetId, name: act.target });
  const addressed = context.read(grants, key);
  return (addressed?.acts ?? []).filter(before).map((one) => ({ key, grant: invited, act: one }));
}
/** Whoever accepts an invitation is told as the one who did it. */
const joinedAlone = ({ granteeId }: Grant, { by, grantee }: GrantAct): boolean =>
  isSameAccount(by, { login: grantee, ...(granteeId === undefined ? {} : { id: granteeId }) });

/**
 * Whether what is received later may yet put an act in order: a job of a granting workflow, an invitation, or that it was done
 * before it was received, under break-glass.
 */
function mayBeExcused(grant: Grant, act: Given, context: GrantContext): boolean {
  const { settings, read } = context;
  if (act.timeless && recordsKeysOf(act.by).some((one) => read(breakGlass, one) !== undefined)) return true;
  if (settings.grantingWorkflows.length === 0) return false;
  if (isNamed(settings.grantingActors, act)) return true;
  if (grant.kind !== 'org-member' || !joinedAlone(grant, act)) return false;
  const accepted = invitationsOf(grant, act, timeOf(act, context).ms, context);
  return accepted.length === 0 || accepted.some((one) => mayBeExcused(one.grant, invitedAs(one), context));
}

/** How an act that nothing excuses stands. `ms`: when it was; `doubtful`: it came late, and when it was is not known. */
export type OutsideJob = {
  ms: number;
  doubtful: boolean;
  /** What is received later may yet put it in order. */
  mayBeExcused: boolean;
  /** Until then it is not told anew. */
  heldUntilMs: number;
};

/**
 * An act that no job of a granting workflow, no break-glass record and no accepted invitation excuses; undefined where
 * one does. Asks itself again when that may change.
 */
export function outsideJob(
  grant: Grant,
  act: Given & { unsaid: boolean },
  context: GrantContext,
): OutsideJob | undefined {
  const { nowMs, settings } = context;
  if (isExcused(grant, act, context)) return undefined;
  const heardMs = Math.min(...act.tellings.map((one) => one.heardMs));
  const waits = mayBeExcused(grant, act, context);
  const holdMs = Math.max(
    waits ? settings.latenessMs : 0,
    act.unsaid && grant.kind === 'team-repository' ? tellingsMs : 0,
  );
  const heldUntilMs = heardMs + holdMs;
  if (waits && nowMs >= heldUntilMs) recheckLate(heardMs, context);
  return { ...timeOf(act, context), mayBeExcused: waits, heldUntilMs };
}

/** A source that tells of jobs only once they end leaves open whether one is running now. */
export function confidenceOf(grant: Grant, act: Given, ms: number, context: GrantContext): Confidence {
  if (!isNamed(context.settings.grantingActors, act)) return 'high';
  const jobs = jobsAround(grant, ms, context);
  return jobs.length > 0 && jobs.every(({ job }) => job.eventType === 'dev.cdevents.taskrun.finished') ? 'low' : 'high';
}
