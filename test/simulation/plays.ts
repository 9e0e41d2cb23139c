import { mutants as ofAccess } from './access/mutants.ts';
import { simulateAccess } from './access/simulate.ts';
import type { Server } from './database.ts';
import { type Mutant, mutants } from './mutants.ts';
import type { Simulated, SimulateOptions } from './playing.ts';
import { simulate } from './simulate.ts';

/** What is played under seeds, and the bugs that it must find. */
export type Play = {
  name: string;
  simulate: (seed: number, server: Server, options?: SimulateOptions) => Promise<Simulated>;
  mutants: readonly Mutant[];
};

export const plays: readonly Play[] = [
  // What reads the log: detector, recorder, notifier, remediator.
  { name: 'log', simulate, mutants },
  // What gives credentials: brokers.
  { name: 'access', simulate: simulateAccess, mutants: ofAccess },
];
