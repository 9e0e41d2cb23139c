import type { Entity } from '@tripline/contracts/finding';
import { clip } from '@tripline/contracts/text';
import { personOf } from '@tripline/facts/things';
import { type TokenUse, type TokenUses, tokenUses } from '@tripline/facts/token-uses';
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
