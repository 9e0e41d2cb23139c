import type { RegisteredProvider } from '../provider.ts';

/** Tripline itself, by what its access broker gave: README.md. */
export const tripline = {
  name: 'tripline',
  title: 'Tripline',
  environment: [],
  load: async () => (await import('./provider.ts')).tripline,
} as const satisfies RegisteredProvider;
