import type { Feed } from '../feed.ts';
import {
  faultsOfAuditPolls,
  githubAuditEnvironment,
  githubAuditSettings,
  githubAuditWorkspaceSettings,
} from './settings.ts';

/** GitHub's audit log: README.md. */
export const githubAuditFeed = {
  name: 'github-audit',
  settings: githubAuditSettings,
  workspaceFields: { 'github-audit': githubAuditWorkspaceSettings },
  environment: githubAuditEnvironment,
  faults: faultsOfAuditPolls,
  load: async () => (await import('./source.ts')).githubAudit,
  loadPolled: async () => (await import('./polled.ts')).polled,
} as const satisfies Feed;
