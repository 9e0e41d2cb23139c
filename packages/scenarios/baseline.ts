import type { Attributes } from '@tripline/contracts/attributes';
import type { Stage } from './github-bodies.ts';

/** What an inventory tells of an organisation whose default branches are protected. */
export function inventory(
  stage: Stage,
  of: {
    repositories: readonly string[];
    members: readonly { login: string; role: 'admin' | 'member' }[];
    /** Settings by rule id, for the playing alone. */
    settings?: Record<string, Record<string, unknown>>;
    /** Paths of workflows that are known to be given secrets, by repository. */
    withSecrets?: Readonly<Record<string, string>>;
  },
): Attributes {
  const name = stage.fullName;
  return {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.heads': of.repositories.map((repository) => ({
      repository: name(repository),
      branch: 'main',
      revision: headOf(stage, repository),
    })),
    'tripline.inventory.protected': of.repositories.map((repository) => ({
      repository: name(repository),
      patterns: ['main'],
    })),
    'tripline.inventory.members': [...of.members],
    ...(of.settings === undefined ? {} : { 'tripline.inventory.settings': of.settings }),
    ...(of.withSecrets === undefined
      ? {}
      : {
          'tripline.inventory.credential_uses': Object.entries(of.withSecrets).map(([repository, path]) => ({
            credential: `workflow:${name(repository)}/${path}`,
            runner: 'hosted:0:ubuntu-latest',
          })),
        }),
  };
}

/** The head of a repository's default branch before a playing begins. */
export const headOf = (stage: Stage, repository: string): string => stage.sha(`head of ${repository}`);
