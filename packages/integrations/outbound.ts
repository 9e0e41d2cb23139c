import { type LookupAddress, lookup as resolve } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { addressOf, isLocalhost, kindOfAddress } from '@tripline/runtime/addresses';
import { Agent, request, fetch as undiciFetch } from 'undici';
import { boundedText } from './bounded.ts';

/** As `fetch`, for one configured service alone. */
export type Outbound = typeof globalThis.fetch;

/**
 * A call to something other than the configured service was prevented. Classified as a service that cannot be reached.
 */
export class NotAllowedError extends Error {
  readonly code = 'EHOSTUNREACH';
}

/** Services on the internet: no resolver has an honest reason to resolve them to a private address. */
const publicHosts = new Set([
  'api.github.com',
  'slack.com',
  'events.pagerduty.com',
  'api.pagerduty.com',
  'api.eu.pagerduty.com',
]);

/** Asks a resolver for every address of a name. */
export type Resolve = (name: string) => Promise<LookupAddress[]>;

/**
 * With {@link createWholeOutbound} the only way by which Tripline calls other services: a `fetch` that calls `serviceUrl` and URLs below it, and nothing
 * else. A URL that a delivery or an answer names is never called. Redirects are not followed: any `redirect` but
 * `manual` is treated as `error`. A name is resolved once for each connection, and its addresses are checked then, so
 * that a later answer of the resolver makes no difference.
 */
export function createOutbound(serviceUrl: string, options: { resolve?: Resolve } = {}): Outbound {
  const { agent, refuse } = callingOnly(serviceUrl, options);
  return async (input, init) => {
    const text = input instanceof Request ? input.url : String(input);
    refuse(text);
    const redirect = init?.redirect === 'manual' ? 'manual' : 'error';
    const sent = undiciFetch(text, { ...(init as object), redirect, dispatcher: agent });
    return (await sent) as unknown as Response;
  };
}

/** A request whose body is text; `signal` gives it up at any time, whether it waits for a connection or for the end of the answer. */
export type WholeRequest = {
  method: string;
  headers: Readonly<Record<string, string>>;
  body?: string;
  signal: AbortSignal;
};
/** An answer, read whole. `headers`: names in lower case; of those that come several times, all, with commas between, but cookies. */
export type WholeAnswer = { status: number; headers: Record<string, string>; text: string };
/**
 * Sends one request and reads the answer, of which a body of at most `mostBytes` is taken. Follows no redirect.
 * @throws {Error} there was none, it broke off, or is too long; then its message is `broken off`, and it bears the cause.
 */
export type SendWhole = (url: string, sent: WholeRequest, mostBytes: number) => Promise<WholeAnswer>;

/**
 * The same calls as {@link createOutbound}'s without `fetch`, whose requests, answers and streams took a fifth of what a job's access
 * took the broker. It asks for answers that are not compressed, since most are short, and reads those that a proxy compresses all the same.
 */
export function createWholeOutbound(serviceUrl: string, options: { resolve?: Resolve } = {}): SendWhole {
  const { agent, refuse } = callingOnly(serviceUrl, options);
  return async (url, { headers, ...sent }, mostBytes) => {
    refuse(url);
    sent.signal.throwIfAborted();
    const asked = { ...sent, headers: { ...headers, 'accept-encoding': 'identity' }, dispatcher: agent };
    const { statusCode: status, headers: told, body } = await orAborted(request(url, asked), sent.signal);
    const answered = joined(told);
    const text = await wholeText(decompressed(body, answered['content-encoding']), mostBytes);
    return { status, headers: answered, text };
  };
}

/** The same by a `fetch`: for long answers, which come compressed, and for whoever brings their own. */
export function wholeBy(fetch: typeof globalThis.fetch): SendWhole {
  return async (url, sent, mostBytes) => {
    const answer = await fetch(url, { ...sent, redirect: 'manual' });
    const text = answer.body === null ? '' : await wholeText(answer.body, mostBytes);
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text };
  };
}

/** @throws where it broke off, or is too long: whoever parses JSON treats a truncated body as an empty one. */
async function wholeText(body: AsyncIterable<Uint8Array>, mostBytes: number): Promise<string> {
  return boundedText({ body }, mostBytes).catch((cause: unknown) => {
    throw new Error('broken off', { cause });
  });
}

/** undici heeds a signal once it has a connection, for which it may wait longer than whoever asks. */
function orAborted<T>(asked: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    asked.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}

const decompressors = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** @throws {Error} it is compressed in a way that nobody here reads. */
function decompressed(body: Readable, encoding = 'identity'): AsyncIterable<Uint8Array> {
  if (encoding === 'identity') return body;
  if (!Object.hasOwn(decompressors, encoding)) {
    body.on('error', () => {}).destroy();
    throw new Error('broken off', { cause: new Error('the answer is compressed in a way that was not asked for') });
  }
  // What goes wrong on the way ends what is read, too.
  return pipeline(body, decompressors[encoding as keyof typeof decompressors](), () => {});
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const name in headers) texts[name] = String(headers[name]);
  return texts;
}

/** What calls one service, and says no to every address that is not its own. `refuse` @throws {NotAllowedError} */
function callingOnly(
  serviceUrl: string,
  { resolve: resolveName }: { resolve?: Resolve },
): { agent: Agent; refuse: (text: string) => void } {
  const service = new URL(serviceUrl);
  const folder = `${withoutEndSlashes(service.pathname)}/`;
  const refuse = (text: string) => {
    const url = new URL(text);
    // Checked in the original text: parsing a URL removes `..`.
    if (hasDotSegment(text)) throw new NotAllowedError('a part of the address is . or .., which names nothing');
    if (url.origin !== service.origin || !`${url.pathname}/`.startsWith(folder) || url.username || url.password)
      throw new NotAllowedError(`only ${service.origin}${folder} may be called here`);
  };
  return { agent: agentFor(service, resolveName), refuse };
}

/** One agent per kind of check, shared by all clients, so that connections are reused. */
const agents = new Map<string, Agent>();

function agentFor(service: URL, resolveName: Resolve | undefined): Agent {
  // An IP address was checked with the settings; connecting to it uses no resolver.
  const manner =
    isLocalhost(service) || addressOf(service) ? 'own' : publicHosts.has(service.hostname) ? 'public' : 'any';
  const make = () => new Agent({ connect: { lookup: checkedLookup(manner, resolveName ?? resolveAll) } });
  if (resolveName !== undefined) return make();
  const known = agents.get(manner) ?? make();
  agents.set(manner, known);
  return known;
}

function checkedLookup(manner: 'own' | 'public' | 'any', resolveName: Resolve): LookupFunction {
  const allowed = { own: ['loopback'], public: ['public'], any: ['public', 'private'] }[manner];
  return (name, { all }, done) => {
    resolveName(name).then(
      (addresses) => {
        const wrong = addresses.find(({ address }) => !allowed.includes(kindOfAddress(address)));
        if (wrong !== undefined || addresses.length === 0) {
          const kind = wrong === undefined ? 'no' : `a ${kindOfAddress(wrong.address)}`;
          return done(new NotAllowedError(`${name} resolves to ${kind} address, which is not called`), []);
        }
        if (all) return done(null, addresses);
        return done(null, addresses[0]!.address, addresses[0]!.family);
      },
      (error: NodeJS.ErrnoException) => done(error, []),
    );
  };
}

function resolveAll(name: string): Promise<LookupAddress[]> {
  return new Promise((done, fail) =>
    resolve(name, { all: true, verbatim: true }, (error, addresses) => (error ? fail(error) : done(addresses))),
  );
}

/** The text without slashes at its end, since paths that are appended to a base URL begin with one. */
export function withoutEndSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end -= 1;
  return text.slice(0, end);
}

function hasDotSegment(text: string): boolean {
  const path = text.split(/[?#]/, 1)[0]!;
  return path.split(/[/\\]/).some((part) => /^(?:\.|%2e){1,2}$/i.test(part));
}
