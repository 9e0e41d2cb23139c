import { hash } from 'node:crypto';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { loadConfig } from '@tripline/config/config';
import { toEventRecord } from '@tripline/contracts/event-record';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { github } from '@tripline/sources/github/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import { openStream } from '@tripline/stream/open';
import { topics } from '@tripline/stream/stream';

/**
 * One rung of the receiver's ladder: node:http that does the receiver's work as far as `RUNG` says and then answers. Each
 * calls the receiver's own functions with nothing around them, so what a rung adds is what nobody can leave out.
 */
export const rungs = [
  'reads the body',
  'answers in JSON',
  'HMAC-SHA256',
  'SHA-256 for duplicates',
  'JSON.parse',
  'normalises',
  'kept in Kafka',
] as const;

const last = Number(process.env['RUNG']);
const secretScope = { kind: 'anybody' } as const;
const secrets = [{ secret: process.env['SECRET']!, secretScope }];
const config = loadConfig({ KAFKA_BROKERS: process.env['BROKERS'] ?? '127.0.0.1:1' }, tmpdir());
const workspaces = createWorkspaces(config);
const log = createLogger({ service: 'bench', level: 'warn' });
const stream = last === 6 ? await openStream({ config, db: null, logger: log, clock: systemClock }) : undefined;

const server = createServer((request, response) => {
  if (request.method === 'GET') return void response.writeHead(204).end();
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', async () => {
    const rawBody = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    const { headers } = request;
    const nowMs = Date.now();
    if (last >= 2 && 'refusal' in github.verify(rawBody, headers, secrets, nowMs))
      throw new Error('the signature does not fit');
    const bodySha256 = last >= 3 ? hash('sha256', rawBody) : '';
    let id = '';
    if (last === 4) id = String(Object.keys(JSON.parse(rawBody.toString())).length);
    if (last >= 5) {
      const normalised = github.normalise(
        { headers, rawBody, bodySha256, receivedAtMs: nowMs, secretScope },
        workspaces,
      );
      if (!('event' in normalised)) throw new Error('the delivery was not normalised');
      id = normalised.event.id;
      if (stream) await stream.append([{ topic: topics.events, ...toEventRecord(normalised.event) }]);
    }
    if (last === 0) return response.writeHead(202, { 'content-length': '0' }).end();
    const text = JSON.stringify({ status: 'kept', event: id });
    response.writeHead(202, ['content-type', 'application/json; charset=utf-8', 'content-length', text.length]);
    return response.end(text);
  });
});
if (process.env['PORT']) server.listen(Number(process.env['PORT']), '127.0.0.1');
