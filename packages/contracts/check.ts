/**
 * When a check is broken, by what it looks at: used by `tripline doctor`, the operations port's `/readyz` and the
 * start-up screen alike. What an outsider can cause (refused or ignored deliveries) is shown and never broken.
 */
export const criteria = {
  settings: 'one is wrong or unknown, or their file or a file of rules may be written by others',
  'data folder': 'others may enter it, or less than 1 GiB is free on its disk',
  spool: 'more than four fifths of `receiver.spoolLimitBytes` are used',
  Tripline:
    'what answers where Tripline should listen is not Tripline, or is not ready, or nothing answers though its own database is here',
  Postgres: 'it does not answer, is older than 15, loses what it acknowledged, or has a clock that differs by 2 s',
  schema: 'a migration is missing, or has failed half-way',
  log: 'it takes no events',
  topic: 'it has another number of partitions than the settings say, or is missing',
  'dead letters': 'their topic is missing; what is in it is shown, with how to see it, and is never broken',
  detector: 'events wait for it, and it judges none for 10 s, or the oldest has waited for a minute',
  recorder: 'events wait for it, and it keeps none for 10 s, or the oldest has waited for a minute',
  rule: 'it threw within the last hour',
  rules: 'a detector runs former ones, since those that it was given last, or their settings, are wrong',
  records: 'one could not be read or was not proved within the last hour, and was dead-lettered',
  jobs: 'one failed five times, and has not succeeded since',
  queue:
    'a notification, a response, a look-up or an import is overdue by five minutes: nobody takes it, or not fast enough',
  outbox: 'an event has waited for five minutes to be appended to the log',
  'kill switch': 'never: it is shown while it is thrown',
  import: 'the last one failed; one that is 90 days old is shown as old',
  redelivery: 'GitHub did not let the reconciler look, it has never run, or a look is overdue by five minutes',
  'polled feed':
    'a person must fix its credentials or settings, nothing could be read for five minutes (for an hour where it limits the rate), no process polls it, or it lost records within the last day',
  silence: 'a feed of a workspace tells nothing though it usually would, or cannot be read',
  learning: 'never: it is shown until it ends',
  'Sigma rules': 'never: those that are refused are shown, with why',
  'granting workflows': 'never: it is shown where none is configured, since grants then page nobody',
  'webhook secret': 'never: one that is too short stops the start',
  GitHub: 'it refuses the App or the token, or the App is not installed on every organisation of a workspace',
  organization: 'genuine deliveries of it came within the last day, and no workspace has it',
  deliveries: 'never: what was ignored and refused within the last day is shown, by reason, with the time of the last',
  Slack: 'it refuses the bot token, or the token is of another team or lacks its scope',
  provider: 'it refuses what Tripline calls it with, as its page says',
  minter: 'its provider refuses what credentials for jobs are minted with, or it can reach nothing there',
  channel: 'it refuses what Tripline calls it with, as its page says',
  feed: 'its settings cannot prove a delivery, as its page says',
  issuer:
    'its keys cannot be read or none of them can be used, its clock and ours differ by 30 s, or `identity.audience` is not set',
  broker:
    'its settings are half of something, or its policies cannot be read; events wait for it, and it reads none for 10 s, or the oldest has waited for a minute; a dry run is shown, with what it lacks',
  'step-up':
    'nobody who signs in could be known: neither `broker.stepUp.people` nor `accountClaim` says who anybody is',
  duty: 'PagerDuty does not take `broker.duty.token` or cannot be asked, or policies, of a local file or as a broker took them last, want people on duty and `broker.duty` is not set',
  grants:
    'a credential that was given to a job is alive a minute after that has ended, as far as its provider said; one that a job has could be revoked by no sealing key that is configured; or a provider made none by a policy within the last hour, and has made none since',
  gate: 'a deployment has waited for a minute for an answer that cannot be given, such as one that GitHub does not take',
  rights: 'a right that a person was given for minutes stands a minute after its end',
  policies: 'the newest of access are not in force: not reviewed, wrong, or not to be read',
  PagerDuty: 'the routing key has another form than they have',
  notifications:
    'every call to a channel has failed for five minutes, or fails for a reason that only a person can fix',
  remediation: 'it is automatic, and nothing may act, or no policy allows anything',
} as const;
type Subject = keyof typeof criteria;

/** What was found out about one thing. Its name begins with what `criteria` calls it. */
export type Check = {
  name: Subject | `${Subject} ${string}`;
  /** `ok`: nothing to fix; `off`: not configured, and need not be; `broken`: must be fixed, see {@link criteria}. */
  state: 'ok' | 'off' | 'broken';
  /** What was found. */
  detail: string;
  /** What to do about it; on `broken` always. */
  remedy?: string;
};

/** A check that asks something outside. `look` may throw: then it is broken, and `remedy` says what to do. */
export type Look = { name: Check['name']; remedy: string; look: () => Promise<Omit<Check, 'name'>> };
