import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Outcome } from '@tripline/integrations/outcome';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

/**
 * What every integration must hold, whatever it calls: each answer means exactly one advice to the caller, a service
 * that does not answer is given up on in time, and no secret comes back out in an outcome, an error or a log line.
 */
export type IntegrationContract = {
  name: string;
  /** Values that stand in for the integration's credentials; long and unlikely, so that they can be searched for. */
  secrets: readonly string[];
  /** One call against `url`, with a client made of `secrets` that waits `timeoutMs` at most. `logged` gets every line it would log. */
  call: (target: { url: string; timeoutMs: number; logged: (line: string) => void }) => Promise<Outcome>;
  /** The table: what the service answers, and what the caller must be told. */
  answers: readonly { when: string; answer: FakeAnswer; outcome: Partial<Outcome> & Pick<Outcome, 'kind'> }[];
  /** Reasons that the integration gives when nothing, or only a part, comes back; where they differ from these. */
  silence?: { timeout?: string; brokenOff?: string; unreachable?: string };
};

/** What the fake service answers. `silent` never answers; `half` breaks off in the middle of `body`. */
export type FakeAnswer = {
  status: number;
  headers?: Record<string, string>;
  body?: string;
  manner?: 'silent' | 'half';
};

export type FakeRequest = { method: string; path: string; headers: IncomingHttpHeaders; body: string };

/** A service on a local port that answers what `answer` says to each request, and remembers the requests. */
export async function startFakeService(answer: (request: FakeRequest) => FakeAnswer) {
  const requests: FakeRequest[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      requests.push(request);
      const { status, headers, body = '', manner } = answer(request);
      if (manner === 'silent') return;
      const length = manner === 'half' ? { 'content-length': String(Buffer.byteLength(body) + 100) } : {};
      response.writeHead(status, { 'content-type': 'application/json', ...length, ...headers });
      if (manner !== 'half') return response.end(body);
      response.write(body, () => response.socket?.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
export type FakeService = Awaited<ReturnType<typeof startFakeService>>;

const patientMs = 5000;
const impatientMs = 150;

/** Runs the contract as a suite of the calling test file. */
export function checkIntegration(contract: IntegrationContract): void {
  describe(`${contract.name} holds the contract of integrations`, () => {
    let service: FakeService;
    let answer: FakeAnswer = { status: 500 };
    const said: string[] = [];

    beforeAll(async () => {
      service = await startFakeService(() => answer);
    });
    afterAll(() => service.close());
    afterEach(() => {
      for (const secret of contract.secrets) {
        for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]) {
          expect(said.join('\n')).not.toContain(form);
        }
      }
      said.length = 0;
    });

    async function call(next: FakeAnswer, options: { url?: string; timeoutMs?: number } = {}): Promise<Outcome> {
      answer = next;
      try {
        const { url = service.url, timeoutMs = patientMs } = options;
        const outcome = await contract.call({ url, timeoutMs, logged: (line) => said.push(line) });
        said.push(JSON.stringify(outcome));
        return outcome;
      } catch (error) {
        said.push(everythingIn(error));
        throw error;
      }
    }

    for (const { when, answer: given, outcome } of contract.answers) {
      test(`${when} → ${outcome.kind}${outcome.reason ? `, ${outcome.reason}` : ''}`, async () => {
        expect(await call(given)).toMatchObject(outcome);
      });
    }

    test('an answer that repeats the credential is not repeated', async () => {
      const echo = `{"ok":false,"error":"${contract.secrets.join(' ')}","message":"${contract.secrets.join(' ')}"}`;
      const headers = { 'x-echo': contract.secrets.join(' ') };
      for (const status of [200, 400, 401, 403, 422, 500]) await call({ status, headers, body: echo });
    });

    test('no answer → retry in time', async () => {
      const reason = contract.silence?.timeout ?? 'timeout';
      expect(await call({ status: 200, manner: 'silent' }, { timeoutMs: impatientMs })).toMatchObject({
        kind: 'retry',
        reason,
      });
    });

    test('half an answer → retry', async () => {
      const reason = contract.silence?.brokenOff ?? 'broken-off';
      const broken = await call({ status: 200, body: '{"ok":true,"sta', manner: 'half' });
      expect(broken).toMatchObject({ kind: 'retry', reason });
    });

    test('nobody there → retry', async () => {
      const reason = contract.silence?.unreachable ?? 'unreachable';
      const gone = await startFakeService(() => ({ status: 200 }));
      await gone.close();
      expect(await call({ status: 200 }, { url: gone.url })).toMatchObject({ kind: 'retry', reason });
    });
  });
}

/** An error with its causes and its own fields, as a careless logger would print it. */
function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error);
  const own = JSON.stringify(error, Object.getOwnPropertyNames(error));
  return error.cause === undefined ? own : `${own}\n${everythingIn(error.cause)}`;
}
