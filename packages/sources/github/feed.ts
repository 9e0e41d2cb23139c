import type { Feed } from '../feed.ts';
import { githubFeedEnvironment, githubWorkspaceSettings } from './settings.ts';

/** GitHub's webhooks: README.md. */
export const githubFeed = {
  name: 'github',
  workspaceFields: { github: githubWorkspaceSettings },
  environment: githubFeedEnvironment,
  load: async () => (await import('./source.ts')).github,
} as const satisfies Feed;
