import { listByTier, tiers } from '@tripline/access/settings';
import { oneLogin, saysOneLogin, vaultConnection } from '@tripline/access/vault-connection';
import { z } from 'zod';

const vault = z
  .strictObject({
    tiers: tiers.describe('Tiers whose credentials it mints; absent: those that no other entry names.'),
    ...vaultConnection,
  })
  .refine(saysOneLogin, oneLogin);

/** `broker.vault` of tripline.yaml. */
export const vaultSettings = listByTier(vault)
  .default([])
  .describe('OpenBao or Vault as what gives jobs tokens and dynamic secrets, one entry a tier. None: gives none.');
export type VaultSettings = z.output<typeof vaultSettings>[number];
