import { LogLevel, WebAPIHTTPError, WebAPIPlatformError, WebAPIRateLimitedError, WebClient } from '@slack/web-api';
import { createOutbound, type Outbound } from '../outbound.ts';
import type { Outcome } from '../outcome.ts';
import type { SlackForm, SlackMessage } from './message.ts';

export type SlackOptions = {
  botToken: string;
  channel: string;
  apiUrl: string;
  timeoutMs?: number;
  /** For tests; only the configured service may be called otherwise. */
  fetch?: Outbound | undefined;
};

/** Slack's name of a message. */
export type SlackReference = { channel: string; ts: string };
/** `reference` is there when the outcome is `done`. */
export type SlackResult = { outcome: Outcome; reference?: SlackReference };

/** Never rejects: the result of a call is in its outcome. Each call is sent once. */
export type SlackClient = {
  post: (message: SlackMessage, thread?: SlackReference) => Promise<SlackResult>;
  update: (reference: SlackReference, message: SlackMessage) => Promise<SlackResult>;
};

/** How those who press a button are answered. Never rejects. */
export type SlackAnswers = {
  /** Shows `message` to one person in a channel, and to nobody else; it is kept nowhere. */
  postEphemeral: (to: { channel: string; user: string }, message: SlackMessage) => Promise<Outcome>;
  /** Shows a form to the person who pressed. `trigger` is Slack's trigger_id, valid for 3 s. */
  ask: (trigger: string, form: SlackForm) => Promise<Outcome>;
};

/** Error codes of `ok: false` after which the same call may succeed. https://docs.slack.dev/reference/methods/chat.postMessage */
const passing = new Set([
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'team_added_to_org',
]);
/** Codes whose cause a person must fix. All others are `rejected`. */
const lasting: Record<string, { reason: string; remedy: string }> = {
  ...sameFor(['invalid_auth', 'not_authed', 'token_revoked', 'token_expired', 'account_inactive'], {
    reason: 'unauthorised',
    remedy: 'give slack.botToken a valid bot token',
  }),
  ...sameFor(['missing_scope', 'no_permission', 'not_allowed_token_type', 'ekm_access_denied'], {
    reason: 'forbidden',
    remedy: 'give the app the scope chat:write',
  }),
  ...sameFor(['channel_not_found', 'is_archived', 'not_in_channel'], {
    reason: 'no-channel',
    remedy: 'set slack.channel to a channel that the app was invited to',
  }),
  ...sameFor(['message_not_found', 'cant_update_message', 'thread_not_found'], {
    reason: 'message-gone',
    remedy: 'the message was deleted, or belongs to another app',
  }),
  edit_window_closed: { reason: 'not-editable', remedy: 'let apps edit their messages for longer' },
};

/** How people are written to beside incidents. Never rejects. */
export type SlackDirect = {
  /** To one person, by their member ID, where only they read it. */
  tellPerson: (member: string, message: SlackMessage) => Promise<SlackResult>;
  /** To the configured channel. */
  tellChannel: (message: SlackMessage) => Promise<SlackResult>;
};

export function createSlackClient(options: SlackOptions): SlackClient & SlackAnswers & SlackDirect {
  const { botToken, channel, apiUrl, timeoutMs = 10_000, fetch: outbound = createOutbound(apiUrl) } = options;
  const web = new WebClient(botToken, {
    slackApiUrl: apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    allowAbsoluteUrls: false,
    logger: silent,
    fetch: async (url, init) => {
      // The signal holds for the body too. A redirect would carry the token to an address that nobody configured.
      const signal = AbortSignal.timeout(timeoutMs);
      const answer = await outbound(url, { ...init, redirect: 'error', signal });
      // The library does not handle a 429 without `retry-after`.
      if (answer.status === 429 && !answer.headers.has('retry-after')) throw new WebAPIRateLimitedError(defaultRetryS);
      return answer;
    },
  });

  async function call(method: string, message: SlackMessage, more: Record<string, unknown>): Promise<SlackResult> {
    const how = { unfurl_links: false, unfurl_media: false, parse: 'none' };
    const { outcome, answer } = await send(method, { ...message, ...how, ...more });
    // Messages of a formerly configured channel that no longer exists are gone with it; the present channel may be
    // fine.
    if (outcome.kind === 'give-up' && outcome.reason === 'no-channel' && more['channel'] !== channel)
      return { outcome: { ...outcome, reason: 'message-gone' } };
    if (outcome.kind !== 'done') return { outcome };
    const { channel: where, ts } = answer as { channel?: unknown; ts?: unknown };
    if (typeof where !== 'string' || typeof ts !== 'string') return { outcome: brokenOff };
    return { outcome, reference: { channel: where, ts } };
  }

  async function send(method: string, fields: Record<string, unknown>): Promise<{ outcome: Outcome; answer?: object }> {
    try {
      return { answer: await web.apiCall(method, fields), outcome: { kind: 'done', reason: 'accepted' } };
    } catch (error) {
      return { outcome: outcomeOf(error) };
    }
  }

  return {
    post: (message, thread) =>
      thread
        ? call('chat.postMessage', message, { channel: thread.channel, thread_ts: thread.ts })
        : call('chat.postMessage', message, { channel }),
    update: ({ channel: where, ts }, message) => call('chat.update', message, { channel: where, ts }),
    postEphemeral: async (to, message) =>
      (await send('chat.postEphemeral', { ...message, parse: 'none', ...to })).outcome,
    tellPerson: (member, message) => call('chat.postMessage', message, { channel: member }),
    tellChannel: (message) => call('chat.postMessage', message, { channel }),
    ask: async (trigger, view) => (await send('views.open', { trigger_id: trigger, view })).outcome,
  };
}

/**
 * Whether a call that ended with this reason may have been carried out all the same. After `rate-limited` and
 * `unreachable` it was certainly not.
 */
export function mayHaveBeenDone(reason: string): boolean {
  return reason === 'timeout' || reason === 'broken-off' || reason === 'provider-failed';
}

/** Seconds to wait when Slack limits the rate without naming a time. */
const defaultRetryS = 30;

const brokenOff: Outcome = { kind: 'retry', reason: 'broken-off', message: "Slack's answer broke off" };

function outcomeOf(error: unknown): Outcome {
  if (error instanceof WebAPIRateLimitedError) return rateLimited(error.retryAfter);
  if (error instanceof WebAPIHTTPError) {
    const { statusCode } = error;
    const message = `Slack answered ${statusCode}`;
    if (statusCode >= 500) return { kind: 'retry', reason: 'provider-failed', message };
    return { kind: 'give-up', reason: 'rejected', message };
  }
  if (error instanceof WebAPIPlatformError) return ofCode(error.data.error);
  for (
    let cause: unknown = error;
    cause instanceof Error;
    cause = (cause as { original?: unknown }).original ?? cause.cause
  ) {
    if (cause instanceof WebAPIRateLimitedError) return rateLimited(cause.retryAfter);
    if (cause.name === 'TimeoutError')
      return { kind: 'retry', reason: 'timeout', message: 'Slack did not answer in time' };
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code))
      return { kind: 'retry', reason: 'unreachable', message: 'Slack cannot be reached' };
  }
  return brokenOff;
}

function rateLimited(retryS: number): Outcome {
  const afterMs = Math.min(Math.max(retryS, 1), 3600) * 1000;
  return { kind: 'retry', reason: 'rate-limited', message: 'Slack limits the rate of calls', afterMs };
}

function ofCode(code: unknown): Outcome {
  // The library passes a body that is no JSON as the "code": only what looks like a code is repeated.
  if (typeof code !== 'string' || !/^[a-z_]{1,60}$/.test(code)) return brokenOff;
  if (passing.has(code)) return { kind: 'retry', reason: 'provider-failed', message: `Slack answered ${code}` };
  if (code === 'ratelimited' || code === 'rate_limited') return rateLimited(defaultRetryS);
  const known = lasting[code];
  if (known) return { kind: 'give-up', reason: known.reason, message: `Slack answered ${code}: ${known.remedy}` };
  return { kind: 'give-up', reason: 'rejected', message: `Slack answered ${code}` };
}

function sameFor<T>(codes: readonly string[], value: T): Record<string, T> {
  return Object.fromEntries(codes.map((code) => [code, value]));
}

/** The library logs whole answers at debug level; the caller logs failures itself, once. */
const silent = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  setLevel: () => {},
  getLevel: () => LogLevel.ERROR,
  setName: () => {},
};
