import { type Conclusion, defineRule } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { type Given, type Grant, grants, privilegesOf, removalsSince } from '@tripline/facts/grants';
import { personOf } from '@tripline/facts/things';
import type { z } from 'zod';
import { becauseOf, entitiesOf, grantSubject, responseTo } from './grant-words.ts';
import { type GrantContext, type GrantingSettings, grantingJobs, grantingSettings } from './granting.ts';
import { authorisingFacts, confidenceOf, type OutsideJob, outsideJob } from './outside-jobs.ts';

function conclusionOf(
  key: string,
  grant: Grant,
  act: Given,
  { ms, doubtful, mayBeExcused, heldUntilMs }: OutsideJob,
  context: GrantContext,
): Conclusion {
  const { target } = act;
  const by = act.by.login;
  const name = clip(act.grantee, 100);
  const isAuthorisable = context.settings.grantingWorkflows.length > 0;
  // Whoever sends an old removal again must not have it that nothing is left to take back.
  const removal = removalsSince(grant, Date.parse(act.time)).find(
    ({ eventId }) => context.doubtOf(eventId) === undefined,
  );
  const gone = removal ? ` It was taken back at ${removal.time}; what was pushed with it in between was not.` : '';
  const late = doubtful && mayBeExcused ? ' It was told late, and when it was done is not known.' : '';
  return {
    // As the wider rule names it, so that this one speaks for it.
    subject: grantSubject(grant, act),
    occasion: act.occasion,
    heldUntilMs,
    title: clip(`${by} added a deploy key that may write to ${target}`, 300),
    summary:
      `${by} added deploy key “${name}” to ${target}, and it may write. ` +
      `Whoever holds its private half pushes as nobody, without a second factor, for as long as it stands.${gone}${late}`,
    severity: late === '' ? 'high' : 'low',
    confidence: isAuthorisable ? confidenceOf(grant, act, ms, context) : 'high',
    because: [...act.tellings, ...(removal ? [removal] : [])].map((one) => becauseOf(key, grant, one)),
    entities: [personOf(act.by, key), ...entitiesOf(key, grant, act)],
    response: removal || late !== '' ? [] : responseTo(grant, act),
    remedy: [
      `Ask ${by} what the key is for; delete it unless they can say, and read what was pushed with it since ${act.time}.`,
      'Prefer a key that only reads, or a GitHub App whose tokens end within an hour.',
    ],
  };
}

export const rule = defineRule<null, GrantingSettings>({
  id: 'deploy-key-write-added',
  title: 'Deploy key with write access added',
  description:
    'Somebody added a deploy key that may write, and neither a job of a granting workflow nor break-glass excuses it. It belongs to no person, has no second factor, outlives whoever added it, and pushes past nobody’s review. ' +
    'It is reported whether a granting workflow is configured or not, and supersedes `privilege-grant-outside-job`, whose settings hold for it where it has none of its own; so a silence, an exception or a policy of remediation for such keys names this rule. ' +
    'It is reported, and revoked at a person’s word: keys for GitOps controllers are added so, rarely.',
  severity: 'high',
  confidence: 'high',
  principles: [1],
  attack: ['T1098.004'],
  owasp: ['CICD-SEC-2'],
  feeds: { needs: ['github'] },
  falseAlarms: [
    'GitOps controllers (Flux, Argo CD image updater) that write back: an exception for who adds their keys, or for the repository that they write to.',
  ],
  reads: [],
  settings: grantingSettings as z.ZodType<GrantingSettings>,
  learns: false,
  supersedes: ['privilege-grant-outside-job'],
  concludes: {
    uses: authorisingFacts,
    wants: grantingJobs,
    about: [grants],
    subjects: ({ fact, key, value }) => (fact === grants.id && (value as Grant).kind === 'deploy-key' ? [key] : []),
    conclude(key, context) {
      const grant = context.read(grants, key);
      return (grant === undefined ? [] : privilegesOf(grant)).flatMap((act) => {
        const outside = outsideJob(grant!, act, context);
        return outside === undefined ? [] : [conclusionOf(key, grant!, act, outside, context)];
      });
    },
  },
});
