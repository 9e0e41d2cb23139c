import type { RegisteredProvider } from '../provider.ts';
import { githubClientEnvironment } from './settings.ts';

/** GitHub: README.md. */
export const github = {
  name: 'github',
  title: 'GitHub',
  environment: githubClientEnvironment,
  load: async () => (await import('./provider.ts')).github,
} as const satisfies RegisteredProvider;
