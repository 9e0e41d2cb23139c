import { connect } from 'node:net';
import type { Check } from '@tripline/contracts/check';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttp, createOperations, errorBody } from './http.ts';
import { createMetrics } from './metrics.ts';

let app: ReturnType<typeof createHttp>;
let fault: Error | undefined;
const ready = async () => {
  if (fault) throw fault;
};
function start() {
  fault = undefined;
  app = createHttp({
    ready,
    bodyLimitBytes: 1024,
  });
  app.post('/echo', async (request) => request.body);
  app.get('/broken', async () => {
    throw new Error('canary: a password');
  });
  return app;
}
afterEach(() => app.close());

it('is alive whatever it can do, and ready only when it can do its work', async () => {
  start();
  expect((await app.inject('/readyz')).statusCode).toBe(200);
  fault = new Error('the log is away');
  expect((await app.inject('/healthz')).json()).toEqual({ status: 'alive' });
  const response = await app.inject('/readyz');
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({ error: { reason: 'not-ready' } });
  expect(response.body).not.toContain('the log is away');
  const operations = createOperations({ metrics: createMetrics({ service: 'test' }), ready });
  expect((await operations.inject('/readyz')).json()).toEqual(errorBody('not-ready', 'the log is away'));
  fault = undefined;
  expect((await operations.inject('/readyz')).statusCode).toBe(200);
  await operations.close();
});

it('names what is broken to operators, and goes on to be ready for everybody else', async () => {
  let broken: Check[] = [];
  start();
  const operations = createOperations({
    ...{ metrics: createMetrics({ service: 'test' }), ready },
    health: async () => [{ name: 'jobs', state: 'ok', detail: 'none failed five times' }, ...broken],
  });
  expect((await operations.inject('/readyz')).json()).toEqual({ status: 'ready' });
  broken = [{ name: 'rule some-rule', state: 'broken', detail: 'threw once: no branch', remedy: 'mend the rule' }];
  const response = await operations.inject('/readyz');
  expect(response.statusCode).toBe(503);
  expect(response.json()).toEqual({
    status: 'broken',
    broken: [{ name: 'rule some-rule', detail: 'threw once: no branch', remedy: 'mend the rule' }],
  });
  expect((await app.inject('/readyz')).json()).toEqual({ status: 'ready' });
  await operations.close();
});

it('serves metrics to operators alone, as Prometheus text, labelled with the service', async () => {
  expect((await start().inject('/metrics')).statusCode).toBe(404);
  await app.close();
  app = createOperations({ metrics: createMetrics({ service: 'test' }), ready });
  const response = await app.inject('/metrics');
  expect(response.headers['content-type']).toContain('text/plain');
  expect(response.body).toContain('process_cpu_user_seconds_total{service="test"}');
});

it('answers what it does not serve with a reason, without repeating the query', async () => {
  const response = await start().inject('/nothing?token=canary');
  expect(response.statusCode).toBe(404);
  expect(response.json().error.reason).toBe('no-such-route');
  expect(response.body).not.toContain('canary');
});

it('says nothing of its own faults to the client', async () => {
  const response = await start().inject('/broken');
  expect(response.statusCode).toBe(500);
  expect(response.json().error.reason).toBe('internal');
  expect(response.body).not.toContain('canary');
});

it.each([
  ['too long a body', { 'content-type': 'application/json' }, JSON.stringify('x'.repeat(2000)), 413],
  ['a type that it does not know', { 'content-type': 'text/csv' }, 'a,b', 415],
  ['no JSON', { 'content-type': 'application/json' }, '{', 400],
])('refuses %s with a reason', async (_what, headers, payload, status) => {
  const response = await start().inject({ method: 'POST', url: '/echo', headers, payload });
  expect(response.statusCode).toBe(status);
  expect(response.json().error.reason).toMatch(/^[a-z][a-z0-9-]+$/);
});

it.each([
  ['a path that is not encoded as it must be', '/things/%ff?token=canary', 400, 'path-unreadable'],
  ['an id that is too long', `/things/canary${'x'.repeat(200)}`, 414, 'path-too-long'],
])('refuses %s in the same form, and does not repeat it', async (_what, url, status, reason) => {
  start().delete('/things/:id', async () => ({}));
  const payload = '{';
  const response = await app.inject({
    method: 'DELETE',
    url,
    payload,
    headers: { 'content-type': 'application/json' },
  });
  expect([response.statusCode, response.json().error.reason]).toEqual([status, reason]);
  expect(Object.keys(response.json())).toEqual(['error']);
  expect(response.body).not.toContain('canary');
});

describe('what nothing serves', () => {
  /** What is answered to a request of which the head alone is sent. */
  async function answerTo(head: string): Promise<string> {
    const socket = connect(Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port), '127.0.0.1');
    try {
      socket.write(head);
      return await new Promise<string>((resolve, reject) => {
        socket.once('data', (chunk) => resolve(String(chunk)));
        socket.once('error', reject);
      });
    } finally {
      socket.destroy();
    }
  }

  it.each([
    ['POST /nowhere', 'content-length: 900'],
    ['POST /nowhere', 'content-length: 1000000000'],
    ['PUT /nowhere', 'transfer-encoding: chunked'],
    ['DELETE /nowhere', 'content-length: 900'],
    ['POST /healthz', 'content-length: 900'],
    ['POST //nowhere/', 'content-length: 900'],
  ])('%s with %s is answered before its body comes, which is not waited for', async (line, body) => {
    start();
    const answer = await answerTo(`${line} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${body}\r\n\r\n`);
    expect(answer).toContain('404 Not Found');
    expect(answer).toContain('no-such-route');
    // What follows would be taken for the next request.
    expect(answer.toLowerCase()).toContain('connection: close');
  });

  it('costs no connection where no body was announced', async () => {
    start();
    expect(await answerTo('GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n')).toMatch(
      /404 Not Found[\s\S]*connection: keep-alive/i,
    );
  });
});

describe('what comes slowly', () => {
  const head = (length: number) =>
    `POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;

  /** Writes, and resolves with what came back when the server closed. */
  async function dawdle(port: number, text: string) {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', () => {});
    const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(answer)));
    await new Promise<void>((resolve) => socket.write(text, () => resolve()));
    return { socket, closed };
  }

  it('never fills the memory: beyond the bound, the body that is longest under way is cut off', async () => {
    app = createHttp({
      ...{ ready: async () => {}, bodyLimitBytes: 1024 * 1024 },
      bodiesLimitBytes: 1_500_000,
    });
    app.post('/echo', async (request) => ({ length: JSON.stringify(request.body).length }));
    const port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port);
    const text = `"${'x'.repeat(900_000)}"`;
    const slow = await dawdle(port, head(text.length) + text.slice(0, -1));
    const other = await dawdle(port, head(text.length) + text.slice(0, -1));
    expect(await slow.closed).toBe('');
    other.socket.end('"');
    expect(await other.closed).toContain('{"length":900002}');
    const quick = await fetch(`http://127.0.0.1:${port}/echo`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '"x"' },
    });
    expect(await quick.json()).toEqual({ length: 3 });
  });

  it('is cut off in seconds, not in minutes', () => {
    const { server } = start();
    expect(server.headersTimeout).toBeLessThanOrEqual(10_000);
    expect(server.requestTimeout).toBeLessThanOrEqual(20_000);
    expect(server.timeout).toBeLessThanOrEqual(20_000);
  });
});
