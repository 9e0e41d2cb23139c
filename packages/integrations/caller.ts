import { boundedText } from './bounded.ts';
import { createOutbound, type Outbound, withoutEndSlashes } from './outbound.ts';

/** One call of one service; never rejects. */
export type Call = (request: CallRequest) => Promise<CallAnswer | NoCallAnswer>;

export type CallRequest = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the service's address, with its query; what varies in it is encoded by the caller. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
};
export type CallAnswer = { status: number; headers: Headers; text: string };
/** No whole answer came; what was asked for may have been done. `reason` is bounded. */
export type NoCallAnswer = { status?: undefined; reason: 'timeout' | 'broken-off' | 'unreachable'; message: string };

export type CallOptions = {
  url: string;
  /** Its name for people. */
  service: string;
  /** For tests; only the configured service may be called otherwise. */
  fetch?: Outbound | undefined;
  /** How long one call may take, its body included. */
  timeoutMs?: number | undefined;
};

const mostAnswerBytes = 1024 * 1024;

/** Calls a service that has no library here, by {@link createOutbound}; its answers are bounded, and redirects are answers. */
export function createCall({ url, service, fetch, timeoutMs = 8000 }: CallOptions): Call {
  const base = withoutEndSlashes(url);
  const outbound = fetch ?? createOutbound(url);
  const faults: Record<NoCallAnswer['reason'], string> = {
    timeout: `${service} did not answer in time`,
    'broken-off': `${service}'s answer broke off in the middle`,
    unreachable: `${service} cannot be reached`,
  };
  return async ({ method, path, headers, body }) => {
    try {
      const response = await outbound(`${base}${path}`, {
        ...{ method, headers: { 'user-agent': 'tripline/0.1', ...headers } },
        ...(body === undefined ? {} : { body }),
        // A redirect would carry the credential to an address that nobody configured.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.status, headers: response.headers, text: await boundedText(response, mostAnswerBytes) };
    } catch (error) {
      const reason = silenceOf(error);
      return { reason, message: faults[reason] };
    }
  };
}

/** As {@link Call}, of a service that speaks JSON. */
export type JsonApi = (request: JsonRequest) => Promise<JsonAnswer | NoCallAnswer>;
export type JsonRequest = Omit<CallRequest, 'body'> & { body?: unknown };
/** `data` is undefined where the body is no JSON, or empty. */
export type JsonAnswer = { status: number; headers: Headers; data: unknown };

export function createJsonApi(options: CallOptions): JsonApi {
  const call = createCall(options);
  return async ({ body, headers, ...request }) => {
    const answer = await call({
      ...request,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.status === undefined) return answer;
    return { status: answer.status, headers: answer.headers, data: parsed(answer.text) };
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function silenceOf(error: unknown): NoCallAnswer['reason'] {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause.name === 'TimeoutError' || cause.name === 'AbortError') return 'timeout';
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code))
      return 'unreachable';
  }
  return 'broken-off';
}

/** How long a rate limit asks to wait, in ms; `usualMs` where it does not say. */
export function retryAfterMs(headers: Headers, usualMs: number): number {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return seconds > 0 ? waitableMs(seconds * 1000) : usualMs;
}

/** How long is waited where a service asks for `askedMs`, which may be anything: a second to an hour, in whole ms. */
export const waitableMs = (askedMs: number): number => Math.min(Math.max(Math.ceil(askedMs), 1000), 3_600_000);
