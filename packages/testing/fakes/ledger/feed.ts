import { secretList } from '@tripline/runtime/setting';
import type { Feed } from '@tripline/sources/feed';
import { z } from 'zod';

/** A feed that no Tripline has: an audit log that sends many records at once, gzipped. The seam's proof. */
export const ledger: Feed = {
  name: 'ledger',
  settings: z.strictObject({ tokens: secretList.describe('Tokens that its sender bears.') }).optional(),
  environment: [{ name: 'TRIPLINE_LEDGER_TOKENS', path: 'ledger.tokens', kind: 'list', secret: true }],
  load: async () => (await import('./source.ts')).source,
};
