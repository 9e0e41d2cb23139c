import { Octokit } from '@octokit/core';
import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import { clip } from '@tripline/contracts/text';
import { plain } from '@tripline/runtime/plain';
import { redactText } from '@tripline/runtime/redact';
import {
  createOutbound,
  createWholeOutbound,
  type SendWhole,
  type WholeAnswer,
  type WholeRequest,
  wholeBy,
  withoutEndSlashes,
} from '../outbound.ts';

/** GitHub's REST API as one credential sees it. Made by {@link createGitHubClient}. */
export type GitHubClient = {
  /** Sends one request and resolves with any answer, whatever its status. @throws {NoAnswerError} there was none. */
  send: (request: GitHubRequest) => Promise<GitHubAnswer>;
  /** Every item of a paginated listing, page by page, at most `maxItems`. @throws {GitHubRefusedError} on any status but 2xx. */
  list: <T>(request: GitHubRequest, options?: { maxItems?: number; under?: string }) => AsyncGenerator<T>;
};

/** A request by GitHub's own route, such as `DELETE /repos/{owner}/{repo}/keys/{key_id}`; parameters fill the path first, then query or body. */
export type GitHubRequest = { route: string; parameters: Record<string, unknown> };
export type GitHubAnswer = {
  status: number;
  headers: Record<string, string | number | undefined>;
  data: unknown;
};

/** Why there was no answer: none in time, it ended in the middle, or there was no connection. */
export type Silence = 'timeout' | 'broken-off' | 'unreachable';

/** GitHub gave no whole answer. The request may have been carried out all the same. */
export class NoAnswerError extends Error {
  readonly code = 'NO_ANSWER';
  readonly reason: Silence;
  constructor(reason: Silence) {
    super(silences[reason]);
    this.reason = reason;
  }
}
const silences: Record<Silence, string> = {
  timeout: 'GitHub did not answer in time',
  'broken-off': "GitHub's answer broke off in the middle",
  unreachable: 'GitHub cannot be reached',
};

/** GitHub answered a read with a status that is no success. */
export class GitHubRefusedError extends Error {
  readonly code = 'GITHUB_REFUSED';
  readonly answer: GitHubAnswer;
  constructor(request: GitHubRequest, answer: GitHubAnswer) {
    super(`GitHub answered ${request.route} with ${answer.status}: ${messageOf(answer)}`);
    this.answer = answer;
  }
}

export type GitHubClientOptions = {
  apiUrl: string;
  /** `token <installation or personal token>`, `bearer <JWT>`, or absent for an unauthenticated call. */
  authorization?: string | undefined;
  fetch?: typeof globalThis.fetch | undefined;
  /** How long one request may take, its body included. */
  timeoutMs?: number | undefined;
  /** How long the body of an answer may be; 64 MiB unless told otherwise. Longer, it counts as broken off. */
  mostAnswerBytes?: number | undefined;
  /**
   * `patient` waits for rate limits (up to a minute) and tries server errors again: for reads that nobody waits for.
   * `once` sends each request once: a response to an attack must not be held back by the throttle's second between
   * writes, and what to do after a failure is the remediator's to decide and to record.
   */
  manner: 'patient' | 'once';
  /** Multiplies the patient client's waits; 1000 (ms) unless a test is in a hurry. */
  waitBaseMs?: number;
};

const userAgent = 'tripline/0.1';
/** GitHub's own media type, and the one that its API description names. */
const mediaTypes = 'application/vnd.github+json, application/json;q=0.9';
const apiVersion = '2022-11-28';
const longestWaitS = 60;
const defaultTimeoutMs = 10_000;
const defaultMostAnswerBytes = 64 * 1024 * 1024;
const PatientOctokit = Octokit.plugin(throttling, retry);

export function createGitHubClient(options: GitHubClientOptions): GitHubClient {
  const sendWhole = options.manner === 'once' ? sendOnce(options) : sendPatiently(options);
  const send: GitHubClient['send'] = async (request) => {
    if (namesNoResource(request.route, request.parameters)) return notSent;
    return withoutCredential(await sendWhole(request), options.authorization);
  };

  async function* list<T>(
    request: GitHubRequest,
    { maxItems = 10_000, under }: { maxItems?: number; under?: string } = {},
  ) {
    const perPage = 100;
    for (let page = 1, count = 0; count < maxItems; page += 1) {
      const answer = await send({ ...request, parameters: { ...request.parameters, per_page: perPage, page } });
      if (answer.status >= 300) throw new GitHubRefusedError(request, answer);
      const items = (under === undefined ? answer.data : (answer.data as Record<string, unknown>)[under]) as T[];
      // A truncated body parses to text: taken for an empty page, it would make everything that it listed look revoked.
      if (!Array.isArray(items)) throw new NoAnswerError('broken-off');
      for (const item of items) {
        yield item;
        count += 1;
        if (count === maxItems) return;
      }
      if (items.length < perPage) return;
    }
  }

  return { send, list };
}

/**
 * The answer, without a request, where a name in the path is `.` or `..`. A team may be called so, and a URL with it
 * means another one: `/orgs/o/teams/../memberships/u` is the membership of the organisation.
 */
const notSent: GitHubAnswer = {
  status: 422,
  headers: {},
  data: { message: 'Not sent: `.` and `..` name nothing in an address' },
};

function namesNoResource(route: string, parameters: Record<string, unknown>): boolean {
  return [...route.matchAll(/\{(\w+)\}/g)].some(([, name]) => /^(?:|\.|\.\.)$/.test(String(parameters[name!] ?? '')));
}

const headersOfAll = { accept: mediaTypes, 'x-github-api-version': apiVersion, 'user-agent': userAgent };

/**
 * Octokit has a request pass through its hooks, its own `fetch` and its own reading of the answer, which cost as much as all else that a
 * job's access takes at GitHub; without plugins they add nothing, so that here it says how a request is written and no more.
 */
function sendOnce({ authorization, ...options }: GitHubClientOptions): GitHubClient['send'] {
  const { apiUrl, timeoutMs = defaultTimeoutMs, mostAnswerBytes = defaultMostAnswerBytes } = options;
  const sendWhole = options.fetch === undefined ? createWholeOutbound(apiUrl) : wholeBy(options.fetch);
  const baseUrl = withoutEndSlashes(apiUrl);
  const headersOfEach = authorization === undefined ? headersOfAll : { ...headersOfAll, authorization };
  return async ({ route, parameters }) => {
    const { method, url, headers, body } = describer.endpoint(route, {
      ...parameters,
      baseUrl,
      headers: headersOfEach,
    });
    const sent = { method, headers: headers as Record<string, string> };
    try {
      const answer = await follow(sendWhole, url, body === undefined ? sent : { ...sent, body: textOf(body) }, {
        ...{ timeoutMs, mostAnswerBytes },
      });
      const isJson = /^application\/(?:[\w.-]+\+)?json\b/i.test(answer.headers['content-type'] ?? '');
      const data = isJson ? parsedOr(answer.text) : answer.text;
      return { status: answer.status, headers: answer.headers, data };
    } catch (error) {
      throw new NoAnswerError(silenceOf(error));
    }
  };
}

const textOf = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body));

/** What is no JSON although its header says so is text. */
function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function sendPatiently(options: GitHubClientOptions): GitHubClient['send'] {
  const octokit = createOctokit(options);
  return async ({ route, parameters }) => {
    try {
      const { status, headers, data } = await octokit.request(route, { ...parameters, headers: headersOfAll });
      return { status, headers, data };
    } catch (error) {
      const { response } = error as { response?: GitHubAnswer };
      if (response) return { status: response.status, headers: response.headers, data: response.data };
      throw new NoAnswerError(silenceOf(error));
    }
  };
}

function createOctokit(options: GitHubClientOptions): Octokit {
  const { apiUrl, authorization, timeoutMs = defaultTimeoutMs, waitBaseMs = 1000 } = options;
  const { mostAnswerBytes = defaultMostAnswerBytes } = options;
  const sendWhole = wholeBy(options.fetch ?? createOutbound(apiUrl));
  const quiet = () => {};
  const wait = (retryAfterS: number, _request: unknown, _octokit: unknown, retries: number) =>
    retries < 2 && retryAfterS <= longestWaitS;
  const octokit = new PatientOctokit({
    baseUrl: withoutEndSlashes(apiUrl),
    userAgent,
    // Octokit logs requests and deprecations; the caller logs failures itself, once.
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    request: {
      fetch: async (url: string, init: Omit<WholeRequest, 'signal'>) => {
        const { status, headers, text } = await follow(sendWhole, url, init, { timeoutMs, mostAnswerBytes });
        return new Response(status === 204 || status === 205 || status === 304 ? null : text, { status, headers });
      },
    },
    throttle: { onRateLimit: wait, onSecondaryRateLimit: wait, retryAfterBaseValue: waitBaseMs },
    // Rate limits are left to the throttle: the retry plugin would retry them a second later.
    retry: {
      retries: 2,
      retryAfterBaseValue: waitBaseMs,
      doNotRetry: [400, 401, 403, 404, 409, 410, 422, 429, 451],
    },
  });
  if (authorization !== undefined) {
    octokit.hook.before('request', (request) => {
      request.headers.authorization = authorization;
    });
  }
  return octokit;
}

/** How many redirects of a read are followed: GitHub redirects once for a renamed resource. */
const mostRedirects = 3;

/**
 * Sends a request, and follows redirects of reads within the same GitHub: renamed resources redirect. No redirect to
 * another host is followed, and none of a request that changes something: it would reach a target that nobody approved.
 */
async function follow(
  send: SendWhole,
  url: string,
  sent: Omit<WholeRequest, 'signal'>,
  { timeoutMs, mostAnswerBytes }: { timeoutMs: number; mostAnswerBytes: number },
): Promise<WholeAnswer> {
  const late = new AbortController();
  // Not `AbortSignal.timeout`, which is kept until its time has come, with all that listens to it, long after the answer.
  const timer = setTimeout(() => late.abort(new DOMException(silences.timeout, 'TimeoutError')), timeoutMs);
  try {
    let at = url;
    for (let redirects = 0; ; redirects += 1) {
      const answer = await send(at, { ...sent, signal: late.signal }, mostAnswerBytes);
      const next = sent.method === 'GET' && redirects < mostRedirects ? movedTo(at, answer) : undefined;
      if (next === undefined) return answer;
      at = next;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Where within the same GitHub an answer says that what was asked for is; undefined where it says no such thing. */
function movedTo(at: string, { status, headers }: WholeAnswer): string | undefined {
  const { location } = headers;
  if (![301, 302, 307, 308].includes(status) || location === undefined || !URL.canParse(location, at)) return undefined;
  const next = new URL(location, at);
  return next.origin === new URL(at).origin ? next.href : undefined;
}

const describer = new Octokit().request;

/** What would go over the wire: method, path with query, and body. Bears no credential, since those stand in headers. */
export function describeRequest({ route, parameters }: GitHubRequest): {
  method: string;
  path: string;
  body?: unknown;
} {
  const { method, url, body } = describer.endpoint(route, { ...parameters, baseUrl: 'https://github.invalid' });
  const path = url.slice('https://github.invalid'.length);
  // Octokit sends an empty body with a PUT that has none.
  return body === undefined || body === '' ? { method, path } : { method, path, body };
}

/** Text of an answer as it may be shown: on one line, without what moves a terminal or Postgres cannot hold, and without credentials. */
export const quoted = (text: string): string => redactText(plain(text.toWellFormed().replace(/\s+/g, ' ')));

/** The message of GitHub's answer, shortened for people; a credential in it is replaced by its hash. */
export function messageOf(answer: GitHubAnswer): string {
  const { data } = answer;
  const message = typeof data === 'object' && data !== null ? (data as { message?: unknown }).message : undefined;
  const text = typeof message === 'string' ? message : `status ${answer.status}`;
  return clip(quoted(text), 300);
}

/** The answer, with the credential of the request taken out of a message that repeats it. */
function withoutCredential({ status, headers, data }: GitHubAnswer, authorization: string | undefined): GitHubAnswer {
  const credential = authorization?.split(' ')[1];
  const message = (data as { message?: unknown } | null)?.message;
  if (!credential || typeof message !== 'string') return { status, headers, data };
  return { status, headers, data: { ...(data as object), message: message.replaceAll(credential, '[credential]') } };
}

/** `owner/name` as the parameters that GitHub's routes take. */
export function ownerAndRepo(repository: string): { owner: string; repo: string } {
  const [owner, repo] = repository.split('/') as [string, string];
  return { owner, repo };
}

function silenceOf(error: unknown): Silence {
  let silence: Silence = 'unreachable';
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause.name === 'TimeoutError' || cause.name === 'AbortError') return 'timeout';
    if (cause.message === 'broken off') silence = 'broken-off';
  }
  return silence;
}
