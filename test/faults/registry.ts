import type { Fault } from './fault.ts';
/** Every fault that is played, in the order of the table: by CI in its small size, by `npm run test:faults` in full. */
import { garbageFault } from './hostile-garbage.ts';
import { badSignatures } from './hostile-signatures.ts';
import { kill9 } from './kill9.ts';
export const faults: readonly Fault[] = [kill9, garbageFault, badSignatures];
