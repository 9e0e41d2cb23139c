import type { Entity } from '@tripline/contracts/finding';
import { type StandingPrivilege, standingPrivileges } from '@tripline/facts/standing-privileges';
import { entityOf } from '@tripline/facts/things';
import type { Basis } from './builders/basis.ts';

/** What rules on standing privileges say of one. */

const words: Readonly<Record<string, string>> = {
  'fine-grained-token': 'fine-grained token',
  'authorized-credential': 'credential',
  'deploy-key': 'deploy key',
  'runner-group': 'runner group',
  'organization-role': 'role of the organisation',
  'aws-role': 'AWS role',
  'aws-access-key': 'AWS access key',
  'vault-role': 'Vault role',
};

/** `deploy key argo of acme/api`. */
export const said = ({ kind, name, owner, repository }: StandingPrivilege): string =>
  `${words[kind] ?? kind.replaceAll('-', ' ')} ${name}${repository === undefined ? (owner === undefined ? '' : ` of ${owner}`) : ` of ${repository.name}`}`;

export const standingLine = (key: string, seen: StandingPrivilege, what: string): Basis => ({
  ...{ fact: standingPrivileges, key, seen, what },
  entities: repositoryOf(seen),
});

const repositoryOf = ({ repository }: StandingPrivilege): Entity[] =>
  repository === undefined ? [] : [entityOf('repository', repository.name, repository.key)];

/** Common to the rules: they rest on the broker's daily look, and inform. */
export const common = {
  principles: [1],
  feeds: { needs: ['access'] },
  about: standingPrivileges,
} as const;

export const howToRetire = (seen: StandingPrivilege): string =>
  `\`tripline access standing --plan\` says how ${seen.thing} is tried without, ended, and brought back.`;
