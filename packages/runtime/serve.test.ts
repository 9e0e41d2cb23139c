import { request } from 'node:http';
import { createServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';
import { type Served, serve } from './serve.ts';

let served: Served | undefined;
afterEach(async () => {
  await served?.close();
  served = undefined;
});
const loopback = '127.0.0.1';
const anywhere = { host: loopback, port: 0, operations: { host: loopback, port: 0 } };
async function start(ready: () => Promise<void>, at = anywhere): Promise<Served> {
  served = await serve(at, { metrics: createMetrics({ service: 'test' }), ready });
  return served;
}

it('tells strangers whether it is ready, and operators why not', async () => {
  const { url, operationsUrl } = await start(async () => {
    throw new Error('the log is away: /var/lib/tripline is full');
  });
  for (const [base, said] of [
    [url, false],
    [operationsUrl, true],
  ] as const) {
    expect(await (await fetch(`${base}/healthz`)).json()).toEqual({ status: 'alive' });
    const answer = await fetch(`${base}/readyz`);
    expect(answer.status).toBe(503);
    expect((await answer.text()).includes('the log is away')).toBe(said);
  }
  expect((await fetch(`${url}/metrics`)).status).toBe(404);
  expect(await (await fetch(`${operationsUrl}/metrics`)).text()).toContain('process_cpu_user_seconds_total');
});

it('asks once for all who ask at the same time', async () => {
  let asked = 0;
  const gate = Promise.withResolvers<void>();
  const { url } = await start(() => {
    asked += 1;
    return gate.promise;
  });
  const answers = Array.from({ length: 20 }, () => fetch(`${url}/readyz`));
  await expect.poll(() => asked, { interval: 5 }).toBe(1);
  await fetch(`${url}/healthz`);
  gate.resolve();
  for (const answer of answers) expect((await answer).status).toBe(200);
  expect(asked).toBe(1);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect(asked).toBe(2);
});

it('says in a sentence which of its ports is taken, and leaves none open', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, loopback, resolve));
  const { port } = other.address() as { port: number };
  await expect(start(async () => {}, { ...anywhere, operations: { host: loopback, port } })).rejects.toThrow(
    `port ${port} on ${loopback} is in use; stop what uses it, or set TRIPLINE_OPERATIONS_PORT to another`,
  );
  await expect(start(async () => {}, { ...anywhere, host: loopback, port })).rejects.toThrow(
    'set TRIPLINE_PORT to another',
  );
  await new Promise((resolve) => other.close(resolve));
});

it('answers doubled slashes and the absolute form of a target', async () => {
  const { url } = await start(async () => {});
  const { port } = new URL(url);
  const get = (path: string) =>
    new Promise<number>((resolve, reject) => {
      const asking = request({ host: loopback, port, path, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      });
      asking.on('error', reject);
      asking.end();
    });
  for (const path of ['//healthz', '///healthz//', `${url}/healthz`, 'http://tripline.example//healthz?a=//b']) {
    expect(await get(path), path).toBe(200);
  }
  expect(await get('http://tripline.example/metrics')).toBe(404);
});
