import { github } from './github/registration.ts';
import type { RegisteredProvider } from './provider.ts';

/** Every provider at which findings can be answered. One more: its folder beside this file, and its line here. */
export const providers = [github] as const satisfies readonly RegisteredProvider[];
