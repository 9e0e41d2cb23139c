import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Check } from '@tripline/contracts/check';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { boundBodies } from './http-bodies.ts';
import type { Metrics } from './metrics.ts';

/** A JSON error that a client gets: `{ error: { reason, message } }`, `reason` bounded and stable, `message` a sentence. */
export function errorBody(reason: string, message: string): { error: { reason: string; message: string } } {
  return { error: { reason, message } };
}

/** Answers with `body` as JSON; nothing, when the client has gone or was answered. */
export function answerJson(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed || response.headersSent) return;
  const text = JSON.stringify(body);
  const type = 'application/json; charset=utf-8';
  response.writeHead(status, ['content-type', type, 'content-length', Buffer.byteLength(text)]).end(text);
}

export type HttpOptions = {
  /** Resolves when the process can do its work (a receiver: can keep a delivery); rejects with the reason. */
  ready: () => Promise<void>;
  bodyLimitBytes?: number;
  /** Memory that all unfinished bodies together may hold; 128 MB by default. */
  bodiesLimitBytes?: number;
};

/** Answers a request by itself, on node:http's own objects. It must not throw. */
export type PlainHandler = (request: IncomingMessage, response: ServerResponse) => void;

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Handles `POST <path>` without Fastify, for deliveries, where every microsecond counts. Doubled slashes, a
     * trailing slash and the query are ignored in the path. Call before `listen`.
     */
    postRaw: (path: string, handler: PlainHandler) => void;
  }
}

const megabyte = 1024 * 1024;
/** GitHub and Slack give up after 10 s or less, so no honest client is still sending after these. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 15_000;
const idleTimeoutMs = 12_000;
/** Longer than the minute after which load balancers drop an idle connection: the sender's side closes first. */
const keepAliveTimeoutMs = 72_000;
/** How often Node checks for requests that take too long; by default every half minute. */
const lookEveryMs = 1000;
/** The headers of GitHub's deliveries have 1 kB. */
const maxHeadBytes = 16 * 1024;
/** Each costs some 20 kB; one more is closed at once. */
const maxConnections = 20_000;

/** The HTTP server under Fastify, with every limit set explicitly. */
function createLimitedServer(handler: PlainHandler): Server {
  const limits = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: lookEveryMs,
    maxHeaderSize: maxHeadBytes,
  };
  const server = createServer(limits, handler);
  server.setTimeout(idleTimeoutMs);
  server.maxConnections = maxConnections;
  return server;
}

/**
 * The public server: a service's own routes, `GET /healthz` (alive) and `GET /readyz` (can do its work), which gives no
 * cause: an attacker must not learn what is broken. Requests are not logged. Routes are added before `listen`.
 */
export function createHttp(options: HttpOptions): FastifyInstance {
  const app = createServerApp(options);
  app.get('/readyz', async (_request, reply) => {
    try {
      await options.ready();
      return { status: 'ready' };
    } catch {
      return reply.code(503).send(errorBody('not-ready', 'It cannot do its work now; its operations port says why'));
    }
  });
  return app;
}

/**
 * The server for operators: `GET /metrics`, and `GET /readyz`, which is 503 with the cause when the process cannot do
 * its work, or when `health` reports anything broken. On an address that outsiders cannot reach.
 */
export function createOperations(options: {
  metrics: Metrics;
  ready: () => Promise<void>;
  /** Further health checks; none by default. */
  health?: () => Promise<Check[]>;
}): FastifyInstance {
  const app = createServerApp({});
  app.get('/readyz', async (_request, reply) => {
    try {
      await options.ready();
      const broken = ((await options.health?.()) ?? []).filter(({ state }) => state === 'broken');
      if (broken.length === 0) return { status: 'ready' };
      return reply.code(503).send({ status: 'broken', broken: broken.map(({ state: _, ...told }) => told) });
    } catch (error) {
      return reply.code(503).send(errorBody('not-ready', (error as Error).message));
    }
  });
  app.get('/metrics', async (_request, reply) => {
    reply.header('content-type', options.metrics.contentType);
    return options.metrics.metrics();
  });
  return app;
}

function createServerApp(options: Omit<HttpOptions, 'ready'>): FastifyInstance {
  const plain = new Map<string, PlainHandler>();
  const plainOf = ({ method, url }: IncomingMessage): PlainHandler | undefined =>
    method === 'POST' ? (plain.get(url!) ?? plain.get(url!.split('?', 1)[0]!.replace(/\/$/, ''))) : undefined;
  const app = Fastify({
    logger: false,
    bodyLimit: options.bodyLimitBytes ?? megabyte,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true },
    clientErrorHandler: (error, socket) => answerUnreadable(error.code, socket),
    frameworkErrors: ({ code }, request, reply) =>
      code === 'FST_ERR_MAX_PARAM_LENGTH'
        ? beforeBody(request, reply, 414).send(
            errorBody('path-too-long', 'A part of the path is longer than any that Tripline names'),
          )
        : beforeBody(request, reply, 400).send(
            errorBody('path-unreadable', 'Encode the path as UTF-8, each byte as %xx'),
          ),
    serverFactory: (fastify) =>
      createLimitedServer((request, response) => {
        const direct = plainOf(request);
        if (direct) return direct(request, response);
        request.url = pathOf(request.url!);
        return (plainOf(request) ?? fastify)(request, response);
      }),
  });
  boundBodies(app.server, options.bodiesLimitBytes ?? 128 * megabyte);
  app.decorate('postRaw', (path: string, handler: PlainHandler) => void plain.set(path, handler));
  app.get('/healthz', async () => ({ status: 'alive' }));
  // Else Fastify would read and parse a body for which there is no route.
  app.addHook('onRequest', async (request, reply) => (request.is404 ? answerNotServed(request, reply) : undefined));
  app.setNotFoundHandler(answerNotServed);
  app.setErrorHandler((error: { statusCode?: number; code?: string; message: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500)
      return reply.code(status).send(errorBody('internal', 'Tripline failed to answer; its log says why'));
    return reply
      .code(status)
      .send(errorBody((error.code ?? 'bad-request').toLowerCase().replaceAll('_', '-'), error.message));
  });
  return app;
}

function answerNotServed(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const what = `${request.method} ${request.url.split('?', 1)[0]}`;
  return beforeBody(request, reply, 404).send(errorBody('no-such-route', `${what} is not served by Tripline`));
}

/** An answer before the body was read: what is left of it would be taken for the next request, so the connection ends with it. */
function beforeBody({ headers }: FastifyRequest, reply: FastifyReply, status: number): FastifyReply {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return (hasBody ? reply.header('connection', 'close') : reply).code(status);
}

/**
 * A request that node:http cannot parse (too slow, headers too long, broken framing) gets an error of the same form.
 */
function answerUnreadable(code: string, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason, message] =
    code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'request-timeout', 'The request did not arrive in time; send it whole']
      : code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'headers-too-large', 'The request has too many or too long headers']
        : ['400 Bad Request', 'bad-request', 'This is no HTTP request, or its length is not what its headers say'];
  const body = JSON.stringify(errorBody(reason!, message!));
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/**
 * A request's target as a path: some proxies double a slash, others send the absolute form (`POST http://host/path`),
 * which every server must take (RFC 9112, 3.2.2).
 */
function pathOf(target: string): string {
  const cut = target.search(/[?#]/);
  const [path, rest] = cut < 0 ? [target, ''] : [target.slice(0, cut), target.slice(cut)];
  return path.replace(/^https?:\/\/[^/]*/i, '').replace(/\/{2,}/g, '/') + rest || '/';
}
