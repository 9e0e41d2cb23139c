import { entryOfTier, type RegisteredMinter } from '../minter.ts';
import { checkVault } from './doctor.ts';
import { type VaultSettings, vaultSettings } from './settings.ts';

/** OpenBao and Vault: README.md. */
export const vault = {
  kind: 'vault',
  settings: vaultSettings,
  load: async () => {
    const { createVaultMinter } = await import('./mint.ts');
    const { createVaultSession } = await import('./session.ts');
    return ({ broker }, options) => {
      const opened = broker.vault.map((settings) => {
        const session = createVaultSession(settings, options);
        return { ...settings, session, minter: createVaultMinter(session, options) };
      });
      return {
        of: (tier) => entryOfTier(opened, tier)?.minter,
        looks: opened.map(checkVault),
        keepAlive: async (signal, onFault) => {
          await Promise.all(opened.map(({ session }) => session.keepAlive(signal, onFault)));
        },
      };
    };
  },
} as const satisfies RegisteredMinter<'vault', { broker: { vault: readonly VaultSettings[] } }>;
