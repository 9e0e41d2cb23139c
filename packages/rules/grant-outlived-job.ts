import { isRaised } from '@tripline/contracts/permission';
import { type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { type BreakGlassRecord, breakGlass, recordsKey } from '@tripline/facts/break-glass';
import { deliveries } from '@tripline/facts/deliveries';
import { type AccessTime, givenAccess } from '@tripline/facts/given-access';
import {
  formerOf,
  type Given,
  type Grant,
  type GrantAct,
  grantKey,
  grants,
  privilegesOf,
  removalsSince,
} from '@tripline/facts/grants';
import { refs } from '@tripline/facts/refs';
import { repositoryNames } from '@tripline/facts/repository-names';
import { runs } from '@tripline/facts/runs';
import { entityOf, personOf } from '@tripline/facts/things';
import { workflowRuns } from '@tripline/facts/workflow-runs';
import type { z } from 'zod';
import {
  because,
  becauseOf,
  capital,
  entitiesOf,
  grantSubject,
  nameGrant,
  remedyFor,
  responseTo,
} from './grant-words.ts';
import {
  accessFor,
  type GrantContext,
  type GrantingSettings,
  grantingJobs,
  grantingSettings,
  grantSubjects,
  isNamed,
  recheckLate,
  recheckWindow,
  recordFor,
  timeOf,
  type Window,
  windowsAt,
} from './granting.ts';

/** What allowed a grant for a time. */
type Allowed = { record: BreakGlassRecord } | { access: AccessTime & { key: string } } | { window: Window };

function endOf(allowed: Allowed): number {
  if ('record' in allowed) return allowed.record.toMs;
  return 'access' in allowed ? allowed.access.toMs : allowed.window.closedMs;
}

function concludeAct(key: string, grant: Grant, act: Given, context: GrantContext): Conclusion[] {
  const { settings, nowMs, doubtOf } = context;
  if (isNamed(settings.exemptActors, act)) return [];
  const { ms, doubtful } = timeOf(act, context);
  const heardMs = Math.min(...act.tellings.map((one) => one.heardMs));
  const allowed = allowedBy(grant, act, ms, context);
  if (allowed === undefined) {
    context.explain('it was given neither by a job nor under break-glass');
    if (isNamed(settings.grantingActors, act) && settings.grantingWorkflows.length > 0) recheckLate(heardMs, context);
    return [];
  }
  // Its end may yet be received, and lie before a removal that seems to be in time.
  if ('window' in allowed && !allowed.window.ended) recheckWindow(allowed.window, context);
  const deadlineMs = endOf(allowed) + settings.graceMs;
  const inTime = removals(grant, act, ms, context).filter(({ atMs }) => atMs <= deadlineMs);
  const proved = inTime.find(({ act: { eventId } }) => doubtOf(eventId) === undefined);
  if (proved) {
    context.explain('it was removed in time');
    return [];
  }
  if (nowMs < deadlineMs) {
    context.recheckAt(deadlineMs);
    return [];
  }
  recheckLate(heardMs, context);
  const conclusion = conclusionOf(key, grant, act, allowed, settings);
  // A removal that nobody vouched for neither excuses the grant nor leaves it to alarm for ever.
  const doubted = inTime.find(({ act: { eventId } }) => doubtOf(eventId) === 'unproven');
  if (doubted && doubted.act.heardMs > deadlineMs) {
    context.explain('it was removed in time');
    return [];
  }
  return [doubted || doubtful ? { ...conclusion, severity: 'low', response: [] } : conclusion];
}

/** What break-glass excused is judged again at its end, however short the job beside it was. */
function allowedBy(grant: Grant, act: Given, ms: number, context: GrantContext): Allowed | undefined {
  const record = recordFor(act, ms, context);
  if (record) return { record };
  const access = accessFor(grant, act, ms, context);
  if (access) return { access };
  const [window] = windowsAt(grant, act, ms, context);
  return window && { window };
}

/** What took the grant back; an invitation ends with the membership that it became. */
function removals(grant: Grant, act: Given, ms: number, context: GrantContext) {
  const member = grantKey(
    grant,
    { kind: 'org-member', target: act.target, targetId: grant.targetId },
    { id: grant.granteeId, name: act.grantee },
  );
  const others = grant.kind === 'org-invitation' ? context.watch(grants, member) : undefined;
  return [...removalsSince(grant, 0), ...lowerings(grant, act), ...removalsSince(others, 0)]
    .map((one) => ({ act: one, atMs: timeOf(one, context).ms }))
    .filter(({ atMs }) => atMs >= ms);
}

/** A right that was raised is taken back by what leaves no more than was held before. */
function lowerings(grant: Grant, act: Given): GrantAct[] {
  const former = formerOf(grant, act);
  if (former === undefined) return [];
  return grant.acts.filter(
    ({ did, permission }) => did === 'changed' && permission !== undefined && !isRaised(former, permission),
  );
}

function conclusionOf(key: string, grant: Grant, act: Given, allowed: Allowed, settings: GrantingSettings): Conclusion {
  const what = nameGrant(grant, act);
  const entities = entitiesOf(key, grant, act);
  const shared = {
    subject: grantSubject(grant, act),
    occasion: act.occasion,
    severity: 'high' as const,
    response: responseTo(grant, act),
  };
  const tellings = act.tellings.map((one) => becauseOf(key, grant, one));
  const [first] = remedyFor(grant, act);
  if ('record' in allowed) {
    const { record } = allowed;
    const ended = new Date(record.toMs).toISOString();
    return {
      ...shared,
      title: clip(capital(`${what} outlived the break-glass under which it was given`), 300),
      summary:
        `${act.by.login} granted ${what} at ${act.time}, under break-glass that ended at ${ended}. ` +
        'It was excused until then, and still stands.',
      because: [
        because(breakGlass, recordsKey(record.actor), record, `${record.actor} opened break-glass: ${record.reason}`),
        ...tellings,
      ],
      entities: [personOf(act.by, key), ...entities],
      remedy: [
        first!,
        `If it is to stay, have it granted in the usual way: break-glass of ${record.actor} was for the time until ${ended}.`,
      ],
    };
  }
  if ('access' in allowed) {
    const { first: given, key: at, toMs } = allowed.access;
    const ended = new Date(toMs).toISOString();
    return {
      ...shared,
      title: clip(capital(`${what} outlived the access that the broker gave`), 300),
      summary: `The broker gave it at ${given.time}, until ${ended}, as ${given.grant}. It still stands.`,
      because: [because(givenAccess, at, given, `the access broker gave it, until ${ended}`), ...tellings],
      entities,
      remedy: [first!, 'See why the broker did not take it back: its log, and `tripline access grants`.'],
    };
  }
  const { window } = allowed;
  const closed = new Date(window.closedMs).toISOString();
  const graceS = Math.round(settings.graceMs / 1000);
  const says = `Job ${window.job.name} of the granting workflow, ${window.run}, ran from ${new Date(window.fromMs).toISOString()}`;
  return {
    ...shared,
    title: clip(capital(`${what} outlived the job that gave it`), 300),
    summary:
      `Job ${window.job.name} of ${window.run} granted ${what} at ${act.time}. ` +
      (window.ended
        ? `The job ended at ${closed} and ${graceS} s later the grant was still there.`
        : `The job's end was never received; it counts as ended at ${closed}, and the grant was still there.`) +
      ' A right that was to last for one job now stands open.',
    confidence: window.ended ? 'high' : 'medium',
    because: [
      because(
        runs,
        window.key,
        window.job,
        window.ended ? `${says} to ${closed}` : `${says}; its end was not heard of`,
      ),
      ...tellings,
    ],
    entities: [...entities, entityOf('run', window.run, window.key)],
    remedy: [
      first!,
      `Find out why ${window.run} did not take it back: a cancelled or failed job skips its last steps unless they run with \`if: always()\`.`,
    ],
  };
}

export const rule = defineRule<null, GrantingSettings>({
  id: 'grant-outlived-job',
  title: 'Grant still alive after the job or break-glass that allowed it',
  description:
    "A right that a granting workflow's job gave was not taken back when the job ended. " +
    "A grant made within a job's window must be removed by the job's end plus `graceMs`. " +
    'So must one that a break-glass record excused, or the access broker gave, by the end of that. Each grant is watched by itself, however many one job gives. ' +
    'A right that was raised is taken back by what leaves no more than was held before. ' +
    'A job whose end is never received counts as ended after `maxJobMs`. A removal that was in time but is received late takes the finding back; one that came too late does not.',
  severity: 'high',
  confidence: 'high',
  principles: [1, 3],
  attack: ['T1098.003'],
  owasp: ['CICD-SEC-2'],
  feeds: { needs: ['github'], better: { 'github-audit': 'also tells of grants that webhooks leave out' } },
  falseAlarms: [
    'A granting workflow that means to grant for longer than its job: let it wait.',
    'A right given under break-glass that is to stay: have it given in the usual way before the record ends.',
    'Slow clean-up steps: raise `graceMs`.',
  ],
  reads: [],
  settings: grantingSettings as z.ZodType<GrantingSettings>,
  learns: false,
  concludes: {
    uses: [grants, givenAccess, breakGlass, deliveries, workflowRuns, repositoryNames, runs, refs],
    wants: grantingJobs,
    about: [grants, givenAccess],
    subjects: grantSubjects,
    conclude(key, context) {
      const grant = context.read(grants, key);
      return grant === undefined ? [] : privilegesOf(grant).flatMap((act) => concludeAct(key, grant, act, context));
    },
  },
});
