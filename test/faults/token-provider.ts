import { randomBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A token that was given: when it was asked for and given, and when it died, ms of `performance.now()`. */
export type GivenToken = { askedMs: number; givenMs: number; deadMs: number | undefined };

/** The word of a gate on a run's deployment, and when it came, ms of `performance.now()`. */
export type GateWord = { state: 'approved' | 'rejected' | undefined; atMs: number };

/** How one request is answered in the place of what it asks for. `half`: it is done, and the connection breaks within the answer. */
export type Misbehaviour = 'fails' | 'limits' | 'half' | undefined;

/**
 * As much of GitHub as gives and ends installation tokens, `delayMs` a request, which knows what lives, and whose every run waits for a
 * gate until that has spoken. `misbehaves` is asked of each request to mint or revoke.
 */
export async function startTokenProvider(
  options: { delayMs?: number; misbehaves?: (what: 'mint' | 'revoke') => Misbehaviour } = {},
) {
  const provider = { delayMs: options.delayMs ?? 0, misbehaves: options.misbehaves ?? (() => undefined) };
  const tokens = new Map<string, GivenToken>();
  const alive = new Set<string>();
  const words = new Map<string, GateWord>();

  const json = (response: ServerResponse, status: number, body: unknown, how?: Misbehaviour) => {
    const text = JSON.stringify(body);
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    if (how !== 'half') return response.end(text);
    response.write(text.slice(0, text.length / 2), () => response.destroy());
  };

  function mint(response: ServerResponse, body: string, askedMs: number, how: Misbehaviour): void {
    const { repository_ids: ids, permissions } = JSON.parse(body) as { repository_ids: number[]; permissions: object };
    const token = `ghs_${randomBytes(27).toString('base64url').replace(/[-_]/g, 'x')}`;
    alive.add(token);
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    json(
      response,
      201,
      { token, expires_at, permissions, repositories: ids.map((id) => ({ id, full_name: 'acme/api' })) },
      how,
    );
    tokens.set(token, { askedMs, givenMs: performance.now(), deadMs: undefined });
  }

  function revoke(response: ServerResponse, token: string, how: Misbehaviour): void {
    if (!alive.delete(token)) return void json(response, 401, { message: 'Bad credentials' });
    tokens.get(token)!.deadMs = performance.now();
    if (how === 'half') return void response.destroy();
    response.writeHead(204).end();
  }

  /** One request about a run, `what` of it; see packages/integrations/github/gate.ts. */
  function answerGate(response: ServerResponse, run: string, what: string | undefined, body: string): void {
    if (what === undefined)
      return void json(response, 200, {
        ...{ id: Number(run), run_attempt: 1, status: 'waiting', repository: { id: 74, owner: { id: 65 } } },
      });
    if (what === 'pending_deployments')
      return void json(response, 200, words.has(run) ? [] : [{ environment: { name: 'production' } }]);
    const { state } = JSON.parse(body) as { state?: 'approved' | 'rejected' };
    words.set(run, { state, atMs: performance.now() });
    response.writeHead(204).end();
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
    const askedMs = performance.now();
    const route = `${request.method} ${request.url!.split('?')[0]}`;
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (provider.delayMs > 0) await pause(provider.delayMs);
    if (route === 'GET /app/installations') return json(response, 200, [{ id: 1, account: { id: 65, login: 'acme' } }]);
    const ofRun = /^(?:GET|POST) \/repos\/acme\/api\/actions\/runs\/(\d+)(?:\/(\w+))?$/.exec(route);
    if (ofRun !== null) return answerGate(response, ofRun[1]!, ofRun[2], body);
    const what = route === 'DELETE /installation/token' ? 'revoke' : 'mint';
    if (what === 'mint' && !route.endsWith('/access_tokens')) return json(response, 404, { message: 'Not Found' });
    const how = provider.misbehaves(what);
    if (how === 'fails') return json(response, 500, { message: 'Server Error' });
    if (how === 'limits') {
      response.setHeader('retry-after', '1');
      return json(response, 429, { message: 'You have exceeded a secondary rate limit' });
    }
    if (what === 'mint') return mint(response, body, askedMs, how);
    return revoke(response, /^token (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '', how);
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
    /** What gates said last, by the id of the run. */
    words,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
