import type { Feed } from '../feed.ts';
import {
  faultsOfAudit,
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
  faults: faultsOfAudit,
  load: async () => (await import('./source.ts')).githubAudit,
  loadPolled: async () => (await import('./polled.ts')).polled,
} as const satisfies Feed;
