import { entryOfTier, type RegisteredMinter } from '../minter.ts';
import { checkGitLab } from './doctor.ts';
import { type GitLabSettings, gitlabSettings } from './settings.ts';

/** GitLab: README.md. */
export const gitlab = {
  kind: 'gitlab',
  settings: gitlabSettings,
  load: async () => {
    const { createGitLabMinter } = await import('./mint.ts');
    return ({ broker }, options) => {
      const opened = broker.gitlab.map((settings) => ({ ...settings, minter: createGitLabMinter(settings, options) }));
      return {
        of: (tier) => entryOfTier(opened, tier)?.minter,
        looks: broker.gitlab.map((settings) => checkGitLab(settings, options)),
      };
    };
  },
} as const satisfies RegisteredMinter<'gitlab', { broker: { gitlab: readonly GitLabSettings[] } }>;
