import type { IncomingMessage } from 'node:http';
import type { StepUpSettings } from '@tripline/access/settings';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import type { WebSignIn } from '@tripline/integrations/github/web-sign-in';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Passkeys } from './step-up-passkey.ts';
import type { Visits } from './step-up-session.ts';
import type { SignIn } from './step-up-sign-in.ts';

/** What the pages of step-ups work with. */
export type RouteParts = {
  settings: StepUpSettings;
  db: Db;
  clock: Clock;
  logger: Logger;
  /** Appends events to the log under the broker's key; rejects where the log is away. */
  append: (events: readonly TriplineEvent[]) => Promise<void>;
  /** How often whoever sends the request may ask, before anything of it is read. */
  take: (request: IncomingMessage) => { ok: true } | { ok: false; retryAfterS: number };
  /** Counts an answer, so long after it was asked for. */
  answered: (answer: 'approved' | 'refused', seconds: number) => void;
  visits: Visits;
  signIn: SignIn;
  /** Where people show which account of GitHub's is theirs; undefined where they cannot. */
  atGitHub: WebSignIn | undefined;
  passkeys: Passkeys;
};

/** What a session or sign-in is for that confirms a passkey: this, and its key. */
export const confirming = 'confirm:';
/** The same of who is whom: a prompt at which somebody shows both, or the key of what somebody else confirms. */
export const linking = 'link:';
