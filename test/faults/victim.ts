import type { Ground } from './fault.ts';

/** A service that is killed again and again, at points that it passes. */
export type Victim = {
  service: string;
  needsKafka?: boolean;
  /** What is compared after each series, for the table. */
  compared: string;
  /** Names of its failpoints. */
  points: readonly string[];
  /** Up to which passing of a point it is killed there. */
  passings: number;
  /** How many points CI has time for; six unless told otherwise. */
  sampled?: number;
  /** Whether a process can come by a point so often at all; it can unless told otherwise. */
  canPass?: (point: string, passing: number) => boolean;
  /** Lays the ground for a series of deaths at `failpoints`, each `<name>:<passing>`. */
  open: (ground: Ground, failpoints: readonly string[]) => Promise<Series>;
};

/** One life of a database, through many deaths of a service. */
type Series = {
  /** Runs the service, with work to do, until it dies at the failpoint. False when it never came by. */
  dieAt: (failpoint: string) => Promise<boolean>;
  /** Runs it to the end of its work, undisturbed, and says what does not stand as it must, a line each. */
  finish: () => Promise<string[]>;
  close: () => Promise<void>;
};
