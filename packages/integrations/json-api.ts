import { bounded } from './bounded.ts';
import { createOutbound, type Outbound, withoutEndSlashes } from './outbound.ts';

/** One call of a service that speaks JSON; never rejects. */
export type JsonApi = (request: JsonRequest) => Promise<JsonAnswer | NoJsonAnswer>;

export type JsonRequest = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the service's address, with its query; what varies in it is encoded by the caller. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
};
/** `data` is undefined where the body is no JSON, or empty. */
export type JsonAnswer = { status: number; headers: Headers; data: unknown };
/** No whole answer came; what was asked for may have been done. `reason` is bounded. */
export type NoJsonAnswer = { status?: undefined; reason: 'timeout' | 'broken-off' | 'unreachable'; message: string };

type Options = {
  url: string;
  /** Its name for people. */
  service: string;
  /** For tests; only the configured service may be called otherwise. */
  fetch?: Outbound | undefined;
  /** How long one call may take, its body included. */
  timeoutMs?: number | undefined;
  mostAnswerBytes?: number;
};

export function createJsonApi(options: Options): JsonApi {
  const { service, timeoutMs = 8000, mostAnswerBytes = 1024 * 1024 } = options;
  const url = withoutEndSlashes(options.url);
  const outbound = bounded(options.fetch ?? createOutbound(options.url), mostAnswerBytes);
  const faults: Record<NoJsonAnswer['reason'], string> = {
    timeout: `${service} did not answer in time`,
    'broken-off': `${service}'s answer broke off in the middle`,
    unreachable: `${service} cannot be reached`,
  };

  return async ({ method, path, headers, body }) => {
    try {
      const response = await outbound(`${url}${path}`, {
        method,
        headers: {
          ...{ accept: 'application/json', 'user-agent': 'tripline/0.1' },
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // A redirect would carry the credential to an address that nobody configured.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, data: parsed(text) };
    } catch (error) {
      const reason = silenceOf(error);
      return { reason, message: faults[reason] };
    }
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function silenceOf(error: unknown): NoJsonAnswer['reason'] {
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
  return seconds > 0 ? Math.min(seconds, 3600) * 1000 : usualMs;
}
