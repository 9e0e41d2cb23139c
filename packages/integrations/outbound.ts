import { type LookupAddress, lookup as resolve } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { addressOf, isLocalhost, kindOfAddress } from '@tripline/runtime/addresses';
import { Agent, fetch as undiciFetch } from 'undici';

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
 * The only way by which Tripline calls other services: a `fetch` that calls `serviceUrl` and URLs below it, and nothing
 * else. A URL that a delivery or an answer names is never called. Redirects are not followed: any `redirect` but
 * `manual` is treated as `error`. A name is resolved once for each connection, and its addresses are checked then, so
 * that a later answer of the resolver makes no difference.
 */
export function createOutbound(serviceUrl: string, options: { resolve?: Resolve } = {}): Outbound {
  const service = new URL(serviceUrl);
  const folder = `${withoutEndSlashes(service.pathname)}/`;
  const agent = agentFor(service, options.resolve);
  return async (input, init) => {
    const text = input instanceof Request ? input.url : String(input);
    const url = new URL(text);
    // Checked in the original text: parsing a URL removes `..`.
    if (hasDotSegment(text)) throw new NotAllowedError('a part of the address is . or .., which names nothing');
    if (url.origin !== service.origin || !`${url.pathname}/`.startsWith(folder) || url.username || url.password)
      throw new NotAllowedError(`only ${service.origin}${folder} may be called here`);
    const redirect = init?.redirect === 'manual' ? 'manual' : 'error';
    const sent = undiciFetch(text, { ...(init as object), redirect, dispatcher: agent });
    return (await sent) as unknown as Response;
  };
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
