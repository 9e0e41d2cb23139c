import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { receiverWorkspace } from '@tripline/contracts/event';
import { signGithub } from '@tripline/sources/github/verify';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import type { Ground } from './fault.ts';
import { startService, until } from './service-process.ts';

/** A receiver as a process of its own, on the embedded log, to be ill-treated. */
export async function startVictimReceiver(ground: Ground, options: { secret: string; env?: Record<string, string> }) {
  const { secret } = options;
  const database = await freshDatabaseOn(ground.postgresUrl);
  const dataDir = await mkdtemp(join(tmpdir(), 'tripline-hostile-'));
  const process = startService('receiver', {
    DATABASE_URL: database.url,
    TRIPLINE_DATA: dataDir,
    TRIPLINE_GITHUB_WEBHOOK_SECRET: secret,
    ...options.env,
  });
  const base = await until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(process.said())?.[0], {
    of: process,
    what: 'an address',
  });
  const port = Number(new URL(base).port);
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let sent = 0;

  /** Posts a delivery, signed unless `headers` say otherwise; the status, or 0 where there was no answer. */
  function post(event: string, body: Buffer, headers: Record<string, string | string[]> = {}): Promise<number> {
    return new Promise((resolve) => {
      const sending = request(
        {
          ...{ host: '127.0.0.1', port, method: 'POST', path: '/webhooks/github', agent },
          headers: {
            'content-type': 'application/json',
            'content-length': body.length,
            'x-github-event': event,
            'x-hub-signature-256': signGithub(body, secret),
            ...headers,
          },
        },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
          response.on('error', () => resolve(0));
        },
      );
      sending.on('error', (error: NodeJS.ErrnoException) => {
        // The receiver closed a connection that was idle, as the next request was on its way: any client tries again.
        const wasClosed = error.code === 'ECONNRESET' || error.code === 'EPIPE';
        if (sending.reusedSocket && wasClosed) resolve(post(event, body, headers));
        else resolve(0);
      });
      sending.end(body);
    });
  }

  return {
    port,
    process,
    post,
    /** Posts what an honest GitHub might, signed with `by`, the receiver's secret unless told otherwise. */
    honest(by: string = secret): Promise<number> {
      sent += 1;
      const body = honestBody(sent);
      const signature = { 'x-hub-signature-256': signGithub(body, by) };
      return post('member', body, { 'x-github-delivery': `honest-${sent}`, ...signature });
    },
    /** Writes bytes as they are, and answers all that came back until the receiver closed, or until `patienceMs`. */
    raw(bytes: readonly (string | Buffer)[], { patienceMs = 20_000, end = false } = {}): Promise<string> {
      return new Promise((resolve) => {
        let received = '';
        const socket = connect(port, '127.0.0.1', () => {
          for (const chunk of bytes) socket.write(chunk);
          // Not at once: a server may drop a connection that is half closed, and with it the answer.
          if (end) setTimeout(() => socket.end(), 300);
        });
        const timer = setTimeout(() => socket.destroy(), patienceMs);
        socket.on('data', (chunk) => {
          received += chunk.toString('latin1');
        });
        socket.on('error', () => {});
        socket.on('close', () => {
          clearTimeout(timer);
          resolve(received);
        });
      });
    },
    /** Ids of the deliveries that are in the log. */
    async kept(): Promise<string[]> {
      const { rows } = await database.db.pool.query(
        `SELECT headers->>'ce_id' AS id FROM log
         WHERE topic = 'tripline.events' AND headers->>'ce_workspace' <> '${receiverWorkspace}'`,
      );
      return rows.map(({ id }) => id);
    },
    /** What the receiver says that it refused: how many records it took for that, and how many deliveries they tell of. */
    async refused(): Promise<{ records: number; deliveries: number; longestBytes: number }> {
      const { rows } = await database.db.pool.query<{ value: Buffer }>(
        `SELECT value FROM log WHERE headers->>'ce_workspace' = '${receiverWorkspace}'`,
      );
      const counts = rows.flatMap(({ value }) => JSON.parse(value.toString())['tripline.deliveries.counts']);
      return {
        records: rows.length,
        deliveries: counts.reduce((sum: number, { outcome, count }) => sum + (outcome === 'refused' ? count : 0), 0),
        longestBytes: Math.max(0, ...rows.map(({ value }) => value.length)),
      };
    },
    /** The most memory that it had so far, MB. */
    residentMb: () =>
      Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${process.child.pid}/status`, 'utf8'))?.[1]) / 1024),
    alive: () => process.child.exitCode === null && process.child.signalCode === null,
    async close() {
      agent.destroy();
      await process.kill();
      await database.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export function honestBody(number: number): Buffer {
  return Buffer.from(
    JSON.stringify({
      action: 'added',
      member: { login: `person-${number}`, id: number, type: 'User' },
      repository: {
        ...{
          id: 1,
          full_name: 'acme/app',
          private: true,
          default_branch: 'main',
          html_url: 'https://github.com/acme/app',
        },
        owner: { login: 'acme', id: 2, type: 'Organization' },
      },
      organization: { login: 'acme', id: 2 },
      sender: { login: 'mona', id: 3, type: 'User' },
    }),
  );
}
