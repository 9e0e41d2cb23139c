/**
 * The states of an incident.
 *
 *     open ──acknowledge──▶ acknowledged ──resolve──▶ resolved
 *       └───────────────resolve──────────────────────▶  │
 *       ◀──────────────────reopen───────────────────────┘
 *
 * `open`: nobody has acknowledged it. `acknowledged`: somebody works on it. `resolved`: closed as `true` (it was an
 * attack or a breach of rules), `false` (the finding was wrong) or `accepted` (it was right, and is allowed). A
 * resolved incident is reopened by a person, or, where it was not resolved as false, when another finding joins it within the
 * joining window or one of its own comes to be about more. An acknowledged incident that becomes critical is open again; only people acknowledge.
 */
export const incidentStates = ['open', 'acknowledged', 'resolved'] as const;
export type IncidentState = (typeof incidentStates)[number];

export const resolutions = ['true', 'false', 'accepted'] as const;
export type Resolution = (typeof resolutions)[number];

/**
 * Who acted on an incident, and through what. `name` is a login, a Slack user name, or `tripline` itself. `proof` says how
 * the person is known, such as `os-user`; rows of former versions do not.
 */
export type Actor = {
  via: 'slack' | 'pagerduty' | 'cli' | 'console' | 'config' | 'tripline';
  id: string;
  name: string;
  proof?: string;
};

/** What happened to an incident; a line of its history. */
export type IncidentEventKind =
  | 'opened'
  | 'joined'
  | 'acknowledged'
  | 'resolved'
  | 'reopened'
  | 'withdrawn'
  | 'told'
  | 'remediated'
  /** migrations/0018_silences.sql */
  | 'paged'
  /** migrations/0025_unproven.sql */
  | 'proven'
  | 'lowered'
  /** migrations/0030_growth.sql */
  | 'grown';
