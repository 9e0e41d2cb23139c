import type { Reason } from '@tripline/access/reason';

/** What a request is answered. */
export type Answer = { status: number; body: object; retryAfterS?: number };

/** Why a request got nothing: bounded, since it labels metrics, and clients match on it. */
export const refusals = {
  'token-missing': 401,
  'body-malformed': 400,
  'body-too-large': 413,
  'too-many-requests': 429,
  /** Shown before: each token is good once. */
  'token-spent': 409,
  'job-ended': 410,
  /** The grant was to end before it was handed out: somebody ended it, or the job asked again. */
  'ended-meanwhile': 409,
  /** The CI of the job is not heard, so that nothing says when the job ends. */
  'job-unknown': 403,
  /** A condition does not hold. */
  denied: 403,
  /** Nothing speaks against it but what nobody has told yet. */
  'not-known-yet': 403,
  /** A person has yet to prove a second factor, and whoever asks so cannot wait. */
  'step-up-wanted': 403,
  /** Nothing is given to anybody: what would have been decided is in the message. */
  'dry-run': 403,
  'grant-unknown': 404,
  'cap-reached': 429,
  /** Which jobs have ended is not known yet, since a start. */
  starting: 503,
  'policies-missing': 503,
  'kill-switch': 503,
  /** Its provider gives none, and asking again does not help. */
  'mint-refused': 403,
  'mint-failed': 503,
  /** No settings say what mints what the policy gives. */
  'nothing-mints': 403,
  'log-away': 503,
  unavailable: 503,
} as const;
export type Refused = keyof typeof refusals;

/** A refusal as it is answered: `{ error: { reason, message }, reasons? }`. `message`: a sentence that says what to do. */
export function refuse(
  reason: Refused,
  message: string,
  { retryAfterS, reasons }: { retryAfterS?: number; reasons?: readonly Reason[] } = {},
): Answer {
  return {
    ...{ status: refusals[reason], body: { error: { reason, message }, ...(reasons && { reasons }) } },
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
  };
}

export const tokenSpent = refuse(
  'token-spent',
  'This id token was shown before, and each is good once: ask for a fresh one',
);
export const jobAsksTooOften = (retryAfterS: number): Answer =>
  refuse('too-many-requests', `This job asks too often: ask again in ${retryAfterS} s`, { retryAfterS });
export const tooManyInHand: Answer = refuse(
  'too-many-requests',
  'Too many requests of this job or repository are being decided: ask again in 2 s',
  { retryAfterS: 2 },
);
export const jobEnded = refuse('job-ended', 'The job has ended: nothing is given to it any more');
