import type { Feed } from '../feed.ts';

/** What people and drills tell Tripline themselves: README.md. */
export const triplineFeed = {
  name: 'tripline',
  environment: [],
  load: async () => (await import('./source.ts')).tripline,
} as const satisfies Feed;
