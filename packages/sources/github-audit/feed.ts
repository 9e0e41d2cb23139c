import type { Feed } from '../feed.ts';
import { faultsOfAuditPolls, githubAuditEnvironment, githubAuditSettings } from './settings.ts';

/** GitHub's audit log: README.md. */
export const githubAuditFeed = {
  name: 'github-audit',
  settings: githubAuditSettings,
  environment: githubAuditEnvironment,
  faults: faultsOfAuditPolls,
  loadPolled: async () => (await import('./polled.ts')).polled,
} as const satisfies Feed;
