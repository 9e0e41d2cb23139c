/** NOTIFY channel, signalled when something was told of a run that policies of access ask about; the payload is `knownRunPayload`. */
export const knownRunsChannel = 'tripline_known_runs';

/** Postgres takes less than 8,000 bytes. What is longer signals nobody, and is found by polling. */
export const mostOfPayload = 1000;

/** By which a signal names a run, made of its key. */
export const knownRunPayload = (workspace: string, run: string): string =>
  `${workspace} ${run}`.slice(0, mostOfPayload);
