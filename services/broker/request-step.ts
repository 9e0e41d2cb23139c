import type { TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import type { Rights } from '@tripline/integrations/github/people/rights';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Duty } from './duty.ts';
import type { CurrentPolicies } from './local-policies.ts';
import type { OpenRequest } from './store/requests.ts';

export type RequestParts = {
  db: Db;
  clock: Clock;
  logger: Logger;
  /** Host of the GitHub at which rights are given. */
  instance: string;
  policies: CurrentPolicies;
  rights: Rights;
  /** Who is on duty, where policies mind it. */
  duty: Duty;
  /** Whether rights may be given now: the kill switch stops that, and never an end. */
  isStopped: () => Promise<boolean>;
  /** Says to whoever has it that it ends soon. Rejects where that could not be said; then it is tried again. */
  remind?: (request: OpenRequest, untilMs: number) => Promise<void>;
  /** Appends to the log; resolves once it has it on disk. */
  append: (events: readonly TriplineEvent[]) => Promise<unknown>;
};

/** One step of a request, which `by` has claimed. */
export type Step = (parts: RequestParts, by: string, request: OpenRequest) => Promise<void>;

/** The longest pause before a step that failed is tried again, ms. */
export const longestPauseMs = 30_000;
