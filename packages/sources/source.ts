import type { Look } from '@tripline/contracts/check';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Refusal, RefusalReason } from './refusal.ts';
import type { FeedSecret, SecretScope } from './secrets.ts';
import type { Workspaces } from './workspace.ts';

/**
 * A source: a feed of deliveries over HTTP. Pure but for `doctor`: no clock, no I/O, no state. It verifies who sent a
 * delivery, then normalises it into events.
 *
 * One delivery gives one event, or several where the feed sends many at once, or is ignored for a reason of
 * `ignoredReasons`, or refused for a reason of `refusalReasons`. A genuine delivery is never refused for its content,
 * only when it is incomplete. Neither function ever throws, whatever the bytes.
 */
// biome-ignore lint/suspicious/noExplicitAny: each feed names the settings that it needs; the receiver has them all.
export type Source<Needs = any> = {
  /** The feed's name: its deliveries' ids begin with it. */
  name: string;
  /** Paths of its POST routes, such as `/webhooks/github`. */
  routes: readonly string[];
  /**
   * Accepted content encodings, besides none. The signature covers the bytes as sent; they are inflated after
   * verification.
   */
  encodings: readonly 'gzip'[];
  /** Its own secrets, and the scope of each: none serves two feeds. */
  secrets: (settings: Needs) => FeedSecret[];
  /** Why the receiver must not start under these settings, with the setting to fix; undefined where it may. */
  faultOf?: (settings: Needs) => string | undefined;
  /**
   * The key of the MAC that an event of `internalEventTypes` gets in the log. Absent: the feed may produce none, and
   * doing so is a bug.
   */
  internalKey?: (event: TriplineEvent, secretScope: SecretScope, settings: Needs) => string;
  /** What `tripline doctor` says of it. */
  doctor: (settings: Needs) => Look[];
  /** Accepted content types, all of them JSON; `any` where senders name none or a wrong one, and the body is judged by parsing. */
  contentTypes: readonly string[] | 'any';
  /** What a sender must set when the content type is another. */
  contentTypeAdvice: string;
  /**
   * The answer in the words that its senders read; Tripline's JSON unless told otherwise. `status` and `standard` are what
   * would be answered: 2xx only once all of the delivery is kept or ignored.
   */
  answer?: (status: number, standard: StandardAnswer) => FeedAnswer;
  /** Answers to requests that deliver nothing, such as a health check or a challenge. */
  asks?: readonly FeedAsk[];
  /** Checks the raw bytes against all of `secrets`, in constant time, and returns the scope of the one that fits. */
  verify: (rawBody: Buffer, headers: RequestHeaders, secrets: readonly FeedSecret[], nowMs: number) => Verified;
  /** Delivery id and event name from the headers, made safe to display: call it only once the signature fits. */
  claimsOf: (headers: RequestHeaders) => { delivery?: string | undefined; event?: string | undefined };
  /** Reads what the headers claim, checks that the body fits it, and normalises. Called on verified bytes only. */
  normalise: (delivery: Delivery, workspaces: Workspaces) => Normalised;
};

/** What became of a delivery. `event`: its event's id; `events`: how many events it held. */
export type StandardAnswer =
  | { status: 'kept' | 'duplicate'; event?: string; events?: number }
  | { status: 'ignored'; reason: IgnoredReason }
  | { error: { reason: RefusalReason; message: string } };

export type FeedAnswer = { status: number; contentType: string; body: string };

/** A request that delivers nothing, and its answer: pure. `isKeeping`: whether a delivery would now be kept. */
export type FeedAsk = {
  method: 'GET' | 'HEAD' | 'OPTIONS' | 'PUT';
  path: string;
  answer: (asked: { headers: RequestHeaders; query: URLSearchParams; isKeeping: boolean }) => FeedAnswer;
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
  /** Scope of the secret that signed it. */
  secretScope: SecretScope;
};

export type Verified = { secretScope: SecretScope } | { refusal: Refusal };

export type Normalised =
  | { event: TriplineEvent }
  /**
   * The events of a delivery of many, each with its own id; `leftOut`: ignored parts. All are kept, or none is
   * acknowledged.
   */
  | { events: readonly EventOfMany[]; leftOut: readonly Ignored[] }
  | Ignored
  | { refusal: Refusal };

/** An event of a body that holds many: known by its record's id alone. */
export type EventOfMany = TriplineEvent & { bodySha256?: never };

/**
 * `organization`: the owner that it names, made safe to display; absent where it names none. `part`: which part of a delivery of
 * many, such as `record 3 of 10`.
 */
export type Ignored = { ignored: IgnoredReason; organization?: string; part?: string; unread?: Unread };

/**
 * What is genuine and could not be read, so that something is kept of it (letters.ts). `content`: its JSON or its bytes, which
 * may hold secrets. `why`: a sentence without anything of it; absent where the reason says enough.
 */
export type Unread = { content: unknown; why?: string };

/** Why a genuine and complete delivery is not kept. Bounded: it labels a metric. */
export const ignoredReasons = [
  /** The provider tests the webhook. */
  'ping',
  /** Events of this kind are not read. */
  'event-not-read',
  /** The event is read, but this action concerns neither access, code nor controls. */
  'action-not-read',
  /** The provider names an event that Tripline does not know yet. */
  'unknown-event',
  /** The body is not of the event that the header names: the header is not signed, so such a body is not trusted. */
  'unexpected-shape',
  /** It names a repository by an impossible name, such as `..`. */
  'impossible-name',
  /** Its organisation belongs to no configured workspace. */
  'unknown-organization',
  /**
   * Its organisation belongs to no configured workspace, and the App’s secret signed it: anybody may have installed the
   * App.
   */
  'unknown-installation',
  /** It names no organisation. */
  'no-workspace',
  /** One record of many is larger than the log takes. */
  'event-too-large',
  /** The provider omitted an attribute that its event type requires. */
  'incomplete',
] as const;
export type IgnoredReason = (typeof ignoredReasons)[number];

/** A header's value when it was sent exactly once. */
export function headerOf(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
