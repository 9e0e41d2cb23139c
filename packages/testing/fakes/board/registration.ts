import type { RegisteredChannel } from '@tripline/integrations/channel';
import { z } from 'zod';

/** A channel that no Tripline has: a board with a card an incident. The seam's proof. */
export const board: RegisteredChannel = {
  name: 'board',
  settings: z.strictObject({ apiUrl: z.string().describe('Where the board is.') }).optional(),
  environment: [{ name: 'TRIPLINE_BOARD_API_URL', path: 'board.apiUrl' }],
  load: async () => (await import('./channel.ts')).boardChannel,
};
