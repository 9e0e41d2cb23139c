import type { Fault } from './fault.ts';
import { kill9 } from './kill9.ts';

/** Every fault that is played, in the order of the table: by CI in its small size, by `npm run test:faults` in full. */
export const faults: readonly Fault[] = [kill9];
