import type { Look } from '@tripline/contracts/check';
import { z } from 'zod';
import { brokenWhileAway, tiersOf } from '../minter.ts';
import { saidBy, type VaultSession } from './session.ts';
import type { VaultSettings } from './settings.ts';

const self = z.object({
  data: z.object({
    ttl: z.number().nonnegative(),
    renewable: z.boolean().default(false),
    policies: z.array(z.string()),
  }),
});
const capabilities = z.object({ data: z.record(z.string(), z.unknown()) });
/** Without these nothing that is given can be ended, or be seen to be. */
const needed = [
  ...['auth/token/revoke-accessor', 'auth/token/lookup-accessor'],
  ...['sys/leases/revoke', 'sys/leases/lookup'],
];
const dayS = 86_400;

/** Whether the broker is known at OpenBao or Vault, may end what it mints, and may not do everything. */
export function checkVault({ session, url, token, ...entry }: VaultSettings & { session: VaultSession }): Look {
  const remedy = 'check broker.vault: url, and what the broker logs in with';
  return {
    ...{ name: `minter Vault ${new URL(url).host} (${tiersOf(entry)})`, remedy },
    look: async () => {
      const answer = await session.ask({ method: 'GET', path: 'auth/token/lookup-self' });
      const away = brokenWhileAway(answer, { said: saidBy(answer), setting: 'broker.vault.url' });
      if (away !== undefined) return away;
      const read = self.safeParse(answer.status === 200 ? answer.data : undefined);
      if (!read.success) return { state: 'broken', detail: `it does not know the broker: ${saidBy(answer)}`, remedy };
      const { ttl, renewable, policies } = read.data.data;
      if (policies.includes('root')) {
        const detail = 'the broker has a root token, which may do everything';
        return {
          state: 'broken',
          detail,
          remedy: 'give it a token with the policy of packages/integrations/vault/README.md',
        };
      }
      const asked = await session.ask({ method: 'POST', path: 'sys/capabilities-self', body: { paths: needed } });
      const may = capabilities.safeParse(asked.status === 200 ? asked.data : undefined);
      if (!may.success)
        return { state: 'broken', detail: `it does not say what the broker may: ${saidBy(asked)}`, remedy };
      const lacks = needed.filter((path) => ![may.data.data[path]].flat().includes('update'));
      if (lacks.length > 0) {
        const detail = `the broker may not update ${lacks.join(', ')}: what it gives it could not end`;
        return {
          state: 'broken',
          detail,
          remedy: 'give its policy these, as packages/integrations/vault/README.md says',
        };
      }
      if (token !== undefined && ttl > 0 && !renewable && ttl < 30 * dayS) {
        const detail = `the broker’s token ends in ${Math.ceil(ttl / 3600)} h, and cannot be renewed`;
        return { state: 'broken', detail, remedy: 'give it a periodic token, or have it log in by appRole or jwt' };
      }
      return { state: 'ok', detail: `known there by policies ${policies.join(', ')}` };
    },
  };
}
