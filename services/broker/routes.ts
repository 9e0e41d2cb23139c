import type { IncomingMessage, ServerResponse } from 'node:http';
import { describeDatabaseFault } from '@tripline/db/database-fault';
import type { IdentityRefusalReason } from '@tripline/identity/refusal';
import { readBody } from '@tripline/runtime/read-body';
import { StreamUnavailableError } from '@tripline/stream/stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { createAddressLimit, type Rate } from './address-limit.ts';
import { type Answer, type Refused, refuse } from './answer.ts';
import type { ExchangeParts } from './asking.ts';
import { createClientAddress } from './client-address.ts';
import { exchange } from './exchange.ts';
import { returnGrant } from './give-back.ts';
import { stsAnswer, stsMalformed, stsNameIn } from './sts.ts';

const bodyLimitBytes = 16 * 1024;
/** What is not known is waited for, and a provider is asked: longer than a connection may otherwise be quiet. */
const answerWithinMs = 40_000;
const body = z.strictObject({ policy: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/) });

/** The routes of jobs. Size and rate are bounded before anything of a request is parsed. */
export function createRoutes(
  parts: ExchangeParts & { settings: { rate: Rate; proxies: readonly string[] } },
): (app: FastifyInstance) => void {
  const { settings, clock } = parts;
  const addressOf = createClientAddress(settings.proxies);
  const limit = createAddressLimit(settings.rate, () => clock.nowMs());

  /** What is answered before anything that a request says is read. */
  function admit(request: IncomingMessage): { address: string | undefined; token: string } | { answer: Answer } {
    const address = addressOf(request);
    const allowed = limit.take(address);
    if (!allowed.ok) return { answer: tooMany(allowed.retryAfterS) };
    const token = bearerOf(request);
    return token === undefined ? { answer: tokenMissing } : { address, token };
  }

  async function answerAccess(request: IncomingMessage): Promise<Answer> {
    const admitted = admit(request);
    if ('answer' in admitted) return admitted.answer;
    const raw = await readBody(request, bodyLimitBytes);
    if (!Buffer.isBuffer(raw)) return raw === 'too-large' ? bodyTooLarge : bodyMalformed;
    const policy = policyIn(raw);
    return policy === undefined ? bodyMalformed : exchange(parts, { ...admitted, policy });
  }

  async function answerSts(request: IncomingMessage): Promise<Answer> {
    const admitted = admit(request);
    if ('answer' in admitted) return admitted.answer;
    const body = request.method === 'POST' ? await readBody(request, bodyLimitBytes) : undefined;
    if (body === 'too-large') return bodyTooLarge;
    if (body !== undefined && !Buffer.isBuffer(body)) return stsMalformed;
    const contentType = request.headers['content-type'];
    const policy = stsNameIn(request.url!, body === undefined ? {} : { body, contentType });
    return policy === undefined ? stsMalformed : exchange(parts, { ...admitted, policy });
  }

  async function answerReturn(request: IncomingMessage, grant: string): Promise<Answer> {
    const admitted = admit(request);
    if ('answer' in admitted) return admitted.answer;
    return returnGrant(parts, { token: admitted.token, grant });
  }

  const answerWith = async (request: IncomingMessage, response: ServerResponse, work: Promise<Answer>) => {
    request.socket.setTimeout(answerWithinMs);
    send(parts, request, response, await work.catch((error) => unavailable(parts, error as Error)));
  };

  const sendSts = (request: IncomingMessage, response: ServerResponse) =>
    answerWith(
      request,
      response,
      answerSts(request)
        .catch((error) => unavailable(parts, error as Error))
        .then(stsAnswer),
    );

  return (app) => {
    app.postRaw('/sts/exchange', (request, response) => void sendSts(request, response));
    // A HEAD would spend a token, and have something minted that nobody is told.
    app.get('/sts/exchange', { exposeHeadRoute: false }, async ({ raw }, reply) => {
      reply.hijack();
      await sendSts(raw, reply.raw);
    });
    app.postRaw('/v1/access', (request, response) => void answerWith(request, response, answerAccess(request)));
    app.delete<{ Params: { grant: string } }>('/v1/access/:grant', {
      // It wants no body: answered here, before Fastify would read and parse one.
      onRequest: async ({ raw, params }, reply) => {
        reply.hijack();
        await answerWith(raw, reply.raw, answerReturn(raw, params.grant));
      },
      handler: () => {},
    });
  };
}

function bearerOf({ headers }: IncomingMessage): string | undefined {
  const [, token] = /^bearer +([\w.~+/=-]+)$/i.exec(headers.authorization ?? '') ?? [];
  return token;
}

function policyIn(raw: Buffer): string | undefined {
  try {
    const read = body.safeParse(JSON.parse(raw.toString('utf8')));
    return read.success ? read.data.policy : undefined;
  } catch {
    return undefined;
  }
}

const tokenMissing = refuse('token-missing', 'Send the job’s id token: Authorization: Bearer <token>');
const bodyMalformed = refuse('body-malformed', 'Send {"policy": "<its name>"} as JSON');
const bodyTooLarge = refuse(
  'body-too-large',
  `The body is larger than ${bodyLimitBytes} bytes: send {"policy": "<its name>"}`,
);
const tooMany = (retryAfterS: number) =>
  refuse('too-many-requests', `This address asks too often: ask again in ${retryAfterS} s`, { retryAfterS });

/** Nothing was given: whoever asks may ask again, with a fresh token. */
function unavailable({ logger }: ExchangeParts, error: Error): Answer {
  if (error instanceof StreamUnavailableError) {
    logger.error({ err: error }, 'the log takes no events; nothing is given until it does');
    return refuse('log-away', 'The log is away, and nothing is given that it does not name: ask again', {
      retryAfterS: 2,
    });
  }
  const fault = describeDatabaseFault(error);
  // Of other errors the message may repeat what was sent.
  const { code } = error as NodeJS.ErrnoException;
  logger.error({ fault, code, name: error.name }, 'answering a request for access failed; answered 503');
  return refuse('unavailable', 'The broker cannot decide now; its log says why: ask again', { retryAfterS: 2 });
}

function send(
  { measures }: ExchangeParts,
  request: IncomingMessage,
  response: ServerResponse,
  { status, body: answer, retryAfterS }: Answer,
): void {
  const reason = (answer as { error?: { reason: Refused | IdentityRefusalReason } }).error?.reason;
  measures.answered(status, reason ?? '');
  if (response.destroyed || response.headersSent) return;
  const text = JSON.stringify(answer);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
    // What is left of a body that was not read would be taken for the next request.
    ...(request.complete ? {} : { connection: 'close' }),
  });
  response.end(text);
}
