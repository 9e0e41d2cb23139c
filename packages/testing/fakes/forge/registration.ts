import type { RegisteredProvider } from '@tripline/integrations/provider';
import { httpUrl, secret } from '@tripline/runtime/setting';
import { z } from 'zod';

/** A provider that no Tripline has: a CI server which stops runs. The seam's proof; what a provider's folder needs. */
export const forge: RegisteredProvider = {
  name: 'forge',
  title: 'Forge',
  settings: z
    .strictObject({
      apiUrl: httpUrl.describe('Where Forge is.'),
      token: secret.describe('A token that may stop runs.'),
    })
    .optional(),
  environment: [
    { name: 'TRIPLINE_FORGE_API_URL', path: 'forge.apiUrl' },
    { name: 'TRIPLINE_FORGE_TOKEN', path: 'forge.token', secret: true },
  ],
  load: async () => (await import('./provider.ts')).forge,
};
