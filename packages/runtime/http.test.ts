import { afterEach, expect, it } from 'vitest';
import { createHttp, errorBody } from './http.ts';
import { createMetrics } from './metrics.ts';

let app: ReturnType<typeof createHttp>;
let fault: Error | undefined;
function start() {
  fault = undefined;
  app = createHttp({
    metrics: createMetrics({ service: 'test' }),
    ready: async () => {
      if (fault) throw fault;
    },
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
  expect(response.json()).toEqual(errorBody('not-ready', 'the log is away'));
});

it('serves metrics as Prometheus text, labelled with the service', async () => {
  const response = await start().inject('/metrics');
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
