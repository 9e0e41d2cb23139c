import type { Intent } from './response.ts';

/**
 * What waits in the table `queue` (packages/db/queue.ts), one row a thing, added in the transaction that gives rise to it.
 * `notify`: bring every notification channel in sync with an incident's present state; a storm of changes is one row.
 * `remediate`: run a finding's playbook through the guard. `prompt`: write to whoever is asked for a second factor.
 */
export type Purpose = 'notify' | 'remediate' | 'prompt';

/**
 * Questions that the detector leaves for its worker, as graphile-worker tasks. They are added by SQL inside the transaction
 * that gives rise to them, so a job exists exactly when its cause does.
 */
export type Jobs = {
  /** Ask the provider about a commit, and append the answer to the log. Job key `look-up:<id>`. */
  'look-up': { workspace: string; lookup: LookUp };
  /** Import what is already true in a workspace, and append it to the log. Job key `import:<workspace>`. */
  'import-inventory': { workspace: string };
};
export type JobName = keyof Jobs;

/** A question of a rule to the provider's API. `id` is a hash of the rest: the same question is asked once. */
export type LookUp = {
  id: string;
  kind: 'reviews-of-commit';
  repository: string;
  /** The repository's id, by which the answer is known to be about the same one. */
  repositoryId?: string;
  revision: string;
};

/**
 * A delivery whose body was received before under another id: did the provider make it? `heardMs`: the log's time; `sentMs`: the
 * event's own, which is when it was received or earlier. Both ms since the epoch.
 */
export type DeliveryQuestion = {
  workspace: string;
  eventId: string;
  source: string;
  /** The provider's word for the event, where it is known. */
  event: string | null;
  heardMs: number;
  sentMs: number;
};

/**
 * Why a step of a playbook was or was not carried out; bounded, so that it can label a metric. `rate-capped` waits in a
 * queue; all others but `act` end the step.
 */
export const guardVerdicts = [
  'act',
  'dry-run',
  'not-in-policy',
  /** It touches somebody or something of `remediation.protected`. */
  'protected',
  'rate-capped',
  'kill-switch',
  'not-configured',
  'withdrawn',
  /** A person resolved its incident as false or accepted. */
  'resolved',
  /** Its finding rests on a delivery that the provider's own list has not named. */
  'unproven',
  /** The provider was asked before, and says that it is not so. */
  'not-so',
  /** No integration can do it: a person must, and is told how. */
  'by-hand',
] as const;
export type GuardVerdict = (typeof guardVerdicts)[number];

export type RemediationStep = { finding: string; ordinal: number; step: Intent };
