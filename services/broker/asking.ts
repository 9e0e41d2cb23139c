import type { Known } from '@tripline/access/known';
import type { Policy, PolicyFile, StsName } from '@tripline/access/policy';
import type { Entity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import type { Verifier } from '@tripline/identity/verify';
import type { GitHubJob, Proof } from '@tripline/identity/workload';
import type { Minters } from '@tripline/integrations/minters';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Workspaces } from '@tripline/sources/workspace';
import type { RateLimit } from './address-limit.ts';
import type { EventParts } from './append-events.ts';
import type { JobKeys } from './keys.ts';
import type { CurrentPolicies, PoliciesInForce } from './local-policies.ts';
import type { WatchedLog } from './log-away.ts';
import type { Measures } from './measures.ts';
import type { Rooms } from './rooms.ts';
import type { Seals } from './seal.ts';
import type { ToldRun } from './store/known-runs.ts';

/** A job of GitHub Actions, with the proof of who it is. */
export type ProvedJob = Proof & GitHubJob;

/** One request: an id token, the policy that is asked for, by its name or as octo-sts's clients name it, and from where, if that is known. */
export type Asked = { token: string; policy: string | StsName; address: string | undefined };

/** What is known of a job as its token is spent. */
export type AsSpent = {
  /** What was told of its run. */
  told: ToldRun;
  /** Whether an incident may be open that names what the token proves, or what was told of the job. */
  mayBeOpen: boolean;
};

/** What the log and the API tell of a job; see gather.ts. `asSpent`: what was known of it just now. */
export type Gather = (
  job: ProvedJob,
  policy: Policy,
  asked: { workspace: string; address: string | undefined; tiers: PolicyFile['tiers']; asSpent?: AsSpent },
) => Promise<{ known: Known; things: readonly Entity[] }>;

/** A request whose job is proved and whose policy there is. `id`: of the grant, if it becomes one. */
export type Asking = {
  id: string;
  job: ProvedJob;
  keys: JobKeys;
  workspace: string;
  /** From where it asks; undefined where that is not known. */
  address: string | undefined;
  policyName: string;
  policy: Policy;
  policies: PoliciesInForce;
  /** When it was asked, ms since the epoch. */
  askedMs: number;
};

export type ExchangeParts = EventParts & {
  db: Db;
  clock: Clock;
  logger: Logger;
  measures: Measures;
  verify: Verifier;
  /** What octo-sts’s clients ask their tokens for: the host alone. */
  stsAudience: string;
  workspaces: Pick<Workspaces, 'whose'>;
  policies: CurrentPolicies;
  gather: Gather;
  /** How often one job may ask, by its key, wherever it asks from: each request waits for what is known, and asks GitHub. */
  jobLimit: RateLimit;
  /** How many requests of one job and of one repository are decided at once. */
  rooms: Rooms;
  /** Random, and nobody’s but this grant’s. */
  makeId: () => string;
  /** Whether every end of a job is known that the log held at the start: before, nothing is decided. */
  isCaughtUp: () => boolean;
  takesEvents: WatchedLog['takesEvents'];
  /** Asks people to stand for a run; absent where no second factor is configured. */
  openStepUp?: ((asking: Asking) => Promise<StepUpLink>) | undefined;
  /** Who stands for its run; absent where no second factor is configured. */
  approvalFor?: ((asking: Asking) => Promise<Known['approval']>) | undefined;
  /** What it takes to give; absent in a dry run. */
  giving?: Giving | undefined;
};

/** What mints, and what bounds it. */
export type Giving = {
  minters: Pick<Minters, 'of'>;
  seals: Pick<Seals, 'seal'>;
  /** Grants of one policy within an hour. */
  mostAnHour: number;
};

/** Where somebody stands for a run; `number` is to be typed there. `waits`: nobody can be asked yet, and why. */
export type StepUpLink = { state: 'open'; url: string; number: string } | { state: 'waits'; why: string };
