import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** A request whose body may still be coming. */
type Underway = { request: IncomingMessage; bytesBefore: number };

/**
 * Between two checks, a fast network may deliver some hundred MB; checking more often would cost more than it saves.
 */
const lookEveryMs = 100;

/**
 * Bounds the memory of unfinished bodies, over all connections. An unauthenticated client can send large bodies up to
 * their last byte and stop there; the limit of one body does not help against many. Beyond `limitBytes` the oldest
 * unfinished request is aborted, then the next: an honest body arrives in far less time.
 */
export function boundBodies(server: Server, limitBytes: number): void {
  const underway = new Map<Socket, Underway>();
  server.on('connection', (socket: Socket) => socket.on('close', () => underway.delete(socket)));
  server.on('request', (request: IncomingMessage) => {
    const { socket } = request;
    // Inserted again at the end, so that the map keeps the order in which requests began.
    underway.delete(socket);
    underway.set(socket, { request, bytesBefore: socket.bytesRead });
  });

  function look(): void {
    let bytes = 0;
    for (const [socket, { request, bytesBefore }] of underway) {
      if (request.complete) underway.delete(socket);
      else bytes += socket.bytesRead - bytesBefore;
    }
    for (const [socket, { bytesBefore }] of underway) {
      if (bytes <= limitBytes) return;
      bytes -= socket.bytesRead - bytesBefore;
      underway.delete(socket);
      socket.destroy();
    }
  }
  let timer: NodeJS.Timeout | undefined;
  server.on('listening', () => {
    timer = setInterval(look, lookEveryMs);
    timer.unref();
  });
  server.on('close', () => clearInterval(timer));
}
