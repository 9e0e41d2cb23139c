import type { Look } from '@tripline/contracts/check';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Refusal } from './refusal.ts';
import type { FeedSecret, SecretScope } from './secrets.ts';
import type { Workspaces } from './workspace.ts';

/**
 * A source: a feed of deliveries that Tripline takes over HTTP. Pure but for `doctor`: no clock, no I/O, no state. It
 * proves who sent a delivery, then says in Tripline's words what it tells.
 *
 * One delivery gives one event, or several where the feed sends many at once, or is ignored by a reason of `ignoredReasons`, or is refused by a reason of
 * `refusalReasons`. What is genuine is never refused for what it says: only what is not whole is. Neither function ever
 * throws, whatever the bytes.
 */
// biome-ignore lint/suspicious/noExplicitAny: each feed names the settings that it needs; the receiver has them all.
export type Source<Needs = any> = {
  /** The feed's name: its deliveries' ids begin with it. */
  name: string;
  /** Paths that are posted to, such as `/webhooks/github`. */
  routes: readonly string[];
  /** Content encodings that it takes beside none. What is signed is what was sent; it is inflated after that. */
  encodings: readonly 'gzip'[];
  /** Its own secrets, and for whom each speaks: none serves two feeds. */
  secrets: (settings: Needs) => FeedSecret[];
  /** Why the receiver must not start under these settings, with the setting to mend; undefined where it may. */
  faultOf?: (settings: Needs) => string | undefined;
  /**
   * The key of the MAC that an event of `internalEventTypes` gets in the log. Absent: the feed may tell none, and one that
   * it tells is a fault of ours.
   */
  internalKey?: (event: TriplineEvent, secretScope: SecretScope, settings: Needs) => string;
  /** What `tripline doctor` says of it. */
  doctor: (settings: Needs) => Look[];
  /** Content types that it takes; all of them JSON. */
  contentTypes: readonly string[];
  /** What a sender must set when the content type is another. */
  contentTypeAdvice: string;
  /** Checks the raw bytes against all of `secrets`, in constant time, and says for whom the one that fits speaks. */
  verify: (rawBody: Buffer, headers: RequestHeaders, secrets: readonly FeedSecret[], nowMs: number) => Verified;
  /** What the headers say of the delivery, made fit to be shown: ask only once the signature fits. */
  claimsOf: (headers: RequestHeaders) => { delivery?: string | undefined; event?: string | undefined };
  /** Reads what the headers claim, checks that the body fits it, and normalises. Called on verified bytes only. */
  normalise: (delivery: Delivery, workspaces: Workspaces) => Normalised;
};

/** HTTP headers as node:http gives them: names in lower case. */
export type RequestHeaders = Record<string, string | string[] | undefined>;

export type Delivery = {
  headers: RequestHeaders;
  rawBody: Buffer;
  /** Hex SHA-256 of `rawBody`. */
  bodySha256: string;
  /** Wall clock at receipt, ms since the epoch. */
  receivedAtMs: number;
  /** For whom the secret speaks that signed it. */
  secretScope: SecretScope;
};

export type Verified = { secretScope: SecretScope } | { refusal: Refusal };

export type Normalised =
  | { event: TriplineEvent }
  /** What one delivery of many tells, an id each; `leftOut`: what of it is ignored. All are kept, or none is acknowledged. */
  | { events: readonly TriplineEvent[]; leftOut: readonly Ignored[] }
  | Ignored
  | { refusal: Refusal };

/** `organization`: whose it is by its own words, made fit to be shown; absent where it names nobody. */
export type Ignored = { ignored: IgnoredReason; organization?: string };

/** Why a delivery that is genuine and whole is not kept. Bounded: it labels a metric. */
export const ignoredReasons = [
  /** The provider checks that somebody listens. */
  'ping',
  /** No rule could read this kind of event. */
  'event-not-read',
  /** The event is read, but this action of it says nothing about access, code or controls. */
  'action-not-read',
  /** The provider names an event that Tripline does not know yet. */
  'unknown-event',
  /** The body is not of the event that it is said to be: a header is not signed, so such a body is not believed. */
  'unexpected-shape',
  /** It names a repository by what can be no repository’s name, such as `..`. */
  'impossible-name',
  /** Whose it is belongs to no configured workspace. */
  'unknown-organization',
  /** Whose it is belongs to no configured workspace, and only the App’s secret is valid for it: anybody may have installed it. */
  'unknown-installation',
  /** Nothing in it says whose it is. */
  'no-workspace',
  /** The provider left out what an event of its type cannot be without. */
  'incomplete',
] as const;
export type IgnoredReason = (typeof ignoredReasons)[number];

/** A header's value when it was sent exactly once. */
export function headerOf(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
