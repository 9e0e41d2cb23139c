import type { Confidence } from '@tripline/contracts/finding';
import { type Because, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { breakGlass, recordsKey } from '@tripline/facts/break-glass';
import { deliveries } from '@tripline/facts/deliveries';
import {
  addressedKey,
  type Given,
  type Grant,
  type GrantAct,
  grantKey,
  grants,
  isAddressedKey,
  privilegesOf,
  removalsSince,
} from '@tripline/facts/grants';
import { refs } from '@tripline/facts/refs';
import { runs } from '@tripline/facts/runs';
import { isSameAccount } from '@tripline/facts/things';
import { workflowRuns } from '@tripline/facts/workflow-runs';
import type { z } from 'zod';
import { becauseOf, entitiesOf, grantSubject, nameGrant, remedyFor, responseTo } from './grant-words.ts';
import {
  type GrantContext,
  type GrantingSettings,
  grantingSettings,
  isNamed,
  jobsAround,
  recheckLate,
  recheckWindow,
  recordFor,
  timeOf,
  windowsAt,
} from './granting.ts';

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
  const windows = windowsAt(grant, act, ms, context);
  const window = windows.find(({ ended }) => ended) ?? windows[0];
  if (window) {
    context.explain(`job ${window.job.name} of ${window.run} was running`);
    // Where the default branch stood, and when the job ended, may yet be heard of.
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
function invitationsOf(grant: Grant, act: Given, ms: number, context: GrantContext): Accepted[] {
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
 * Whether what is heard later may yet put an act in order: a job of a granting workflow, an invitation, or that it was done
 * before it was heard of, under break-glass.
 */
function mayBeExcused(grant: Grant, act: Given, context: GrantContext): boolean {
  const { settings, read } = context;
  if (act.timeless && read(breakGlass, recordsKey(act.by.login)) !== undefined) return true;
  if (settings.grantingWorkflows.length === 0) return false;
  if (isNamed(settings.grantingActors, act)) return true;
  if (grant.kind !== 'org-member' || !joinedAlone(grant, act)) return false;
  const accepted = invitationsOf(grant, act, timeOf(act, context).ms, context);
  return accepted.length === 0 || accepted.some((one) => mayBeExcused(one.grant, invitedAs(one), context));
}

function concludeAct(key: string, grant: Grant, act: Given & { unsaid: boolean }, context: GrantContext): Conclusion[] {
  const { nowMs, settings } = context;
  if (isExcused(grant, act, context)) return [];
  const heardMs = Math.min(...act.tellings.map((one) => one.heardMs));
  const waits = mayBeExcused(grant, act, context);
  const holdMs = Math.max(
    waits ? settings.latenessMs : 0,
    act.unsaid && grant.kind === 'team-repository' ? tellingsMs : 0,
  );
  if (nowMs < heardMs + holdMs) {
    context.recheckAt(heardMs + holdMs);
    return [];
  }
  if (waits) recheckLate(heardMs, context);
  return [conclusionOf(key, grant, act, context)];
}

function conclusionOf(key: string, grant: Grant, act: Given, context: GrantContext): Conclusion {
  const { settings, doubtOf } = context;
  const { ms, doubtful } = timeOf(act, context);
  // Whoever sends an old removal again must not have it that nothing is left to take back.
  const removal = removalsSince(grant, Date.parse(act.time)).find(({ eventId }) => doubtOf(eventId) === undefined);
  const informs = settings.grantingWorkflows.length === 0;
  const what = nameGrant(grant, act);
  const at = new Date(ms).toISOString();
  const why = informs
    ? 'No workflow is configured that may grant, so this only informs: see `grantingWorkflows`.'
    : `No job of a granting workflow (${settings.grantingWorkflows.join(', ')}) granted it, and no break-glass record had named ${act.by.login}.`;
  const gone = removal ? ` It was taken back at ${removal.time}; what was done with it in between was not.` : '';
  const late = doubtful ? ' It was told late, and when it was done is not known.' : '';
  return {
    subject: grantSubject(grant, act),
    occasion: act.occasion,
    title: clip(`${act.by.login} granted ${what} outside any authorised job`, 300),
    summary: `At ${at} ${act.by.login} granted ${what}. ${why}${gone}${late}`,
    severity: informs || doubtful ? 'low' : 'high',
    confidence: informs ? 'medium' : confidenceOf(grant, act, ms, context),
    because: [
      ...grant.acts.filter(({ did }) => did === 'requested').map((one) => becauseOf(key, grant, one)),
      ...invitationsOf(grant, act, ms, context)
        .slice(-3)
        .map((one) => becauseOf(one.key, one.grant, one.act)),
      ...act.tellings.map((one) => becauseOf(key, grant, one)),
      ...(removal ? [becauseOf(key, grant, removal)] : []),
    ] satisfies Because[],
    entities: [{ kind: 'user', id: act.by.login }, ...entitiesOf(grant, act)],
    response: removal || doubtful ? [] : responseTo(grant, act),
    remedy: informs ? [...remedyFor(grant, act), settle] : remedyFor(grant, act),
  };
}

const settle =
  'To be told only of what nobody authorised: have rights given by a workflow, and name it and the account under which it grants as `grantingWorkflows` and `grantingActors` of this rule.';

/** A source that tells of jobs only once they end leaves open whether one is running now. */
function confidenceOf(grant: Grant, act: Given, ms: number, context: GrantContext): Confidence {
  if (!isNamed(context.settings.grantingActors, act)) return 'high';
  const jobs = jobsAround(grant, ms, context);
  return jobs.length > 0 && jobs.every(({ job }) => job.eventType === 'dev.cdevents.taskrun.finished') ? 'low' : 'high';
}

export const rule = defineRule<null, GrantingSettings>({
  id: 'privilege-grant-outside-job',
  title: 'Privilege granted while no authorised job was running',
  description:
    'Somebody was given a right to write or administer (membership, collaborator, team, deploy key, app, token), or a greater one than before, and no job of a granting workflow gave it. ' +
    'A job of a workflow of `grantingWorkflows`, run at the head of its default branch, excuses what the accounts of `grantingActors` grant from its start to its end: whoever else grants meanwhile is found. ' +
    'A signed break-glass record explains what a named person grants after it was heard of, until it ends; what stands then is found by `grant-outlived-job`. ' +
    'Without a granting workflow nothing could authorise a grant, so each is told at low severity and nobody is paged. ' +
    'A grant by a granting account is held until its job could have been heard of; a job that is heard of later takes the finding back. A record never does. ' +
    'Not known: who asked the granting workflow for what (its inputs are not told); that a member became an owner, that an invitation was cancelled, and classic personal access tokens, of which GitHub sends no webhook: the audit stream tells.',
  severity: 'high',
  confidence: 'high',
  principles: [1, 3],
  attack: ['T1098.003'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-5'],
  tiers: { needs: 'A', better: 'the audit stream (B) names the token that made the grant' },
  falseAlarms: [
    'People who join: invite them by a granting workflow, or by a provisioning app in `exemptActors`. Break-glass is for what is taken back within a day.',
    "An identity provider's provisioning app: name its login or id in `exemptActors`.",
    'A delivery that came late and bears no time: its time is known where Tripline has it made again (an App or organisation webhook token); otherwise it is judged by when it came.',
    'The repository of a granting workflow was renamed: `grantingWorkflows` names it as it is called now.',
    'A source that reports only finished jobs: findings on granting accounts come at low confidence; send job starts too.',
  ],
  reads: [],
  settings: grantingSettings as z.ZodType<GrantingSettings>,
  learns: false,
  concludes: {
    uses: [grants, breakGlass, deliveries, workflowRuns, runs, refs],
    subjects: ({ fact, key }) => (fact === grants.id && !isAddressedKey(key) ? [key] : []),
    conclude(key, context) {
      const grant = context.read(grants, key);
      return grant === undefined ? [] : privilegesOf(grant).flatMap((act) => concludeAct(key, grant, act, context));
    },
  },
});
