import type { Feed } from '../feed.ts';
import { githubFeedEnvironment } from './settings.ts';

/** GitHub's webhooks: README.md. */
export const githubFeed = {
  name: 'github',
  environment: githubFeedEnvironment,
  load: async () => (await import('./source.ts')).github,
} as const satisfies Feed;
