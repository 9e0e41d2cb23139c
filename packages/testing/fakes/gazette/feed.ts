import { httpUrl, secret } from '@tripline/runtime/setting';
import type { Feed } from '@tripline/sources/feed';
import { z } from 'zod';

/** A feed that no Tripline has: an audit log that is asked, page by page. The seam's proof. */
export const gazette: Feed = {
  name: 'gazette',
  settings: z
    .strictObject({
      apiUrl: httpUrl.describe('Where it is asked.'),
      token: secret.optional().describe('Token that it is asked with; absent: the App has one issued.'),
      organizations: z.array(z.string()).min(1).describe('Whose records are read; each is a workspace.'),
    })
    .optional(),
  environment: [{ name: 'TRIPLINE_GAZETTE_TOKEN', path: 'gazette.token', secret: true }],
  loadPolled: async () => (await import('./polled.ts')).polled,
};
