import type { RegisteredProvider } from '../provider.ts';
import { githubClientEnvironment, githubSettings } from './settings.ts';

/** GitHub: README.md. */
export const github = {
  name: 'github',
  title: 'GitHub',
  settings: githubSettings.prefault({}),
  environment: githubClientEnvironment,
  load: async () => (await import('./provider.ts')).github,
} as const satisfies RegisteredProvider;
