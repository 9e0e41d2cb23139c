import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '@tripline/runtime/clock';

/** A clock that stands still until a test moves it. For tests only. */
export function handClock(startMs: number) {
  let nowMs = startMs;
  let pausing: { untilMs: number; wake: () => void }[] = [];
  let bell = Promise.withResolvers<void>();
  const clock: Clock = {
    nowMs: () => nowMs,
    pause: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const one = { untilMs: nowMs + ms, wake: resolve };
        pausing.push(one);
        signal?.addEventListener('abort', () => {
          pausing = pausing.filter((other) => other !== one);
          resolve();
        });
        bell.resolve();
      }),
  };
  return {
    clock,
    /** Moves on, and resolves when whoever was woken pauses again. */
    async move(ms: number): Promise<void> {
      if (pausing.length === 0) {
        bell = Promise.withResolvers();
        await bell.promise;
      }
      nowMs += ms;
      const woken = pausing.filter(({ untilMs }) => untilMs <= nowMs);
      pausing = pausing.filter(({ untilMs }) => untilMs > nowMs);
      bell = Promise.withResolvers();
      for (const { wake } of woken) wake();
      if (woken.length > 0) await bell.promise;
    },
  };
}

/** A delivery as GitHub keeps it to make it again, and how one attempt at it went. */
type Kept = { guid: string; event: string; body: string };
type Attempt = { id: number; guid: string; atMs: number; redelivery: boolean; statusCode: number; event: string };

/**
 * GitHub as far as one webhook goes: it delivers through `post`, never repeats by itself, lists its attempts page by
 * page, and makes one again when asked. For tests only.
 */
export async function startFakeHook(options: {
  clock: Clock;
  /** Makes one attempt; answers its status, or 0 where nobody answered. */
  post: (delivery: Kept) => Promise<number>;
  pageSize?: number;
}) {
  const { clock, post, pageSize = 100 } = options;
  const kept = new Map<string, Kept>();
  const attempts: Attempt[] = [];
  const requests: string[] = [];
  let lastId = 1000;
  const fake = {
    url: '',
    attempts,
    requests,
    /** When set, what every request is answered instead. */
    refusal: null as { status: number; headers?: Record<string, string>; body: string } | null,
    /** Delivers something for the first time. */
    deliver: async (event: string, body: unknown, guid: string = randomUUID()) => {
      kept.set(guid, { guid, event, body: JSON.stringify(body) });
      await attempt(guid, false);
      return guid;
    },
    /** Everything that no attempt has made. */
    missing: () => {
      const made = new Set(
        attempts.filter(({ statusCode }) => statusCode >= 200 && statusCode < 300).map(({ guid }) => guid),
      );
      return [...kept.keys()].filter((guid) => !made.has(guid));
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };

  async function attempt(guid: string, redelivery: boolean): Promise<void> {
    const delivery = kept.get(guid)!;
    const statusCode = await post(delivery);
    lastId += 1;
    attempts.unshift({
      id: lastId,
      guid,
      atMs: clock.nowMs(),
      redelivery,
      statusCode,
      event: delivery.event,
    });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, fake.url);
    requests.push(`${request.method} ${url.pathname}`);
    response.setHeader('content-type', 'application/json');
    if (fake.refusal) return void response.writeHead(fake.refusal.status, fake.refusal.headers).end(fake.refusal.body);
    const [, id] = /\/deliveries\/(\d+)\/attempts$/.exec(url.pathname) ?? [];
    if (request.method === 'POST' && id) {
      const guid = attempts.find((one) => one.id === Number(id))?.guid;
      if (guid === undefined) return void response.writeHead(404).end('{"message":"Not Found"}');
      await attempt(guid, true);
      return void response.writeHead(202).end('{}');
    }
    if (request.method !== 'GET' || !url.pathname.endsWith('/deliveries'))
      return void response.writeHead(404).end('{}');
    const cursor = url.searchParams.get('cursor');
    const from = cursor === null ? 0 : attempts.findIndex((one) => `v1_${one.id}` === cursor);
    if (from === -1) return void response.writeHead(422).end('{"message":"no such cursor"}');
    const next = attempts[from + pageSize];
    if (next) response.setHeader('link', `<http://169.254.169.254/x?per_page=100&cursor=v1_${next.id}>; rel="next"`);
    response.writeHead(200).end(JSON.stringify(attempts.slice(from, from + pageSize).map(asListed)));
  }

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return fake;
}
export type FakeHook = Awaited<ReturnType<typeof startFakeHook>>;

function asListed({ id, guid, atMs, redelivery, statusCode, event }: Attempt) {
  return {
    ...{ id, guid, redelivery, event, duration: 0.1, action: null, installation_id: null, repository_id: null },
    delivered_at: new Date(atMs).toISOString(),
    status: statusCode >= 200 && statusCode < 300 ? 'OK' : 'failed to connect to host',
    status_code: statusCode,
  };
}
