import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Ms since the epoch, with fractions; the same in every thread. */
export const wallMs = () => performance.timeOrigin + performance.now();

export type Heard = { method: string; path: string; body: string; atMs: number };
export type Answer = { status: number; body?: object };

/** Answers on a free port of loopback as `answer` says; `atMs`: when a request's first bytes came. */
export async function listen(answer: (heard: Heard) => Promise<Answer>) {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const atMs = wallMs();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const { method = '', url: path = '' } = request;
      const { status, body } = await answer({ method, path, atMs, body: Buffer.concat(chunks).toString() });
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
