import type { AnyRule, Conclusion } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { type Given, type Grant, grants, isAddressedKey, privilegesOf, removalsSince } from '@tripline/facts/grants';
import { personOf } from '@tripline/facts/things';
import { becauseOf, entitiesOf, grantSubject, remedyFor, responseTo } from './grant-words.ts';
import { type GrantContext, grantingJobs } from './granting.ts';
import { authorisingFacts, confidenceOf, outsideJob } from './outside-jobs.ts';

/** What two rules say of rights that are held by no person: tokens and apps. Nothing of a person's second factor protects them. */

/**
 * Rights with which one can give oneself others, or take what jobs are given, by the names that GitHub has for them in its
 * webhooks; its audit log has the same.
 */
const powerful = new Set([
  ...['administration', 'actions', 'workflows', 'secrets', 'environments', 'repository_hooks', 'actions_variables'],
  ...['members', 'organization_administration', 'organization_secrets', 'organization_self_hosted_runners'],
  ...['organization_hooks', 'organization_personal_access_tokens', 'organization_actions_variables'],
  ...['organization_custom_roles', 'organization_custom_org_roles', 'organization_custom_properties'],
]);

/** What was given, as one of the rules reads it. */
export type Broad = { writes: readonly string[]; powerful: readonly string[]; everywhere: boolean; expiresAt?: string };

/** All that the reports of one act say. */
function broadOf({ tellings }: Given): Broad {
  const writes = [...new Set(tellings.flatMap((one) => one.writes ?? []))].sort();
  const expiresAt = tellings.find((one) => one.expiresAt !== undefined)?.expiresAt;
  return {
    ...{ writes, powerful: writes.filter((name) => powerful.has(name)) },
    everywhere: tellings.some((one) => one.everywhere),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

/** Where a granting workflow could have given it, and did not. */
const graver = { low: 'medium', medium: 'high' } as const;

/** “contents, workflows and 3 others”. */
export function named(rights: readonly string[]): string {
  const [some, others] = [rights.slice(0, 6).join(', '), rights.length - 6];
  return others > 0 ? `${some} and ${others} others` : some;
}

/**
 * A sentence over grants of some kinds that neither a job of a granting workflow nor break-glass excuses. Where nothing could
 * authorise them it only informs; where something could, and did not, it is a step graver: what is broad pages.
 */
export function concludesBroad(of: {
  kinds: readonly string[];
  /** What is to be said of it; undefined where it is not broad. `severity`: where no granting workflow is configured. */
  say: (act: Given, broad: Broad) => { title: string; why: string; severity: 'low' | 'medium' } | undefined;
}): NonNullable<AnyRule['concludes']> {
  function conclude(key: string, context: GrantContext): Conclusion[] {
    const grant = context.read(grants, key);
    if (grant === undefined) return [];
    return privilegesOf(grant).flatMap((act) => {
      const said = of.say(act, broadOf(act));
      const outside = said === undefined ? undefined : outsideJob(grant, act, context);
      if (said === undefined || outside === undefined) return [];
      const { ms, doubtful, mayBeExcused, heldUntilMs } = outside;
      // Whoever sends an old removal again must not have it that nothing is left to take back.
      const removal = removalsSince(grant, Date.parse(act.time)).find(
        ({ eventId }) => context.doubtOf(eventId) === undefined,
      );
      const isAuthorisable = context.settings.grantingWorkflows.length > 0;
      const isLate = doubtful && mayBeExcused;
      const severity = isLate ? 'low' : isAuthorisable ? graver[said.severity] : said.severity;
      return [
        {
          // As the wider rule names it, so that this one speaks for it.
          ...{ subject: grantSubject(grant, act), occasion: act.occasion, heldUntilMs, severity },
          title: clip(said.title, 300),
          summary:
            `${said.title}. ${said.why}` +
            (removal ? ` It was taken back at ${removal.time}; what was done with it in between was not.` : '') +
            (isLate ? ' It was told late, and when it was done is not known.' : ''),
          confidence: isAuthorisable ? confidenceOf(grant, act, ms, context) : ('high' as const),
          because: [
            ...grant.acts.filter(({ did }) => did === 'requested').map((one) => becauseOf(key, grant, one)),
            ...[...act.tellings, ...(removal ? [removal] : [])].map((one) => becauseOf(key, grant, one)),
          ],
          entities: [personOf(act.by, key), ...entitiesOf(key, grant, act)],
          response: removal || isLate ? [] : responseOf(grant, act),
          remedy: remedyFor(grant, act),
        },
      ];
    });
  }
  return {
    uses: authorisingFacts,
    wants: grantingJobs,
    about: [grants],
    subjects: ({ fact, key, value }) =>
      fact === grants.id && !isAddressedKey(key) && of.kinds.includes((value as Grant).kind) ? [key] : [],
    conclude,
  };
}

/** As for any grant; an app also by its installation's id, which no act on its repositories bears. */
function responseOf(grant: Grant, act: Given) {
  if (grant.kind !== 'app-installation') return responseTo(grant, act);
  const { provider, instance, organizationId } = grant;
  return [
    {
      ...{ action: 'revoke-grant' as const, provider, instance, grant: 'app-installation' as const },
      organization: act.organization,
      ...(organizationId === undefined ? {} : { organizationId }),
      app: act.grantee,
      ...(act.id === undefined ? {} : { installationId: act.id }),
    },
  ];
}
