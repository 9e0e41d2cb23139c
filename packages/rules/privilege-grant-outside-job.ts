import { type Because, type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { givenAccess } from '@tripline/facts/given-access';
import { type Given, type Grant, grants, privilegesOf, removalsSince } from '@tripline/facts/grants';
import { personOf } from '@tripline/facts/things';
import type { z } from 'zod';
import { becauseOf, entitiesOf, grantSubject, nameGrant, remedyFor, responseTo } from './grant-words.ts';
import {
  type GrantContext,
  type GrantingSettings,
  grantingJobs,
  grantingSettings,
  grantSubjects,
  isNamed,
} from './granting.ts';
import { authorisingFacts, confidenceOf, invitationsOf, type OutsideJob, outsideJob } from './outside-jobs.ts';

function concludeAct(key: string, grant: Grant, act: Given & { unsaid: boolean }, context: GrantContext): Conclusion[] {
  const outside = outsideJob(grant, act, context);
  return outside === undefined ? [] : [conclusionOf(key, grant, act, outside, context)];
}

function conclusionOf(
  key: string,
  grant: Grant,
  act: Given,
  { ms, doubtful, heldUntilMs }: OutsideJob,
  context: GrantContext,
): Conclusion {
  const { settings, doubtOf } = context;
  // Whoever sends an old removal again must not have it that nothing is left to take back.
  const removal = removalsSince(grant, Date.parse(act.time)).find(({ eventId }) => doubtOf(eventId) === undefined);
  // Of the broker's own App it is known what it gives: by whose hand this was is its key's thief's.
  const isBrokers = isNamed(settings.accessApps, act);
  const informs = settings.grantingWorkflows.length === 0 && !isBrokers;
  const what = nameGrant(grant, act);
  const at = new Date(ms).toISOString();
  const why = isBrokers
    ? `It is the App by which the access broker gives rights, and the broker recorded none such: whoever has its key gave it.`
    : informs
      ? 'No workflow is configured that may grant, so this only informs: see `grantingWorkflows`.'
      : `No job of a granting workflow (${settings.grantingWorkflows.join(', ')}) granted it, and no break-glass record had named ${act.by.login}.`;
  const gone = removal ? ` It was taken back at ${removal.time}; what was done with it in between was not.` : '';
  const late = doubtful ? ' It was told late, and when it was done is not known.' : '';
  return {
    subject: grantSubject(grant, act),
    occasion: act.occasion,
    heldUntilMs,
    title: clip(`${act.by.login} granted ${what} outside any authorised job`, 300),
    summary: `At ${at} ${act.by.login} granted ${what}. ${why}${gone}${late}`,
    severity: informs || doubtful ? 'low' : isBrokers ? 'critical' : 'high',
    confidence: informs ? 'medium' : confidenceOf(grant, act, ms, context),
    because: [
      ...grant.acts.filter(({ did }) => did === 'requested').map((one) => becauseOf(key, grant, one)),
      ...invitationsOf(grant, act, ms, context)
        .slice(-3)
        .map((one) => becauseOf(one.key, one.grant, one.act)),
      ...act.tellings.map((one) => becauseOf(key, grant, one)),
      ...(removal ? [becauseOf(key, grant, removal)] : []),
    ] satisfies Because[],
    entities: [personOf(act.by, key), ...entitiesOf(key, grant, act)],
    response: removal || doubtful ? [] : responseTo(grant, act),
    remedy: informs ? [...remedyFor(grant, act), settle] : remedyFor(grant, act),
  };
}

const settle =
  'To be notified only of what nobody authorised: have rights given by a workflow, and name it and the account under which it grants as `grantingWorkflows` and `grantingActors` of this rule.';

export const rule = defineRule<null, GrantingSettings>({
  id: 'privilege-grant-outside-job',
  title: 'Privilege granted while no authorised job was running',
  description:
    'Somebody was given a right to write or administer (membership, collaborator, team, deploy key, app, token), or a greater one than before, and no job of a granting workflow gave it. ' +
    'A job of a workflow of `grantingWorkflows`, run at the head of its default branch, excuses what the accounts of `grantingActors` grant from its start to its end: whoever else grants meanwhile is found. ' +
    'What the access broker records that it gave somebody excuses just that: the same account, on the same thing, no greater right, until its end, by whoever’s hand. What an App of `accessApps` gives beside that is critical: its key is stolen. ' +
    'A signed break-glass record explains what a named person grants after it was received, until it ends; what stands then is found by `grant-outlived-job`. ' +
    'Without a granting workflow nothing could authorise a grant, so each is reported at low severity and nobody is paged. ' +
    'A grant by a granting account is held until its job could have been received; a job that is received later takes the finding back. A record never does. ' +
    'Not known: who asked the granting workflow for what (its inputs are not told); that a member became an owner, that an invitation was cancelled, and classic personal access tokens, of which GitHub sends no webhook: the audit stream tells.',
  severity: 'high',
  confidence: 'high',
  principles: [1, 3],
  attack: ['T1098.003'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-5'],
  feeds: {
    needs: ['github'],
    better: {
      'github-audit': 'names the token that made the grant',
      access: 'tells what was given to whom, by a second person’s word, and until when',
    },
  },
  untilConfigured: {
    does: 'informs',
    why: 'Without `grantingWorkflows` nothing could authorise a grant, so each is only reported.',
  },
  falseAlarms: [
    'People who join: invite them by a granting workflow, or by a provisioning app in `exemptActors`. Break-glass is for what is taken back within a day.',
    "An identity provider's provisioning app: name it as `name[bot]`, or its account as `login:id`, in `exemptActors`.",
    'A delivery that came late and bears no time: its time is known where Tripline has it made again (an App or organisation webhook token); otherwise it is judged by when it came.',
    'The repository of a granting workflow was deleted and made anew: `owner/name:id/…` in `grantingWorkflows` says which one is meant, the name alone the first that bore it. Renamed, it keeps the right.',
    'A source that reports only finished jobs: findings on granting accounts come at low confidence; send job starts too.',
  ],
  reads: [],
  settings: grantingSettings as z.ZodType<GrantingSettings>,
  learns: false,
  concludes: {
    uses: authorisingFacts,
    wants: grantingJobs,
    about: [grants, givenAccess],
    subjects: grantSubjects,
    conclude(key, context) {
      const grant = context.read(grants, key);
      return grant === undefined ? [] : privilegesOf(grant).flatMap((act) => concludeAct(key, grant, act, context));
    },
  },
});
