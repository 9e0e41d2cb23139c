import type { Look } from '@tripline/contracts/check';
import type { Intent, PersonRef, StepTargets } from '@tripline/contracts/response';
import type { Clock } from '@tripline/runtime/clock';
import type { EnvironmentSetting } from '@tripline/runtime/setting';
import type { z } from 'zod';
import type { Outcome } from './outcome.ts';

/**
 * An entry of providers.ts. It loads its code only when asked to, since every command reads the settings of all
 * providers.
 */
export type RegisteredProvider = {
  /** Its name in intents, of its folder, and of its settings in tripline.yaml. */
  name: string;
  /** Its name for people: `GitHub`. */
  title: string;
  /** Where the provider is a feed too, these include the feed's settings. Absent: it has none of its own. */
  settings?: z.ZodType;
  environment: readonly EnvironmentSetting[];
  load: () => Promise<Provider>;
};

/**
 * A provider at which responses can be carried out: a folder of this package, and a line in providers.ts. It resolves
 * intents to steps of its own, or to instructions for a person. The remediator decides whether a step is carried out;
 * the provider knows how.
 */
// biome-ignore lint/suspicious/noExplicitAny: each provider names the settings that it needs; who opens it has them all.
export type Provider<Needs = any> = {
  open: (config: Needs, options: ProviderOptions) => OpenProvider;
  /** What `tripline doctor` says of it. */
  doctor: (config: Needs) => Look[];
};

export type ProviderOptions = {
  clock: Clock;
  fetch?: typeof globalThis.fetch | undefined;
  /** Called when a credential of ours could not be revoked after use, with the reason. */
  onLeftAlive: (reason: string) => void;
  /** What the access broker gave jobs. */
  grants: AccessGrants;
};

/** Of which thing grants are: by its key, within a workspace. */
export type GrantsOf = { workspace: string; key: string };
/** Both reject where the database does not answer. */
export type AccessGrants = {
  /** Those of which a credential is alive, as far as its own provider said: live, being minted, or being revoked. */
  alive: (of: GrantsOf) => Promise<readonly { policy: string; tier: string }[]>;
  /** Sets those ending that do not end already, and wakes the broker, which revokes. @returns how many those were. */
  end: (of: GrantsOf) => Promise<number>;
};

export type OpenProvider = {
  /** Pure: the same intent under the same settings is the same step. */
  resolve: (intent: Intent) => Resolved;
};

/** How an intent is carried out: by a step, or by a person, with instructions that contain a URL. */
export type Resolved = Step | ByHand;
export type ByHand = { byHand: string };

/** An intent as its provider carries it out. */
export type Step = {
  /** Of the response catalogue, such as A1. */
  code: string;
  /** How to undo it, or "irreversible" and what to do instead. */
  undo: string;
  /** Whom and what it touches: the guard holds it against those whom nothing automatic may touch. */
  targets: StepTargets;
  /** The request that a dry run shows, and that is sent first. Bears no credential. */
  request: { method: string; path: string; body?: unknown };
  /** Why nothing can be sent under the present settings, with the setting to fix; null when it can. */
  notReady: string | null;
  /** Whether its target belongs to a workspace, as far as names tell. */
  ownerIn: (workspace: string) => Owner;
  /**
   * Calls `work` with an access that may ask and act for this step alone, and ends the access however `work` ends.
   * @param workspace the finding's: of another's nothing is touched.
   * @throws {NoAccess} and does not call `work`.
   */
  withAccess: <T>(work: (access: Access) => Promise<T>, workspace: string) => Promise<T>;
};

/**
 * Whose a target is, by name. `ids`: it must be one of these by its id, since its name is none that is known. `remedy`: what
 * to do where it should be ours and is not.
 */
export type Owner = { name: string; isOurs: boolean; ids?: readonly string[] | undefined; remedy: string };

/** What one step may ask and do at its provider. */
export type Access = {
  /** Asks, reading only, whether what the step is to end is so. Never throws: no answer is `unknown`. */
  ask: () => Promise<Asked>;
  /** Whom and what it touches, by present names; call it after `ask`. */
  targets: () => StepTargets;
  /** Throws only what `gate` throws: a missing answer is an outcome. Idempotent. */
  act: (gate: () => Promise<void>) => Promise<Outcome>;
  /** Asks, reading only, whether it is ended. Never throws: no answer is `unknown`. */
  check: () => Promise<Check>;
  /** The id of the target's owner; undefined when there is none of that name. */
  ownerId: () => Promise<Known<string | undefined>>;
  /** `people` with the ids of those of whom only the login is known. A login without an account keeps no id. */
  identify: (people: readonly PersonRef[]) => Promise<Known<PersonRef[]>>;
};

/** An answer, or why there is none. */
export type Known<Value> = { result: 'known'; value: Value } | Unknown;

/** Whether what the step was to end is ended, by the provider's own word, which `detail` repeats for people. */
export type Check = { result: 'dead' | 'alive' | 'unknown'; detail: string };

/**
 * What the provider says before a step is carried out: whether the thing is there that the step is to end. `detail` is a
 * sentence for people: since when and by whom, where it tells. `people`: whom the thing belongs to, by its own word.
 */
export type Asked =
  | { result: 'so'; detail: string; people?: readonly PersonRef[] }
  /** There is nothing to end. `alive`: but what the step was to prevent has happened, and a person must act. */
  | { result: 'not-so'; detail: string; alive?: true }
  | Unknown;
/** No answer, or it cannot be carried out at the moment: ask again later. */
export type Unknown = { result: 'unknown'; reason: string; detail: string; afterMs?: number | undefined };

/** The provider grants no access for this step. `outcome` says whether it may later. */
export class NoAccess extends Error {
  readonly code = 'NO_ACCESS';
  readonly outcome: Exclude<Outcome, { kind: 'done' }>;
  constructor(outcome: NoAccess['outcome']) {
    super(outcome.message ?? outcome.reason);
    this.outcome = outcome;
  }
}
