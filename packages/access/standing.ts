/** A privilege that stands by itself, whether or not anybody uses it: what somebody who takes it over has, at any hour. */
export type Standing = {
  kind: StandingKind;
  /** By which it is the same at the next look: kind and the provider's ids, `deploy-key/74/12`. */
  id: string;
  name: string;
  /** Whose it is or who made it, by login; null where the provider does not tell. */
  owner: string | null;
  /** What it reaches, by full name. `all`: whatever the organisation has. Empty: the organisation itself, and no repository's code. */
  repositories: readonly string[] | 'all';
  /** What it may do, in the provider's words: `contents:write`. */
  scope: readonly string[];
  /** RFC 3339; null where the provider does not tell. */
  createdAt: string | null;
  /** When it ends by itself; null: never. */
  expiresAt: string | null;
  lastUse: LastUse;
  /** By which events of the log name it, `user:117`; see uses.ts. Null where none does. */
  seenAs: string | null;
  /** Jobs that were seen with it, most recent first. */
  usedBy: readonly Use[];
  traits: readonly Trait[];
  /** Of a role in the organisation: who has it. `id`: of the account; absent in what former versions kept. */
  holders?: readonly ({ login: string; id?: string; team?: undefined } | { team: string; login?: undefined })[];
  /** Of a runner group and a secret: environments whose jobs it reaches; see isolation.ts. */
  environments: readonly string[];
};

export const standingKinds = {
  'fine-grained-token': 'fine-grained token',
  'authorized-credential': 'token or key of a person',
  'deploy-key': 'deploy key',
  app: 'app',
  secret: 'secret',
  'dependabot-secret': 'Dependabot secret',
  'organization-right': 'right of every member',
  'organization-role': 'organisation role',
  owner: 'owner',
  member: 'member',
  'outside-collaborator': 'outside collaborator',
  team: 'rights of a team',
  'runner-group': 'runner group',
  runner: 'runner',
  environment: 'environment',
  'oidc-subject': 'subject of id tokens',
  'aws-role': 'AWS role that id tokens of GitHub open',
  'aws-access-key': 'AWS access key',
  'vault-role': 'Vault role that id tokens of GitHub open',
} as const;
export type StandingKind = keyof typeof standingKinds;

/** `never`: the provider says so. `unknown`: nobody does. */
export type LastUse = { at: string; by: 'provider' | 'trail' } | 'never' | 'unknown';

/** A job that was seen with it, as far as its event tells. */
export type Use = {
  repository: string;
  /** `owner/name/path@ref`, or the path alone. */
  workflow: string | null;
  event: string | null;
  ref: string | null;
  environment: string | null;
  at: string;
};

export const riskLevels = ['low', 'medium', 'high'] as const;
export type RiskLevel = (typeof riskLevels)[number];

/** What about it makes it worth taking over, or easy to. */
export const traits = {
  writes: { level: 'medium', says: 'it may change code, settings or rights' },
  administers: { level: 'high', says: 'it may change who has which right' },
  'every-repository': { level: 'medium', says: 'it reaches every repository, and those to come' },
  'never-expires': { level: 'medium', says: 'it never ends by itself' },
  'all-of-its-owner': { level: 'high', says: 'it may do whatever its owner may, here and elsewhere' },
  'no-second-factor': { level: 'high', says: 'its owner signs in without a second factor' },
  'weak-second-factor': { level: 'medium', says: 'its owner’s second factor can be intercepted (SMS)' },
  outsider: { level: 'medium', says: 'its owner is no member of the organisation' },
  'second-factor-optional': { level: 'high', says: 'the organisation does not demand a second factor' },
  'every-job': { level: 'medium', says: 'jobs of every branch and workflow of its repositories get it' },
  'public-repositories': {
    level: 'high',
    says: 'jobs of public repositories run there, strangers’ pull requests among them',
  },
  'every-workflow': { level: 'medium', says: 'any workflow may use it' },
  lasting: { level: 'medium', says: 'the machine outlives its job, and so does what a job leaves there' },
  ungated: { level: 'medium', says: 'nobody and nothing must approve a deployment to it' },
  'administrators-bypass': { level: 'low', says: 'administrators may pass its protection by' },
  'every-branch': { level: 'medium', says: 'jobs of any branch may name it' },
  'any-repository': { level: 'high', says: 'jobs of any repository at GitHub may open it, strangers’ too' },
  'every-job-of-repository': {
    level: 'medium',
    says: 'jobs of every branch, event and pull request of its repositories may open it',
  },
  'no-audience': { level: 'medium', says: 'an id token that was made for anybody suffices' },
  'names-in-subject': { level: 'low', says: 'its subject names names, which may be given to another' },
} as const satisfies Record<string, { level: RiskLevel; says: string }>;
export type Trait = keyof typeof traits;

const dayMs = 86_400_000;
/** Kinds of which a use can be told: those of which it stands idle for this long are of no use to the house. */
export const idleMs = 90 * dayMs;

/** What of a look could not be read, and what to do so that the next one can. */
export type StandingGap = {
  what: string;
  why: string;
  remedy: string;
  /** Of these kinds some may not have been told: one that is not there may still stand. */
  kinds: readonly StandingKind[];
};

/** How something that stands is ended: the calls, or what a person does, how to see that it is, and the way back. */
export type Retirement = { trial: string; retire: string[]; check: string; wayBack: string };

/**
 * What stands in an organisation or elsewhere, and what of it could not be told. `covers`: beginnings of ids, where all that there is of
 * them was read but for the kinds of the gaps, by whichever credentials one looks.
 */
export type StandingLook = { rows: readonly Standing[]; gaps: readonly StandingGap[]; covers?: readonly string[] };

/** The highest of what its traits say; low where none does. */
export function riskOf({ traits: those }: Pick<Standing, 'traits'>): RiskLevel {
  return riskLevels[Math.max(0, ...those.map((trait) => riskLevels.indexOf(traits[trait].level)))]!;
}

/**
 * For how long nobody has used it, ms: since its last use or, where the provider says that there was none, since it was made.
 * Undefined where that is not known.
 */
export function idleForMs(
  { lastUse, createdAt }: Pick<Standing, 'lastUse' | 'createdAt'>,
  nowMs: number,
): number | undefined {
  if (lastUse === 'unknown') return undefined;
  const since = lastUse === 'never' ? createdAt : lastUse.at;
  return since === null ? undefined : nowMs - Date.parse(since);
}

/** The graver first; among equals those longest idle, then by name. */
export function byRisk(nowMs: number): (a: Standing, b: Standing) => number {
  const rank = (row: Standing) => riskLevels.indexOf(riskOf(row));
  const idle = (row: Standing) => idleForMs(row, nowMs) ?? -1;
  return (a, b) =>
    rank(b) - rank(a) ||
    idle(b) - idle(a) ||
    (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0) ||
    (a.name < b.name ? -1 : 1);
}
