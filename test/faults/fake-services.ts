import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Heard = { method: string; path: string; body: string };
type Answer = { status: number; body?: unknown };

/** A provider on a local port, that answers what `answer` says; null: the connection breaks without an answer. */
async function serve(answer: (heard: Heard) => Answer | null) {
  const heard: Heard[] = [];
  const server = createServer(async (request, response) => {
    const said = { method: request.method!, path: request.url!.split('?')[0]!, body: await textOf(request) };
    heard.push(said);
    const reply = answer(said);
    if (reply === null) return void response.destroy();
    response.writeHead(reply.status, { 'content-type': 'application/json' });
    response.end(reply.body === undefined ? undefined : JSON.stringify(reply.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** A message as it stands in Slack. `first`: as it was posted. */
export type SlackMessage = { ts: string; thread: string | undefined; first: string; now: string };

/** A Slack that keeps what was posted and changed. Every `failEvery`-th request is answered 503. */
export async function startSlack({ failEvery }: { failEvery: number }) {
  const messages = new Map<string, SlackMessage>();
  let nth = 0;
  const service = await serve(({ body }) => {
    nth += 1;
    if (nth % failEvery === 0) return { status: 503 };
    const form = Object.fromEntries(new URLSearchParams(body)) as Record<string, string>;
    const ts = form['ts'] ?? `17000.${String(messages.size + 1).padStart(6, '0')}`;
    const now = `${form['text']}\n${form['blocks']}`;
    const before = messages.get(ts);
    messages.set(ts, { ts, thread: form['thread_ts'], first: before?.first ?? now, now });
    return { status: 200, body: { ok: true, channel: 'C1', ts } };
  });
  return { ...service, messages };
}

/** A PagerDuty that refuses for good what bears `refused`, and keeps the events that it took. */
export async function startPagerDuty() {
  const taken: { event_action: string; dedup_key: string }[] = [];
  const service = await serve(({ body }) => {
    if (body.includes('refused')) return { status: 400, body: { status: 'invalid event' } };
    taken.push(JSON.parse(body));
    return { status: 202, body: { status: 'success' } };
  });
  return { ...service, taken };
}

/**
 * A GitHub on which what is deleted is gone. Every `failEvery`-th change is answered 503, undone, and so is every
 * `failAskingEvery`-th question after what is still there.
 */
export async function startGitHub({ failEvery, failAskingEvery }: { failEvery: number; failAskingEvery: number }) {
  const gone = new Set<string>();
  const changes: string[] = [];
  const tokens = { minted: 0, revoked: 0 };
  let nth = 0;
  let asked = 0;
  const service = await serve(({ method, path }) => {
    if (path.endsWith('/installation')) return { status: 200, body: { id: 1, account: { login: 'acme' } } };
    if (path.endsWith('/access_tokens')) {
      tokens.minted += 1;
      const expires = new Date(Date.now() + 3_600_000).toISOString();
      return { status: 201, body: { token: `ghs_${tokens.minted}`, expires_at: expires } };
    }
    if (path === '/installation/token') {
      tokens.revoked += 1;
      return { status: 204 };
    }
    // It knows no repository by itself.
    if (/^\/repos\/[^/]+\/[^/]+$/.test(path)) return { status: 404, body: { message: 'Not Found' } };
    if (method === 'GET') {
      if (!gone.has(path)) asked += 1;
      if (!gone.has(path) && asked % failAskingEvery === 0) return { status: 503 };
      return gone.has(path) ? { status: 404, body: { message: 'Not Found' } } : { status: 200, body: { id: 1 } };
    }
    nth += 1;
    if (nth % failEvery === 0) return { status: 503 };
    changes.push(`${method} ${path}`);
    gone.add(path);
    return { status: 204 };
  });
  return { ...service, gone, changes, tokens };
}
