import type { BrokerSettings } from '@tripline/access/settings';
import type { Look } from '@tripline/contracts/check';
import { entryOfTier, type RegisteredMinter, tiersOf } from '../minter.ts';

type Needs = { github: { apiUrl: string }; broker: Pick<BrokerSettings, 'apps'> };

/** The Apps of `broker.apps`, as minters. */
export const githubMinter = {
  kind: 'github',
  load: async () => {
    const { createGitHubMinter } = await import('./mint.ts');
    return ({ github: { apiUrl }, broker: { apps } }, { clock, fetch, timeoutMs }) => {
      const opened = apps.map(({ id, privateKey, tiers }) => ({
        tiers,
        minter: createGitHubMinter({ apiUrl, id, privateKey, fetch, timeoutMs }, { clock }),
      }));
      return {
        of: (tier) => entryOfTier(opened, tier)?.minter,
        looks: apps.map((app) => lookAt(app, apiUrl)),
      };
    };
  },
} as const satisfies RegisteredMinter<'github', Needs>;

function lookAt(app: Needs['broker']['apps'][number], apiUrl: string): Look {
  const remedy = 'check id and privateKey in broker.apps, github.apiUrl, and this machine’s clock';
  return {
    ...{ name: `minter GitHub App ${app.id} (${tiersOf(app)})`, remedy },
    look: async () => {
      const { installedOn } = await import('./reader.ts');
      const on = await installedOn({ apiUrl, app }, Date.now());
      const unnamed = app.slug === undefined ? '; without its slug nothing finds who else mints with its key' : '';
      if (on.length > 0) return { state: 'ok', detail: `installed on ${on.join(', ')}${unnamed}` };
      const there = 'install it on chosen repositories of your organisation';
      return { state: 'broken', detail: 'it is installed nowhere, so that it mints nothing', remedy: there };
    },
  };
}
