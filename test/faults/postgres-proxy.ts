import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/** A line to Postgres that can be cut, or that loses what Postgres answers. */
export type PostgresProxy = {
  /** The same database, by way of the proxy. */
  url: string;
  /** Breaks every connection and refuses new ones, until `mend`. */
  cut: () => void;
  mend: () => void;
  /**
   * From now on every `every`-th statement that matches is carried out by Postgres, and its answer lost: the connection
   * breaks once Postgres has answered, and before the answer passes. 0 loses nothing more.
   */
  loseReplies: (matches: RegExp, every: number) => void;
  /** Answers lost so far. */
  lost: () => number;
  close: () => Promise<void>;
};

/** Stands between services and the server behind `databaseUrl` (a Unix socket's folder as `host`, or host and port). */
export async function startPostgresProxy(databaseUrl: string): Promise<PostgresProxy> {
  const upstream = new URL(databaseUrl);
  const folder = upstream.searchParams.get('host');
  const sockets = new Set<Socket>();
  let isCut = false;
  let matches = /^$/;
  let every = 0;
  let passed = 0;
  let lost = 0;

  const server = createServer((client) => {
    if (isCut) return client.destroy();
    const behind = folder
      ? connect(join(folder, '.s.PGSQL.5432'))
      : connect(Number(upstream.port || 5432), upstream.hostname);
    const both = [client, behind];
    for (const socket of both) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        for (const other of both) other.destroy();
      });
    }
    let loseNext = false;
    const statements = readStatements((text) => {
      if (every === 0 || !matches.test(text)) return;
      passed += 1;
      if (passed % every === 0) loseNext = true;
    });
    client.on('data', (chunk: Buffer) => {
      statements(chunk);
      behind.write(chunk);
    });
    behind.on('data', (chunk: Buffer) => {
      if (!loseNext) return void client.write(chunk);
      // Postgres answers once it has carried out what was asked: from here on it stands.
      lost += 1;
      client.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const url = `postgresql://${upstream.username}${upstream.password ? `:${upstream.password}` : ''}@127.0.0.1:${port}${upstream.pathname}?sslmode=disable`;
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url,
    cut() {
      isCut = true;
      breakAll();
    },
    mend() {
      isCut = false;
    },
    loseReplies(which, nth) {
      matches = which;
      every = nth;
    },
    lost: () => lost,
    async close() {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * Follows the messages of a client (https://www.postgresql.org/docs/18/protocol-message-formats.html): a start without a
 * type, then type (1 byte), length (4, with itself) and body. Calls `heard` with the text of queries and the names of prepared statements.
 */
function readStatements(heard: (text: string) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (;;) {
      const typeBytes = started ? 1 : 0;
      if (held.length < typeBytes + 4) return;
      const length = held.readUInt32BE(typeBytes) + typeBytes;
      if (held.length < length) return;
      const type = started ? String.fromCharCode(held[0]!) : '';
      if ('QPB'.includes(type) && type !== '') heard(held.toString('latin1', 5, Math.min(length, 300)));
      started = true;
      held = held.subarray(length);
    }
  };
}
