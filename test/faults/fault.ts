/** Where faults are played: a Postgres server and a broker that all of them share, each on a database and topics of its own. */
export type Ground = {
  /** Of a migrated server; `freshDatabaseOn` makes databases on it. */
  postgresUrl: string;
  /** `host:port` of one broker; empty where Kafka cannot be had. */
  brokers: readonly string[];
  /** The revision whose program the fault `upgrade` starts from; absent: the one before the newest migration. */
  upgradeFrom?: string;
  /** Tells a person who waits what is going on. */
  say: (text: string) => void;
};

/** What one playing of a fault came to: a line of the table. */
export type FaultOutcome = {
  /** How much was played, such as `40 points of 5 services`. */
  size: string;
  /** Which sets were held against which. */
  compared: string;
  /** What was not as it must be, a line each; none is the proof. */
  differences: string[];
  /** What was measured, such as `taken over in 1.2 s`; empty where nothing is. */
  figure: string;
};

/**
 * One kind of fault on real processes. `run` plays it and compares the set of what stands afterwards (findings,
 * incidents, jobs, messages, log) with what must stand. It throws only when it cannot be played.
 */
export type Fault = {
  /** As `--only` names it: kebab-case. */
  name: string;
  /** What happens, for the table. */
  what: string;
  /** How much of it CI plays, and how much `npm run test:faults`, each in `unit`. */
  sizes: { ci: number; full: number; unit: string };
  needsKafka?: boolean;
  run: (ground: Ground, size: number) => Promise<FaultOutcome>;
};
