import type { BrokerSettings } from '@tripline/access/settings';
import type { Look } from '@tripline/contracts/check';
import { entryOfTier, type RegisteredMinter, tiersOf } from '../minter.ts';
import type { AppKey } from './app-key.ts';

type Needs = { github: { apiUrl: string }; broker: Pick<BrokerSettings, 'apps'> };

/** The Apps of `broker.apps`, as minters. */
export const githubMinter = {
  kind: 'github',
  load: async () => {
    const { createGitHubMinter } = await import('./mint.ts');
    const { openAppKey } = await import('./app-key.ts');
    return ({ github: { apiUrl }, broker: { apps } }, options) => {
      const { clock, fetch, timeoutMs } = options;
      const opened = apps.map((app) => {
        const { key, keepAlive } = openAppKey(app, options);
        const { id, tiers } = app;
        const minter = createGitHubMinter({ apiUrl, id, fetch, timeoutMs, ...key }, { clock });
        return { tiers, minter, keepAlive, look: lookAt({ ...app, key }, apiUrl) };
      });
      return {
        of: (tier) => entryOfTier(opened, tier)?.minter,
        looks: opened.map(({ look }) => look),
        keepAlive: async (signal, onFault) => {
          await Promise.all(opened.map(({ keepAlive }) => keepAlive?.(signal, onFault)));
        },
      };
    };
  },
} as const satisfies RegisteredMinter<'github', Needs>;

function lookAt(app: Needs['broker']['apps'][number] & { key: AppKey }, apiUrl: string): Look {
  const { id, key } = app;
  const remedy = `check id and ${'privateKey' in key ? 'privateKey' : 'transit'} in broker.apps, github.apiUrl, and this machine’s clock`;
  return {
    ...{ name: `minter GitHub App ${app.id} (${tiersOf(app)})`, remedy },
    look: async () => {
      const { installedOn } = await import('./reader.ts');
      const { brokenAtGitHub } = await import('./doctor.ts');
      const on = await installedOn({ apiUrl, app: { id, ...key } }, Date.now()).catch(brokenAtGitHub);
      if ('state' in on) return on;
      const unnamed = app.slug === undefined ? '; without its slug nothing finds who else mints with its key' : '';
      if (on.length > 0) return { state: 'ok', detail: `installed on ${on.join(', ')}${unnamed}` };
      const there = 'install it on chosen repositories of your organisation';
      return { state: 'broken', detail: 'it is installed nowhere, so that it mints nothing', remedy: there };
    },
  };
}
