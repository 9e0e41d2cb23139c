import type { Entity } from '@tripline/contracts/finding';
import type { Intent } from '@tripline/contracts/response';
import { clip } from '@tripline/contracts/text';
import { type Mint, type MintEnd, type MintUse, mintedCredentials } from '@tripline/facts/minted-credentials';
import { placeOfKey } from '@tripline/facts/runner-keys';
import { entityOf, personOf } from '@tripline/facts/things';
import type { Basis } from './builders/basis.ts';

/** What rules on the access broker say of a credential that it minted. */

/** `of acme/app#7`, as far as it is known. */
export const runOf = ({ repository, run }: Pick<Mint, 'repository' | 'run'>): string =>
  repository === undefined ? 'of a job' : `of ${repository.name}${run === undefined ? '' : `#${run.id}`}`;

export const mintLine = (key: string, seen: Mint): Basis => ({
  ...{ fact: mintedCredentials, key, seen },
  what: `the broker minted a ${seen.kind} credential for a job ${runOf(seen)}, by policy ${seen.policy}`,
});

const ends: Readonly<Record<string, string>> = {
  'job-ended': 'its job had ended',
  'run-ended': 'its run had ended',
  longest: 'it had lived as long as its policy allows',
  'given-back': 'the job gave it back',
  'asked-again': 'the job asked for another',
  incident: 'an incident ended it',
  'by-hand': 'somebody ended it',
  policy: 'policies allow it no longer',
  'not-recorded': 'the log could not be told of it',
  lost: 'nobody was given it',
  'not-given': 'it could not be given',
};
export const whyEnded = ({ why }: Pick<MintEnd, 'why'>): string => ends[why] ?? 'it was to end';

export const endLine = (key: string, seen: MintEnd): Basis => ({
  ...{ fact: mintedCredentials, key, seen },
  what:
    seen.did === 'revoked'
      ? `it was revoked, since ${whyEnded(seen)}`
      : `it could not be revoked, though ${whyEnded(seen)}`,
});

export const useLine = (key: string, seen: MintUse): Basis => ({
  ...{ fact: mintedCredentials, key, seen },
  what: `it was used as ${seen.by?.login ?? 'somebody unnamed'} for ${seen.action ?? 'an unnamed act'}${seen.address === undefined ? '' : ` from ${seen.address}`}`,
});

/** Whose it is: run, repository, and who set it off. */
export const entitiesOfMint = ({ repository, run, by, grantKey }: Mint): Entity[] => [
  ...entitiesOfJob({ repository, run }),
  ...(by === undefined ? [] : [personOf(by, grantKey)]),
];
export const entitiesOfJob = ({ repository, run }: Pick<Mint, 'repository' | 'run'>): Entity[] => [
  ...(repository === undefined || run === undefined ? [] : [entityOf('run', `${repository.name}#${run.id}`, run.key)]),
  ...(repository === undefined ? [] : [entityOf('repository', repository.name, repository.key)]),
];

/** Who used it, and from where, the first five. */
export const entitiesOfUses = (uses: readonly MintUse[], key: string): Entity[] =>
  uses
    .slice(0, 5)
    .flatMap(({ by, address }) => [
      ...(by === undefined ? [] : [personOf(by, key)]),
      ...(address === undefined ? [] : [{ kind: 'address' as const, id: address }]),
    ]);

/** Ends what the access broker gave a run, by the run's key; nothing where no id of it was told. `name`: `owner/name#run`. */
export function endingAccessOf(run: { key: string; name: string }): Intent[] {
  if (run.key.includes(':name:')) return [];
  const { instance } = placeOfKey(run.key);
  if (instance === '') return [];
  const name = clip(run.name, 300);
  return [
    {
      action: 'revoke-grant',
      provider: 'tripline',
      instance,
      grant: 'access',
      of: 'run',
      key: clip(run.key, 600),
      name,
    },
  ];
}
/** `endingAccessOf` the run for which it was minted. */
export const endingAccessOfMint = ({ repository, run }: Mint): Intent[] =>
  repository === undefined || run === undefined
    ? []
    : endingAccessOf({ key: run.key, name: `${repository.name}#${run.id}` });

export const credentialEntity = (hash: string): Entity => ({ kind: 'credential', id: clip(hash, 500) });
