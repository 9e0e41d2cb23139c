import type { Entity } from '@tripline/contracts/finding';
import type { Intent } from '@tripline/contracts/response';
import { clip } from '@tripline/contracts/text';
import type { TokenUse } from '@tripline/facts/audited';
import { type Account, personOf } from '@tripline/facts/things';
import { type TokenUses, tokenUses } from '@tripline/facts/token-uses';
import type { Basis } from './builders/basis.ts';

/** What rules on tokens say of a use. A token has no name but the hash of its value, by which the audit log finds it. */
export const ownerOf = (use: TokenUse): string => use.by?.login ?? 'somebody unnamed';

export function useLine(key: string, seen: TokenUse): Basis {
  const from = seen.address === undefined ? '' : ` from ${seen.address}`;
  const what = `a token of ${ownerOf(seen)} was used for ${seen.action ?? 'an unnamed act'}${from}`;
  return { fact: tokenUses, key, seen, what };
}

export function entitiesOfUse(key: string, { hash }: TokenUses, use: TokenUse): Entity[] {
  return [
    { kind: 'credential', id: clip(hash, 500) },
    ...(use.by === undefined ? [] : [personOf(use.by, key)]),
    ...(use.address === undefined ? [] : [{ kind: 'address' as const, id: use.address }]),
  ];
}

export const askOwner = (use: TokenUse): string =>
  `Ask ${ownerOf(use)} on another channel whether this was they; if not, have them delete the token. The audit log finds what else was done with it by \`hashed_token\`.`;

/**
 * What ends a token of which only the hash is known: all that tokens and keys of its owner may do in the organisation. By number,
 * since a login may be another's by now; apps have none of these.
 */
export function endingTokensOf(by: Account | undefined, organization: string | undefined, key: string): Intent[] {
  if (by?.id === undefined || by.login.endsWith('[bot]') || !organization) return [];
  const [provider = '', instance = ''] = key.split(':', 2);
  const where = { provider, instance, organization };
  return [
    {
      ...{ action: 'revoke-credential', credential: 'credential-authorization', ...where },
      ...{ user: by.login, userId: by.id },
    },
  ];
}
