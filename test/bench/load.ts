import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import type { Delivery } from './timelines.ts';

/** One delivery as the bytes of a signed HTTP/1.1 request, made before the clock runs. */
export function requestBytes(delivery: Delivery, secret: string): Buffer {
  const signature = createHmac('sha256', secret).update(delivery.body).digest('hex');
  const head =
    'POST /webhooks/github HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n' +
    `content-length: ${delivery.body.length}\r\nx-github-event: ${delivery.event}\r\nx-github-delivery: ${delivery.id}\r\n` +
    `x-hub-signature-256: sha256=${signature}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), delivery.body]);
}

export type LoadResult = { answered: number; refused: number; seconds: number };

/**
 * Sends every request once over `connections` sockets, one in flight on each, as fast as they are answered or, with
 * `ratePerSecond`, no faster than that. Raw sockets, so that the generator costs as little as it can beside the server.
 */
export async function sendAll(options: {
  port: number;
  requests: readonly Buffer[];
  connections: number;
  ratePerSecond?: number;
  /** Told of each request's index just before it is written. */
  onSend?: (index: number) => void;
}): Promise<LoadResult> {
  let next = 0;
  let answered = 0;
  let refused = 0;
  const begun = performance.now();

  const drive = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true });
      let pending = '';
      const send = () => {
        if (next >= options.requests.length) {
          socket.destroy();
          return resolve();
        }
        const index = next++;
        const write = () => {
          options.onSend?.(index);
          socket.write(options.requests[index]!);
        };
        const dueMs =
          options.ratePerSecond === undefined ? 0 : begun + (index / options.ratePerSecond) * 1000 - performance.now();
        if (dueMs > 1) setTimeout(write, dueMs);
        else write();
      };
      socket.setEncoding('latin1');
      socket.on('connect', send);
      socket.on('data', (chunk: string) => {
        pending += chunk;
        const headEnd = pending.indexOf('\r\n\r\n');
        if (headEnd < 0) return;
        const length = /content-length: (\d+)/i.exec(pending.slice(0, headEnd));
        const total = headEnd + 4 + Number(length?.[1] ?? 0);
        if (pending.length < total) return;
        if (pending.startsWith('HTTP/1.1 2')) answered += 1;
        else refused += 1;
        pending = pending.slice(total);
        send();
      });
      socket.on('error', reject);
    });

  await Promise.all(Array.from({ length: options.connections }, drive));
  return { answered, refused, seconds: (performance.now() - begun) / 1000 };
}
