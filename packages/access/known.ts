import type { Severity } from '@tripline/contracts/finding';

/** What the token says of a job and the log otherwise. */
export type Disagreement = { what: string; token: string; log: string };

/** So long after a job began, or waits at a gate, the success of a deployment before it may be on its way, ms; see the rule `promotion-skipped`. */
export const promotionMs = 2 * 60_000;

/** What Tripline knows of a job that asks, beside what its token says. What nobody has told is unknown, which is never a yes. */
export type Known = {
  job: 'running' | 'ended' | 'unknown';
  /** What of the token the log denies, and how far behind what was received the rest of this is, ms; absent of a job without a token. */
  log?: { disagrees: readonly Disagreement[]; behindMs: number };
  /** The head lies in another repository; undefined where the run itself was not told of yet. */
  fork: boolean | undefined;
  reviewed: { is: 'reviewed' | 'unreviewed' | 'unknown'; why: string };
  /** Environments in which a deployment of the commit succeeded. */
  deployedTo: readonly string[];
  /** So little time has passed that another deployment may have succeeded whose event is on its way; absent where that is not so. */
  mayBePromoted?: boolean;
  /** The machine, where it is one's own; undefined where no event named it yet. `isKnown`: to the house. */
  runner: { group: string | undefined; isKnown: boolean } | undefined;
  /** Open incidents that name its repository, run, runner, commit or person. */
  incidents: readonly { id: string; severity: Severity }[];
  /** Address from which it asks; undefined where that is not known, or nobody asks but a dry run. */
  address: string | undefined;
  /**
   * Who stood for exactly this run, attempt, commit and environment, and how long ago, ms; or who says that it was not they.
   * Undefined where nobody answered yet.
   */
  approval: { by: string; ageMs: number; isPhishingResistant: boolean } | { refusedBy: string } | undefined;
};
