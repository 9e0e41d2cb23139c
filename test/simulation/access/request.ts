import { AsyncLocalStorage } from 'node:async_hooks';
import type { Job } from './jobs.ts';

/** One request of a job, as the oracle follows it through a broker. Steps are the world's (`World.steps`). */
export type Asked = {
  job: Job;
  askedMs: number;
  /** Of its grant, once it has one. */
  grant: string | undefined;
  /** When its grant was written down; undefined before. */
  intendedStep: number | undefined;
  /** Which policies were in force when it read them first: for a planted bug. */
  policies: unknown;
};

const current = new AsyncLocalStorage<Asked>();
/** Whose request is being answered; undefined in whatever a broker does by itself. */
export const currentRequest = (): Asked | undefined => current.getStore();
export const withinRequest = <T>(asked: Asked, work: () => T): T => current.run(asked, work);
