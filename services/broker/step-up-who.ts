import type { StepUpSettings } from '@tripline/access/settings';
import type { Db } from '@tripline/db/database';
import type { SignedIn } from './step-up-sign-in.ts';
import { readLinks } from './store/links.ts';

/** Whose account of GitHub's it is, and which link says so; null where the settings or the provider do. */
export type KnownAccount = { id: string; name: string; restsOn: string | null };

/**
 * Which account of GitHub's somebody has who signed in: by the settings, a confirmed link, or what the provider says, in that order.
 * Whoever two of these name otherwise is nobody.
 */
export async function accountOf(
  { people, oidc, instance }: StepUpSettings,
  db: Db,
  { subject, claims }: Pick<SignedIn, 'subject' | 'claims'>,
): Promise<KnownAccount | undefined> {
  const named = people.find((one) => one.subject === subject);
  if (named !== undefined) return { id: named.account, name: named.name, restsOn: null };
  const claimed = claimedBy(oidc.accountClaim, claims);
  const links = await readLinks(db, { instance, issuer: oidc.issuer, subject, account: claimed ?? null });
  const own = links.find((one) => one.issuer === oidc.issuer && one.subject === subject);
  const id = own?.accountId ?? claimed;
  // Who stands in the settings is nobody else at the provider, and an account is one person's.
  if (id === undefined || people.some(({ account }) => account === id)) return undefined;
  if (own === undefined) return links.length > 0 ? undefined : { id, name: `account ${id}`, restsOn: null };
  return claimed !== undefined && claimed !== own.accountId
    ? undefined
    : { id, name: own.accountName, restsOn: own.id };
}

function claimedBy(claim: string | undefined, claims: Record<string, unknown>): string | undefined {
  const claimed = claim === undefined ? undefined : claims[claim];
  const id = typeof claimed === 'number' && Number.isSafeInteger(claimed) ? String(claimed) : claimed;
  return typeof id === 'string' && /^\d{1,20}$/.test(id) ? id : undefined;
}
