import type { Fault } from './fault.ts';
import { framing } from './hostile-framing.ts';
import { garbageFault } from './hostile-garbage.ts';
import { badSignatures } from './hostile-signatures.ts';
import { slowloris } from './hostile-slowloris.ts';
import { detector } from './kill9.detector.ts';
import { receiver } from './kill9.receiver.ts';
import { recorder } from './kill9.recorder.ts';
import { kill9 } from './kill9.ts';

/** Every fault that is played, in the order of the table: by CI in its small size, by `npm run test:faults` in full. */
export const faults: readonly Fault[] = [
  ...[receiver, detector, recorder].map(kill9),
  // What comes from outside.
  ...[garbageFault, badSignatures, framing, slowloris],
];
