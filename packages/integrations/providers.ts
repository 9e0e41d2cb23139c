import { github } from './github/registration.ts';
import type { RegisteredProvider } from './provider.ts';
import { tripline } from './tripline/registration.ts';

/** Every provider at which responses can be carried out. To add one: a folder beside this file, and a line here. */
export const providers = [github, tripline] as const satisfies readonly RegisteredProvider[];
