import { AsyncLocalStorage } from 'node:async_hooks';
import type { Life, World } from './world.ts';

/** What may come of a request: `done` says whether the service carried it out. */
export type Fate = { done: boolean; answer: 'whole' | 'half' | 'none' | 'unreachable' | number };
export const fates: readonly Fate[] = [
  { done: false, answer: 429 },
  { done: false, answer: 500 },
  { done: true, answer: 503 },
  { done: true, answer: 'half' },
  { done: true, answer: 'none' },
  { done: false, answer: 'none' },
  { done: false, answer: 'unreachable' },
];

export type Request = { method: string; path: string; body: string; authorization: string | null };
export type Answer = { status: number; body: string };
export const ok = (body: object): Answer => ({ status: 200, body: JSON.stringify(body) });

/**
 * What `fetch` is to simulated processes: services answer by `answer`, and as often as `roughness` says something goes wrong on the
 * way there or back.
 */
export function createWire({
  world,
  roughness,
  answer,
}: {
  world: World;
  /** How likely a request is to go wrong. */
  roughness: () => number;
  answer: (host: string, request: Request) => Answer;
}): (life: Life) => typeof globalThis.fetch {
  /** A request without an answer ends when its signal says so. */
  function fetch(life: Life, input: Parameters<typeof globalThis.fetch>[0], init: RequestInit = {}): Promise<Response> {
    const url = new URL(input instanceof Request ? input.url : String(input));
    const { signal } = init;
    const request = {
      method: init.method ?? 'GET',
      path: url.pathname,
      body: init.body === undefined ? '' : String(init.body),
      authorization: new Headers(init.headers).get('authorization'),
    };
    // Whoever answers may ask for whom: what is under way here is told along.
    const answered = AsyncLocalStorage.bind(answer);
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal?.reason as Error);
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      void world.operate(life, `${request.method} ${url.host}${url.pathname}`, async () => {
        const fate: Fate = world.random.chance(roughness())
          ? world.random.pick(fates)
          : { done: true, answer: 'whole' };
        if (fate.answer !== 'whole') world.trace(`  … ${fate.done ? 'done' : 'not done'}, answer: ${fate.answer}`);
        const whole = fate.done ? answered(url.host, request) : ok({});
        if (fate.answer === 'none') return;
        if (fate.answer === 'unreachable') {
          reject(
            new TypeError('fetch failed', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) }),
          );
        } else if (typeof fate.answer === 'number') {
          resolve(
            new Response('{"message":"simulated"}', {
              status: fate.answer,
              headers: { 'content-type': 'application/json' },
            }),
          );
        } else resolve(responseOf(whole, fate.answer === 'half'));
      });
    });
  }
  return (life) => ((...of: Parameters<typeof globalThis.fetch>) => fetch(life, ...of)) as typeof globalThis.fetch;
}

function responseOf({ status, body }: Answer, isHalf: boolean): Response {
  const headers = { 'content-type': 'application/json' };
  if (status === 204) return new Response(null, { status });
  if (!isHalf) return new Response(body, { status, headers });
  const broken = new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from(body.slice(0, body.length / 2)));
      controller.error(new TypeError('terminated'));
    },
  });
  return new Response(broken, { status, headers });
}
