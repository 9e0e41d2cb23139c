import { randomBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createGatedRuns } from './gated-runs.ts';

/** A token that was given: when it was asked for and given, and when it died, ms of `performance.now()`. */
export type GivenToken = { askedMs: number; givenMs: number; deadMs: number | undefined };

/** What a request asks for: a token, the end of one, how a run stands that waits for a gate, or the gate's word on it. */
export type AskedFor = 'mint' | 'revoke' | 'look' | 'say';
/**
 * How one request is answered in the place of what it asks for. `half`: it is done, and the connection breaks within the answer. `hangs`:
 * nothing is done, and no answer comes; `lost`: it is done, and no answer comes.
 */
export type Misbehaviour = 'fails' | 'limits' | 'half' | 'hangs' | 'lost' | undefined;

/**
 * As much of GitHub as gives and ends installation tokens, `delayMs` a request, which knows what lives, and whose every run waits for a
 * gate until that has spoken. `misbehaves` is asked of each request.
 */
export async function startTokenProvider(
  options: { delayMs?: number; misbehaves?: (what: AskedFor) => Misbehaviour } = {},
) {
  const provider = { delayMs: options.delayMs ?? 0, misbehaves: options.misbehaves ?? (() => undefined) };
  const tokens = new Map<string, GivenToken>();
  const alive = new Set<string>();
  const gated = createGatedRuns();

  /** `body` undefined: none. */
  function reply(response: ServerResponse, { status, body }: { status: number; body: unknown }, how: Misbehaviour) {
    if (how === 'lost') return;
    const text = body === undefined ? '' : JSON.stringify(body);
    if (how === 'half' && text === '') return void response.destroy();
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    if (how !== 'half') return void response.end(text);
    response.write(text.slice(0, text.length / 2), () => response.destroy());
  }

  function mint(body: string, askedMs: number) {
    const { repository_ids: ids, permissions } = JSON.parse(body) as { repository_ids: number[]; permissions: object };
    const token = `ghs_${randomBytes(27).toString('base64url').replace(/[-_]/g, 'x')}`;
    alive.add(token);
    tokens.set(token, { askedMs, givenMs: performance.now(), deadMs: undefined });
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    const repositories = ids.map((id) => ({ id, full_name: 'acme/api' }));
    return { status: 201, body: { token, expires_at, permissions, repositories } };
  }

  function revoke(token: string) {
    if (!alive.delete(token)) return { status: 401, body: { message: 'Bad credentials' } };
    tokens.get(token)!.deadMs = performance.now();
    return { status: 204, body: undefined };
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
    const askedMs = performance.now();
    const route = `${request.method} ${request.url!.split('?')[0]}`;
    const token = /^token (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (provider.delayMs > 0) await pause(provider.delayMs);
    if (route === 'GET /app/installations')
      return reply(response, { status: 200, body: [{ id: 1, account: { id: 65, login: 'acme' } }] }, undefined);
    const ofRun = /^(GET|POST) \/repos\/acme\/api\/actions\/runs\/(\d+)(?:\/(\w+))?$/.exec(route);
    const what = askedFor(route, ofRun?.[1]);
    if (what === undefined) return reply(response, { status: 404, body: { message: 'Not Found' } }, undefined);
    const how = provider.misbehaves(what);
    if (how === 'hangs') return;
    if (how === 'fails') return reply(response, { status: 500, body: { message: 'Server Error' } }, undefined);
    if (how === 'limits') {
      response.setHeader('retry-after', '1');
      return reply(response, { status: 429, body: { message: 'You have exceeded a secondary rate limit' } }, undefined);
    }
    if (what === 'mint') return reply(response, mint(body, askedMs), how);
    if (what === 'revoke') return reply(response, revoke(token), how);
    return reply(response, gated.answer({ run: ofRun![2]!, what: ofRun![3], body, token }), how);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    /** `delayMs` and `misbehaves` may be changed meanwhile. */
    provider,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** All that were given. */
    tokens,
    /** Those that let somebody in. */
    alive,
    /** Runs that wait for a gate, and what it said. */
    gated,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function askedFor(route: string, methodOfRun: string | undefined): AskedFor | undefined {
  if (methodOfRun !== undefined) return methodOfRun === 'POST' ? 'say' : 'look';
  if (route === 'DELETE /installation/token') return 'revoke';
  return route.endsWith('/access_tokens') ? 'mint' : undefined;
}
