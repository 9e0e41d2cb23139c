import type { Look } from '@tripline/contracts/check';
import type { EventOfMany, Ignored } from './source.ts';

/**
 * A feed that is asked instead of posted to: the provider holds records, and Tripline reads them page by page. Pure but for
 * `doctor`, as a source is: it says what to ask for and reads what was answered. Whoever calls it (services/reconciler) holds
 * the cursor in Postgres, lets one process at a time ask, keeps the pace, and appends.
 *
 * At least once: a page's records are in the log before the cursor moves on, so after a crash a page is read again. An
 * event's id is its record's own, by which it is judged once. Where the same records are posted too, both shapes give an
 * event the same `source` and `id`.
 */
// biome-ignore lint/suspicious/noExplicitAny: each feed names the settings that it needs; the reconciler has them all.
export type Polled<Needs = any> = {
  /** The feed's name, as the registry has it: its events' ids begin with it. */
  name: string;
  /** What is asked under these settings, each by itself; none while it is not configured. */
  targets: (settings: Needs) => PollTarget[];
  /**
   * How long the provider keeps records, in ms, each kind by itself, the shortest first: what was not read by then is lost, and
   * told as lost. Absent: for ever.
   */
  kept?: readonly { records: string; keptMs: number }[];
  /** The next page to ask for. */
  request: (asked: Asked) => PollRequest;
  /** Reads an answer, whatever its status and its bytes; never throws. */
  read: (answer: PollAnswer, asked: Asked) => PolledPage | Refused;
  /** What `tripline doctor` says of its settings. */
  doctor: (settings: Needs) => Look[];
};

export type PollTarget = {
  /** What is asked, such as an organisation. With the feed's name it names the cursor: the same over restarts. */
  name: string;
  /** Whose the records are: an event of any other workspace is a fault of the feed's. */
  workspace: string;
  /** Of whom records may tell, where a feed asks for several at once or a record names its owner. Their ids, where known. */
  owners?: readonly { login: string; id?: string | undefined }[];
  /** Nothing is called but this address and what lies below it, whatever an answer names. */
  apiUrl: string;
  /** From the end of one round to the next, in ms, while nothing fails. */
  intervalMs: number;
  /** Sent with each request; may hold a secret, so they are never logged. */
  headers: Readonly<Record<string, string>>;
  /** Where no header proves who asks: a token that is issued for one round, and revoked after it. */
  token?: PollToken;
};

/**
 * A token that the provider issues to the App that is configured there: for `owner` alone, with these permissions alone, by the
 * provider's own names.
 */
export type PollToken = { provider: 'github'; owner: string; permissions: Readonly<Record<string, 'read'>> };

/** Where a target stands. Times in ms since the epoch. */
export type Asked = {
  target: PollTarget;
  /** What the last page that was read gave; null before the first. */
  cursor: string | null;
  /** When it was to be asked for the first time: where no cursor stands, the first window begins by it. */
  begunMs: number;
  nowMs: number;
};

/** A GET of an address below `apiUrl`. */
export type PollRequest = { url: string };

/** `headers` in lower case. */
export type PollAnswer = { status: number; headers: Readonly<Record<string, string>>; body: Buffer };

export type PolledPage = {
  /** With their records' own ids. No hash of the page: what is told by a page is no repetition of its neighbours. */
  events: readonly EventOfMany[];
  /** What of the page is kept from the log, a reason each. */
  leftOut: readonly Ignored[];
  /** What the next request begins with: opaque to everybody else. */
  cursor: string;
  /** Whether more can be read immediately. */
  hasMore: boolean;
  /** Up to when all is read that the provider tells, by its own time; absent while pages of a window are left. */
  wholeUntilMs?: number;
  /** The provider's allowance is used up: not to be asked again for so long, in ms. */
  restMs?: number;
};

/**
 * Nothing was read. `retry`: it may go by itself, after `afterMs` where the provider says when; `rate-limited`: it asks
 * for patience; `give-up`: a person must fix it. `message` is a sentence for people that says what to do, free of
 * secrets and of what was answered. `cursor`: where the next round begins, if not with the same request.
 */
export type Refused = {
  refused: 'retry' | 'rate-limited' | 'give-up';
  message: string;
  afterMs?: number;
  cursor?: string;
};

/** What an answer other than 2xx means, where the provider follows HTTP (RFC 9110, RFC 6585); `what` names it in messages. */
export function refusedByStatus({ status, headers }: PollAnswer, what: string, nowMs: number): Refused {
  const afterMs = retryAfterMs(headers['retry-after'], nowMs);
  if (status === 429 || (status === 503 && afterMs !== undefined)) {
    const message = `${what} answered ${status}: its allowance is used up for now`;
    return { refused: 'rate-limited', message, ...(afterMs !== undefined && { afterMs }) };
  }
  if (status === 401 || status === 403)
    return { refused: 'give-up', message: `${what} answered ${status}: check the token and its permissions` };
  if (status >= 500 || status === 408) return { refused: 'retry', message: `${what} answered ${status}` };
  return { refused: 'give-up', message: `${what} answered ${status}: check its address and what is asked for` };
}

/** `Retry-After`, in seconds or as a date, as ms from now. */
function retryAfterMs(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
