import type { Confidence } from '@tripline/contracts/finding';
import { defineRule, type FindingDraft, type RuleContext } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import type { z } from 'zod';
import { granteeOf, grantOccasion, grantSubject, nameGrant, remedyFor, takeBack } from './grants.ts';
import {
  type Access,
  accessKeepMs,
  accessKey,
  accessKeys,
  accessReads,
  accessSchema,
  caps,
  type HeldGrant,
  invitationOf,
  latestMs,
  learnAccess,
  noAccess,
  removalsOf,
  requestOf,
  type WindowSettings,
  windowSettings,
  windowsOf,
} from './job-windows.ts';
import { hasLogin, inOrder, noSurerThan } from './story.ts';

type Context = RuleContext<Access, WindowSettings>;

/**
 * Why a grant is in order, from when on nothing that may still be heard of its job can unsay it, and the events that say so.
 */
type Excuse = { reason: string; firmFromMs: number; because: string[] };

function excuseOf(access: Access, grant: HeldGrant, settings: WindowSettings): Excuse | undefined {
  if (hasLogin(settings.exemptActors, grant.actor) || hasLogin(settings.exemptActors, grant.app)) {
    return { reason: `${grant.actor} is exempt`, firmFromMs: 0, because: [] };
  }
  const record = grant.breakGlass;
  if (record)
    return {
      reason: `break-glass record ${record.id} of ${record.actor}`,
      firmFromMs: 0,
      because: [record.evidence.eventId],
    };
  const windows = windowsOf(access, grant, settings);
  const window = windows.find(({ ended }) => ended) ?? windows[0];
  if (window)
    return {
      reason: `job ${window.job.name} of ${window.run} was running`,
      firmFromMs: window.ended ? 0 : window.closedMs + latestMs,
      because: [window.job.started, window.job.finished].flatMap((line) => line?.eventId ?? []),
    };
  const invitation = invitationOf(access, grant, settings);
  const invited = invitation && excuseOf(access, invitation, settings);
  return invited && { ...invited, because: [...invited.because, invitation.eventId] };
}

function review(access: Access, context: Context): void {
  const { settings, nowMs } = context;
  const grants = access.grants.map((grant): HeldGrant => {
    const excuse = excuseOf(access, grant, settings);
    const occasion = grantOccasion(grant);
    if (excuse) {
      if (!grant.fired) context.clearTimer(timerOf(grant));
      else if (nowMs >= excuse.firmFromMs) {
        const { reason, because } = excuse;
        context.withdraw({ subject: grantSubject(grant), occasion, reason, because });
      } // Its end may yet be heard of, and lie before the grant: look again when it no longer can.
      else context.setTimer({ id: timerOf(grant), dueMs: excuse.firmFromMs, keys: [accessKey] });
      return grant;
    }
    if (grant.fired) return grant;
    // Without a broker nothing can ever open a window, so there is nothing to wait for.
    const dueMs = settings.brokers.length === 0 ? grant.heardMs : grant.heardMs + settings.latenessMs;
    if (nowMs < dueMs) {
      context.setTimer({ id: timerOf(grant), dueMs, keys: [accessKey] });
      return grant;
    }
    context.find(draftOf(access, grant, context));
    return { ...grant, fired: true };
  });
  context.set(accessKey, { ...access, grants: withinCap(access, grants, context) }, accessKeepMs);
}

/** Beyond the cap the oldest goes, judged by what is known: growing the list must not be a way to be forgotten. */
function withinCap(access: Access, grants: HeldGrant[], context: Context): HeldGrant[] {
  const excess = grants.splice(0, Math.max(0, grants.length - caps.grants));
  for (const grant of excess) {
    context.clearTimer(timerOf(grant));
    if (!grant.fired && !excuseOf(access, grant, context.settings)) {
      context.find(draftOf(access, grant, context));
    }
  }
  return grants;
}

const timerOf = (grant: HeldGrant) => `held:${grant.eventId}`;

function confidenceOf(access: Access, settings: WindowSettings): Confidence {
  if (settings.brokers.length === 0) return 'medium';
  const jobs = access.runs.filter((run) => run.broker === true).flatMap((run) => run.jobs);
  // A source that tells of jobs only once they end leaves open whether one is running now.
  return jobs.length > 0 && jobs.every((job) => !job.startSeen) ? 'low' : 'high';
}

function draftOf(access: Access, grant: HeldGrant, { settings, doubtOf }: Context): FindingDraft {
  // Whoever sends an old removal again must not have it that nothing is left to take back.
  const removal = removalsOf(access, grant).find(({ eventId }) => doubtOf(eventId) === undefined);
  const invitation = invitationOf(access, grant, settings);
  const why =
    settings.brokers.length === 0
      ? 'No workflow is configured as an access broker and no break-glass record had named them, so nothing authorised it.'
      : `No job of an access broker (${settings.brokers.join(', ')}) was running for them at that time, and no break-glass record had named them.`;
  const gone = removal ? ` It was taken back at ${removal.time}; what was done with it in between was not.` : '';
  return {
    subject: grantSubject(grant),
    occasion: grantOccasion(grant),
    decidedBy: { eventId: grant.eventId, time: grant.time },
    title: clip(`${grant.actor} granted ${nameGrant(grant)} outside any authorised job`, 300),
    summary: `At ${grant.time} ${grant.actor} granted ${nameGrant(grant)}. ${why}${gone}`,
    confidence: noSurerThan(confidenceOf(access, settings), grant.trust),
    evidence: inOrder([requestOf(access, grant)?.evidence, invitation?.evidence, grant.evidence, removal?.evidence]),
    entities: [
      { kind: 'user', id: grant.actor },
      ...granteeOf(grant),
      ...(grant.target.includes('/') && grant.kind !== 'team-member'
        ? [{ kind: 'repository' as const, id: grant.target }]
        : []),
      { kind: 'grant', id: grantSubject(grant) },
    ],
    response: removal ? [] : takeBack(grant),
    remedy: remedyFor(grant),
  };
}

export const rule = defineRule<Access, WindowSettings>({
  id: 'privilege-grant-outside-job',
  title: 'Privilege granted while no authorised job was running',
  description:
    'Somebody was given a right to write or administer (membership, collaborator, team, deploy key, app, token) at a time when no job of an access broker was running for whoever granted it. ' +
    'A job of an allowlisted workflow opens a window from its start to its end; a signed break-glass record explains what a named person grants after it was heard of, until it ends; what stands then is found by `grant-outlived-job`. ' +
    'With a broker configured a grant is held until its job could have been heard of; without one it is judged at once. A window that is heard of later takes the finding back; a record never does. ' +
    'At most 100 grants and 200 runs are remembered for a workspace; beyond that the oldest is judged by what is known, and can no longer be taken back. Of break-glass records 100, four a person: more explain nothing.',
  severity: 'high',
  confidence: 'high',
  principles: [1, 3],
  attack: ['T1098.003'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-5'],
  tiers: { needs: 'A', better: 'the audit stream (B) names the token that made the grant' },
  falseAlarms: [
    'People who join: invite them through a broker workflow (`brokers`), or by a provisioning app in `exemptActors`. Break-glass is for what is taken back within a day.',
    "An identity provider's provisioning app: name its login in `exemptActors`.",
    'A source that reports only finished jobs: findings come at low confidence; send job starts too.',
  ],
  reads: accessReads,
  settings: windowSettings as z.ZodType<WindowSettings>,
  state: accessSchema,
  learns: false,
  keys: accessKeys,
  judge(event, context) {
    const access = learnAccess(context.get(accessKey) ?? noAccess, event, context.settings, context.nowMs);
    review(access, context);
  },
  due(_timer, context) {
    const access = context.get(accessKey);
    if (access) review(access, context);
  },
});
