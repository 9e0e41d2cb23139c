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
  type BreakGlass,
  caps,
  type HeldGrant,
  learnAccess,
  noAccess,
  removalsOf,
  type Window,
  type WindowSettings,
  windowSettings,
  windowsOf,
} from './job-windows.ts';
import { hasLogin, inOrder, noSurerThan } from './story.ts';

type Context = RuleContext<Access, WindowSettings>;

/**
 * By when a grant had to be gone, and whether it was. `doubted`: the event that says so, where nobody has vouched for any
 * that does. Undefined when no job gave it: that is another rule's business.
 */
function lifeOf(access: Access, grant: HeldGrant, { settings, doubtOf }: Pick<Context, 'settings' | 'doubtOf'>) {
  if (hasLogin(settings.exemptActors, grant.actor) || hasLogin(settings.exemptActors, grant.app)) return undefined;
  // What break-glass excused is judged again at its end, however short the job beside it was.
  const window = grant.breakGlass ?? windowsOf(access, grant, settings)[0];
  if (window === undefined) return undefined;
  const deadlineMs = ('toMs' in window ? window.toMs : window.closedMs) + settings.graceMs;
  const removals = removalsOf(access, grant).filter(({ timeMs }) => timeMs <= deadlineMs);
  const removal = removals.find(({ eventId }) => doubtOf(eventId) === undefined);
  const doubted = removal ? undefined : removals.find(({ eventId }) => doubtOf(eventId) === 'unproven')?.eventId;
  return { window, deadlineMs, removed: removal !== undefined, doubted, because: removal ? [removal.eventId] : [] };
}

function review(access: Access, context: Context): void {
  const { nowMs } = context;
  const grants = access.grants.map((grant): HeldGrant => {
    const life = lifeOf(access, grant, context);
    if (life === undefined || life.removed || nowMs < life.deadlineMs) {
      if (life !== undefined && !life.removed) {
        if (!grant.fired) context.setTimer({ id: timerOf(grant), dueMs: life.deadlineMs, keys: [accessKey] });
      } else if (grant.fired) {
        const reason = life ? inTime : 'it was given neither by a job nor under break-glass';
        const because = life ? life.because : undefined;
        context.withdraw({ ...nameOf(grant), reason, ...(because === undefined ? {} : { because }) });
      } else context.clearTimer(timerOf(grant));
      return grant;
    }
    if (!grant.fired) {
      context.clearTimer(timerOf(grant));
      context.find(draftOf(grant, life.window, context.settings));
    }
    // Told, and low: a removal that nobody vouched for neither excuses the grant nor leaves it to alarm for ever.
    if (life.doubted !== undefined) context.withdraw({ ...nameOf(grant), reason: inTime, because: [life.doubted] });
    return grant.fired ? grant : { ...grant, fired: true };
  });
  context.set(accessKey, { ...access, grants: withinCap(access, grants, context) }, accessKeepMs);
}

const inTime = 'it was removed in time';
const nameOf = (grant: HeldGrant) => ({ subject: grantSubject(grant), occasion: grantOccasion(grant) });

/**
 * Beyond the cap a grant that nothing watches goes first: it was found, taken back, or given by no job. Of those that are
 * watched the oldest goes; the rule on grants outside of jobs bounds who can make so many within one. What break-glass excuses
 * is found as it goes.
 */
function withinCap(access: Access, grants: HeldGrant[], context: Context): HeldGrant[] {
  let excess = grants.length - caps.grants;
  if (excess <= 0) return grants;
  const isWatched = (grant: HeldGrant) => !grant.fired && lifeOf(access, grant, context)?.removed === false;
  const kept = grants.filter((grant) => {
    if (excess <= 0 || isWatched(grant)) return true;
    excess -= 1;
    return false;
  });
  const forgotten = kept.splice(0, Math.max(0, kept.length - caps.grants));
  for (const grant of forgotten) {
    context.clearTimer(timerOf(grant));
    // Nothing else bounds who has break-glass: what they granted first would be forgotten behind a hundred others.
    if (grant.breakGlass) context.find(draftOfForgotten(grant, grant.breakGlass));
  }
  return kept;
}

const timerOf = (grant: HeldGrant) => `close:${grant.eventId}`;

function draftOf(grant: HeldGrant, window: Window | BreakGlass, settings: WindowSettings): FindingDraft {
  return 'toMs' in window ? draftOfBreakGlass(grant, window) : draftOfJob(grant, window, settings);
}

function draftOfBreakGlass(grant: HeldGrant, record: BreakGlass): FindingDraft {
  const ended = new Date(record.toMs).toISOString();
  return {
    subject: grantSubject(grant),
    occasion: grantOccasion(grant),
    decidedBy: { eventId: grant.eventId, time: grant.time },
    title: clip(
      `${nameGrant(grant)} outlived the break-glass under which it was given`.replace(/^./u, (letter) =>
        letter.toUpperCase(),
      ),
      300,
    ),
    summary:
      `${grant.actor} granted ${nameGrant(grant)} at ${grant.time}, under break-glass that ended at ${ended}. ` +
      'It was excused until then, and still stands.',
    confidence: noSurerThan('high', grant.trust),
    evidence: inOrder([record.evidence, grant.evidence]),
    entities: [{ kind: 'user', id: grant.actor }, ...granteeOf(grant), { kind: 'grant', id: grantSubject(grant) }],
    response: takeBack(grant),
    remedy: [
      ...remedyFor(grant).slice(0, 1),
      `If it is to stay, have it granted in the usual way: break-glass of ${record.actor} was for the time until ${ended}.`,
    ],
  };
}

function draftOfForgotten(grant: HeldGrant, record: BreakGlass): FindingDraft {
  return {
    ...draftOfBreakGlass(grant, record),
    title: `${nameGrant(grant)} under break-glass can be watched no longer`
      .replace(/^./, (letter) => letter.toUpperCase())
      .slice(0, 300),
    summary:
      `${grant.actor} granted ${nameGrant(grant)} at ${grant.time}, under break-glass until ${new Date(record.toMs).toISOString()}. ` +
      `More than ${caps.grants} grants are to be watched, so whether this one is taken back by then will not be seen.`,
    response: [],
  };
}

function draftOfJob(grant: HeldGrant, window: Window, settings: WindowSettings): FindingDraft {
  const end = window.job.finished;
  const closed = new Date(window.closedMs).toISOString();
  const graceS = Math.round(settings.graceMs / 1000);
  return {
    subject: grantSubject(grant),
    occasion: grantOccasion(grant),
    decidedBy: end ? { eventId: end.eventId, time: end.time } : { eventId: grant.eventId, time: grant.time },
    title: clip(
      `${nameGrant(grant)} outlived the job that gave it`.replace(/^./u, (letter) => letter.toUpperCase()),
      300,
    ),
    summary:
      `Job ${window.job.name} of ${window.run} granted ${nameGrant(grant)} at ${grant.time}. ` +
      (window.ended
        ? `The job ended at ${closed} and ${graceS} s later the grant was still there.`
        : `The job's end was never heard of; it counts as ended at ${closed}, and the grant was still there.`) +
      ' A right that was to last for one job now stands open.',
    confidence: noSurerThan(window.ended ? 'high' : 'medium', grant.trust),
    evidence: inOrder([window.job.started, grant.evidence, end]),
    entities: [...granteeOf(grant), { kind: 'run', id: window.run }, { kind: 'grant', id: grantSubject(grant) }],
    response: takeBack(grant),
    remedy: [
      ...remedyFor(grant).slice(0, 1),
      `Find out why ${window.run} did not take it back: a cancelled or failed job skips its last steps unless they run with \`if: always()\`.`,
    ],
  };
}

export const rule = defineRule<Access, WindowSettings>({
  id: 'grant-outlived-job',
  title: 'Grant still alive after the job or break-glass that allowed it',
  description:
    "A right that an access broker's job gave was not taken back when the job ended. " +
    "A grant made within a job's window must be removed by the job's end plus a grace; a timer looks then. " +
    'So must one that a break-glass record excused, by the end of the record. ' +
    `At most ${caps.grants} grants are watched; of more, the oldest that break-glass excused is found at once. ` +
    'A job whose end is never heard of counts as ended after `maxJobMs`. A removal that was in time but is heard of late takes the finding back; one that came too late does not.',
  severity: 'high',
  confidence: 'high',
  principles: [1, 3],
  attack: ['T1098.003'],
  owasp: ['CICD-SEC-2'],
  tiers: { needs: 'A', better: 'the audit stream (B) also tells of grants that webhooks leave out' },
  falseAlarms: [
    'A broker that means to grant for longer than its job: let it wait.',
    'A right given under break-glass that is to stay: have it given in the usual way before the record ends.',
    'Slow clean-up steps: raise `graceMs`.',
  ],
  reads: accessReads,
  settings: windowSettings as z.ZodType<WindowSettings>,
  state: accessSchema,
  learns: false,
  keys: accessKeys,
  judge(event, context) {
    review(learnAccess(context.get(accessKey) ?? noAccess, event, context.settings, context.nowMs), context);
  },
  due(_timer, context) {
    const access = context.get(accessKey);
    if (access) review(access, context);
  },
});
