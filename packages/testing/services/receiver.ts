import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '@tripline/config/config';
import { type GivenSettings, settings } from '@tripline/config/settings';
import { createReceiver } from '@tripline/receiver/receiver';
import { type Clock, systemClock } from '@tripline/runtime/clock';
import { createHttp } from '@tripline/runtime/http';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { signGithub } from '@tripline/sources/github/verify';
import type { Stream } from '@tripline/stream/stream';

export const secret = 'a secret for tests';
export const drillKey = 'a drill key for tests';
export const nextSecret = 'the next secret for tests';
type Answer = {
  status: number;
  headers: Headers;
  body: { status?: string; reason?: string; event?: string; error?: { reason: string; message: string } };
};

/** A receiver that listens on a port of its own, over a given log. For tests only. */
export async function startReceiver(
  stream: Stream,
  options: { settings?: GivenSettings; dataDir?: string; clock?: Clock } = {},
) {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'tripline-receiver-'));
  const config: Config = {
    ...settings.parse({
      drillKey,
      ...options.settings,
      github: { webhookSecrets: [secret, nextSecret], ...options.settings?.github },
    }),
    dataDir,
    baseDir: dataDir,
    file: null,
    remarks: [],
  };
  const lines: string[] = [];
  const logger = createLogger(
    { service: 'receiver', level: 'trace' },
    { write: (line: string) => void lines.push(line) },
  );
  const metrics = createMetrics({ service: 'receiver' });
  const receiver = await createReceiver({ config, stream, logger, clock: options.clock ?? systemClock, metrics });
  const app = createHttp({ ready: receiver.ready });
  receiver.routes(app);
  const base = await app.listen({ host: '127.0.0.1', port: 0 });

  async function send(path: string, body: Buffer | string, headers: Record<string, string>): Promise<Answer> {
    const response = await fetch(`${base}${path}`, { method: 'POST', body: Buffer.from(body), headers });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
  }
  return {
    base,
    dataDir,
    /** What was logged so far. */
    logged: () => lines.join(''),
    metric: async (text: string) => (await metrics.metrics()).includes(text),
    send,
    /** Posts a signed GitHub delivery. */
    github: (event: string, body: unknown, headers: Record<string, string> = {}) => {
      const raw = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      return send('/webhooks/github', raw, {
        'content-type': 'application/json',
        'x-github-event': event,
        'x-github-delivery': randomUUID(),
        'x-hub-signature-256': signGithub(raw, secret),
        ...headers,
      });
    },
    async close(keepData = false) {
      await app.close();
      await receiver.close();
      if (!keepData) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
