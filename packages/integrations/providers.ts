import { github } from './github/registration.ts';
import type { RegisteredProvider } from './provider.ts';

/** Every provider at which responses can be carried out. To add one: a folder beside this file, and a line here. */
export const providers = [github] as const satisfies readonly RegisteredProvider[];
