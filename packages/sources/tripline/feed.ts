import type { Feed } from '../feed.ts';
import { triplineWorkspaceSettings } from './settings.ts';

/** What people and drills tell Tripline themselves: README.md. */
export const triplineFeed = {
  name: 'tripline',
  workspaceFields: triplineWorkspaceSettings,
  environment: [],
  load: async () => (await import('./source.ts')).tripline,
} as const satisfies Feed;
