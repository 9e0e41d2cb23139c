import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GiveKind, Left, Minted, Minter, MintOrder } from '@tripline/integrations/minter';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { canariesIn } from './canary.ts';

/**
 * What every minter must hold, whatever its provider: it mints what was asked and no more, says `unknown` where something may be
 * alive of which it knows nothing, ends what it minted, says dead only by the provider's word, and lets no secret out but in the
 * credential itself.
 */
export type MinterContract<Kind extends GiveKind> = {
  name: string;
  /** Values that stand in for what the minter calls its provider with; long and unlikely. */
  secrets: Readonly<Record<string, string>>;
  /** An honest provider, with nothing alive. */
  provider: () => Promise<MinterProvider>;
  /** The minter, which calls `url` and waits `timeoutMs` at most. */
  open: (target: { url: string; timeoutMs: number; nowMs: () => number }) => Promise<Minter<Kind>>;
  order: MintOrder<Kind>;
  /** The time when it is asked; absent: now. */
  nowMs?: number;
  /** Which of its requests gives, ends, or asks for a credential. */
  mints: (request: ProviderRequest) => boolean;
  revokes: (request: ProviderRequest) => boolean;
  checks: (request: ProviderRequest) => boolean;
  /** How it says that a credential is over, the first time; `denied` where what was given still signs. */
  ends: 'revoked' | 'denied';
  /** Its provider cannot be asked for what was minted by a grant's id, of such an order as this. */
  recoversNothing?: true;
  /** Answers to the request that gives a credential, and the reason by which it is refused. None of them may leave anything alive. */
  refusals: readonly { when: string; answer: ProviderAnswer; reason: string; retry: boolean; afterMs?: number }[];
  /** Answers that give more than was asked for, made of an honest one: of its JSON, or of its text. */
  wider: readonly ({ when: string } & Altered)[];
  /** What is not asked for of the provider at all: orders that are refused before. */
  unasked: readonly { when: string; order: Partial<MintOrder<Kind>>; reason: string }[];
};

type Altered = { change: (answer: Record<string, never>) => unknown } | { edit: (text: string) => string };

export type ProviderRequest = { method: string; path: string; headers: IncomingHttpHeaders; body: string };
/** `silent` never answers; `half` breaks off in the middle of `body`. */
export type ProviderAnswer = {
  status: number;
  headers?: Record<string, string>;
  body?: string;
  manner?: 'silent' | 'half';
};
export type MinterProvider = {
  answer: (request: ProviderRequest) => ProviderAnswer | Promise<ProviderAnswer>;
  /** How many credentials let somebody in. */
  alive: () => number | Promise<number>;
  /** Whether what a job was given lets it in. */
  admits: (credential: Minted['credential']) => boolean | Promise<boolean>;
  close?: () => Promise<void>;
};

const patientMs = 5000;
const impatientMs = 200;
/** Larger than any answer that a minter reads. */
const hugeBytes = 6 * 1024 * 1024;

/** Runs the contract as a suite of the calling test file. */
export function checkMinter<Kind extends GiveKind>(contract: MinterContract<Kind>): void {
  const { order, mints, revokes, checks } = contract;
  const nowMs = () => contract.nowMs ?? Date.now();

  describe(`${contract.name} holds the contract of minters`, () => {
    let provider: MinterProvider;
    let server: Awaited<ReturnType<typeof serve>>;
    let meddle: Meddle = (_, honest) => honest();
    const said: string[] = [];
    const given: Record<string, string> = {};

    beforeAll(async () => {
      server = await serve((request) => meddle(request, async () => provider.answer(request)));
    });
    afterAll(() => server.close());
    afterEach(async () => {
      await provider?.close?.();
      meddle = (_, honest) => honest();
      expect(canariesIn(said.splice(0).join('\n'), { ...contract.secrets, ...given })).toEqual([]);
    });

    /** A minter at an honest provider of its own; what it says is searched for secrets at the end. */
    async function opened({ timeoutMs = patientMs, url = server.url } = {}): Promise<Minter<Kind>> {
      await provider?.close?.();
      provider = await contract.provider();
      const minter = await contract.open({ url, timeoutMs, nowMs });
      const heard = async <Answer>(answer: Promise<Answer>): Promise<Answer> => {
        const all = await answer;
        said.push(JSON.stringify(withoutCredentials(all)));
        return all;
      };
      const { recover } = minter;
      return {
        kind: minter.kind,
        mint: (asked) => heard(minter.mint(asked)),
        revoke: (minted) => heard(minter.revoke(minted)),
        check: (minted) => heard(minter.check(minted)),
        ...(recover === undefined ? {} : { recover: (asked) => heard(recover(asked)) }),
      };
    }

    async function minted(minter: Minter<Kind>, asked = order): Promise<Minted> {
      const answer = await minter.mint(asked);
      if (answer.result !== 'minted') throw new Error(`not minted: ${answer.reason}: ${answer.message}`);
      Object.entries(answer.minted.credential).forEach(([name, value], nth) => {
        if (isSecret(name)) given[`${name} ${nth}`] = value;
      });
      return answer.minted;
    }
    const revocable = ({ handle, keep }: Left) => ({ handle, ...(keep === undefined ? {} : { value: keep }) });
    const on = (which: (request: ProviderRequest) => boolean, how: Meddle) => {
      meddle = (request, honest) => (which(request) ? how(request, honest) : honest());
    };

    test('mints what lets in, with all that is needed to end it, and names it as an audit log does', async () => {
      const minter = await opened();
      const one = await minted(minter);
      expect(await provider.alive()).toBe(1);
      expect(await provider.admits(one.credential)).toBe(true);
      expect(await minter.check(revocable(one))).toMatchObject({ result: 'alive' });
      expect(one.expiresAtMs).toBeGreaterThan(nowMs());
      expect(one.tokenHash).not.toBe('');
      expect(one.scopes.length).toBeGreaterThan(0);
      const secret = Object.entries(one.credential).filter(([name]) => isSecret(name));
      expect(secret.length).toBeGreaterThan(0);
      expect(
        canariesIn(JSON.stringify([one.handle, one.tokenHash, one.scopes]), Object.fromEntries(secret)),
        'a secret in what is stored unsealed',
      ).toEqual([]);
    });

    test(`ends what it minted, by its handle alone: ${contract.ends}; twice is once`, async () => {
      const minter = await opened();
      const one = await minted(minter);
      const two = await minted(minter, { ...order, grantId: `${order.grantId}-2` });
      // As it comes back from Postgres.
      const stored = JSON.parse(JSON.stringify(revocable(one))) as ReturnType<typeof revocable>;
      expect(await minter.revoke(stored)).toEqual({ result: 'dead', by: contract.ends });
      expect(await minter.check(stored)).toMatchObject({ result: 'dead' });
      expect(await provider.admits(one.credential)).toBe(false);
      expect(await provider.admits(two.credential), 'another one’s').toBe(true);
      expect(await minter.check(revocable(two))).toMatchObject({ result: 'alive' });
      const again = await minter.revoke(stored);
      expect(again).toMatchObject({ result: 'dead' });
      expect(await minter.revoke(revocable(two))).toMatchObject({ result: 'dead' });
      expect(await provider.alive()).toBe(0);
    });

    for (const { when, answer, reason, retry, afterMs } of contract.refusals) {
      test(`${when} → nothing is minted: ${reason}${retry ? ', asked again' : ''}`, async () => {
        const minter = await opened();
        on(mints, async () => answer);
        const told = await minter.mint(order);
        expect(told).toMatchObject({ result: 'refused', reason, retry, ...(afterMs === undefined ? {} : { afterMs }) });
        expect((told as { message: string }).message.length).toBeGreaterThan(20);
        expect(await provider.alive()).toBe(0);
      });
    }

    for (const { when, order: other, reason } of contract.unasked) {
      test(`${when} → refused without asking to mint: ${reason}`, async () => {
        const minter = await opened();
        let asked = 0;
        on(mints, (_, honest) => {
          asked += 1;
          return honest();
        });
        expect(await minter.mint({ ...order, ...other })).toMatchObject({ result: 'refused', reason, retry: false });
        expect(asked).toBe(0);
      });
    }

    for (const { when, ...altered } of contract.wider) {
      test(`${when} → taken back and refused`, async () => {
        const minter = await opened();
        on(mints, async (_, honest) => {
          const answer = await honest();
          return { ...answer, body: alter(answer.body ?? '{}', altered) };
        });
        expect(await minter.mint(order)).toMatchObject({ result: 'refused', retry: false });
        expect(await provider.alive()).toBe(0);
      });

      test(`${when}, and it cannot be taken back → unknown`, async () => {
        const minter = await opened();
        meddle = async (request, honest) => {
          if (!mints(request)) return revokes(request) ? { status: 500 } : honest();
          const answer = await honest();
          return { ...answer, body: alter(answer.body ?? '{}', altered) };
        };
        const told = await minter.mint(order);
        if (told.result !== 'unknown') throw new Error(`${told.result}, and should be unknown`);
        meddle = (_, honest) => honest();
        if (minter.recover !== undefined) return;
        if (told.left === undefined) throw new Error('what cannot be found again is not handed over to be revoked');
        expect(told.left.expiresAtMs).toBeGreaterThan(nowMs());
        expect(told.left.tokenHash).not.toBe('');
        expect(await minter.revoke(revocable(told.left))).toMatchObject({ result: 'dead' });
        expect(await provider.alive()).toBe(0);
      });
    }

    describe.each([
      ['silence', { manner: 'silent' }],
      ['half of it', { manner: 'half' }],
      ['a gateway’s 502', { status: 502, body: '<html>Bad Gateway</html>' }],
      ['a gateway’s 504', { status: 504, body: '' }],
      ['500', { status: 500, body: '{"message":"Server Error"}' }],
      ['an empty body', { body: '' }],
      ['an empty object', { body: '{}' }],
      ['another form', { body: '["minted"]' }],
      ['null', { body: 'null' }],
      ['text', { body: 'minted' }],
      ['megabytes', { body: `{"filler":"${'x'.repeat(hugeBytes)}"}` }],
    ] as const)('where it acted, and the answer is %s', (_, instead) => {
      test('minting is unknown; what can be asked for by the grant is found and ended', async () => {
        const minter = await opened({ timeoutMs: 'manner' in instead ? impatientMs : patientMs });
        on(mints, async (_request, honest) => ({ ...(await honest()), ...instead }));
        expect(await minter.mint(order)).toMatchObject({ result: 'unknown' });
        if (minter.recover === undefined) return;
        if (contract.recoversNothing) {
          expect(await minter.recover(order)).toMatchObject({ result: 'unknown' });
          return;
        }
        const before = await provider.alive();
        meddle = (_request, honest) => honest();
        const patient = await contract.open({ url: server.url, timeoutMs: patientMs, nowMs });
        const found = await patient.recover!(order);
        if (found.result !== 'known') throw new Error(found.detail);
        expect(found.found.length).toBeGreaterThanOrEqual(before);
        for (const one of found.found) expect(await patient.revoke(one)).toMatchObject({ result: 'dead' });
        expect(await provider.alive()).toBe(0);
      });

      test('revoking is not yet, or is so', async () => {
        const minter = await opened();
        const one = revocable(await minted(minter));
        const impatient = await contract.open({ url: server.url, timeoutMs: impatientMs, nowMs });
        on(revokes, async (_request, honest) => ({ ...(await honest()), ...instead }));
        const told = await impatient.revoke(one);
        said.push(JSON.stringify(told));
        if ('status' in instead || 'manner' in instead) expect(told).toMatchObject({ result: 'not-yet', retry: true });
        meddle = (_request, honest) => honest();
        expect(await minter.revoke(one)).toMatchObject({ result: 'dead' });
      });

      test('a check is unknown, never dead', async () => {
        const minter = await opened();
        const one = revocable(await minted(minter));
        const impatient = await contract.open({ url: server.url, timeoutMs: impatientMs, nowMs });
        on(checks, async (_request, honest) => ({ ...(await honest()), ...instead }));
        const told = await impatient.check(one);
        said.push(JSON.stringify(told));
        expect(told.result).not.toBe('dead');
      });
    });

    test.each([400, 401, 403, 404, 409, 422, 429, 503])(
      'a revocation or check that is answered %i in something’s words is not dead',
      async (status) => {
        const minter = await opened();
        const one = revocable(await minted(minter));
        on(
          (request) => revokes(request) || checks(request),
          async () => ({ status, body: '<html>no</html>', headers: { 'content-type': 'text/html' } }),
        );
        expect(await minter.revoke(one)).toMatchObject({ result: 'not-yet' });
        expect((await minter.check(one)).result).toBe('unknown');
        expect(await provider.alive()).toBe(1);
      },
    );

    test('a redirect is not followed, and what is sent goes nowhere else', async () => {
      let elsewhere = 0;
      const other = await serve(async () => {
        elsewhere += 1;
        return { status: 201, body: '{}' };
      });
      const minter = await opened();
      const one = revocable(await minted(minter));
      for (const status of [301, 302, 307, 308]) {
        meddle = async ({ path }) => ({ status, headers: { location: `${other.url}${path}` } });
        expect((await minter.mint(order)).result).not.toBe('minted');
        expect(await minter.revoke(one)).toMatchObject({ result: 'not-yet' });
        expect(await minter.check(one)).toMatchObject({ result: 'unknown' });
      }
      expect(elsewhere).toBe(0);
      await other.close();
    });

    test('an answer that repeats what was sent is not repeated', async () => {
      const minter = await opened();
      const one = revocable(await minted(minter));
      for (const status of [200, 201, 400, 401, 403, 404, 422, 429, 500]) {
        meddle = async ({ headers, path, body }) => {
          const sent = `${Object.values(headers).join(' ')} ${path} ${body}`;
          const secrets = [...Object.values(contract.secrets), ...Object.values(given)].join(' ');
          const echo = `${sent} ${secrets}`;
          return {
            status,
            headers: { 'x-echo': encodeURIComponent(secrets) },
            body: JSON.stringify({ message: echo, error: echo, errors: [echo], error_description: echo }),
          };
        };
        const told = [await minter.mint(order), await minter.revoke(one), await minter.check(one)];
        if (minter.recover !== undefined) await minter.recover(order);
        expect(told[0]?.result).not.toBe('minted');
      }
    });

    test('nobody there → nothing is thrown, nothing is dead', async () => {
      const gone = await serve(async () => ({ status: 200 }));
      await gone.close();
      const minter = await opened({ url: gone.url });
      const told = await minter.mint(order);
      expect(['unknown', 'refused']).toContain(told.result);
      if (told.result === 'refused') expect(told.retry).toBe(true);
      const one = { handle: { installation: '1', accessor: 'a', lease: 'l' }, value: 'x'.repeat(40) };
      expect((await minter.revoke(one)).result).not.toBe('dead');
      expect((await minter.check(one)).result).not.toBe('dead');
      const found = await minter.recover?.(order);
      if (found?.result === 'known')
        for (const other of found.found) expect((await minter.revoke(other)).result).not.toBe('dead');
    });

    test('what it finds and ends by a grant’s id is that grant’s alone', async () => {
      const minter = await opened();
      if (minter.recover === undefined || contract.recoversNothing) return;
      const other = await minted(minter, { ...order, grantId: `${order.grantId}-2` });
      const found = await minter.recover(order);
      if (found.result !== 'known') throw new Error(found.detail);
      for (const one of found.found) await minter.revoke(one);
      expect(await provider.admits(other.credential)).toBe(true);
    });
  });
}

function alter(body: string, altered: Altered): string {
  if ('change' in altered) return JSON.stringify(altered.change(JSON.parse(body)));
  const edited = altered.edit(body);
  if (edited === body) throw new Error('the answer was not altered');
  return edited;
}

type Meddle = (
  request: ProviderRequest,
  honest: () => Promise<ProviderAnswer>,
) => ProviderAnswer | Promise<ProviderAnswer>;

/** Fields of a credential that name it and are no secret. */
function isSecret(name: string): boolean {
  return !['accessKeyId', 'expiresAt'].includes(name);
}

/** What was said, without the fields in which a credential is handed to the caller. */
function withoutCredentials(answer: unknown): unknown {
  return JSON.parse(
    JSON.stringify(answer, (name, value) => (['credential', 'keep', 'value'].includes(name) ? undefined : value)),
  );
}

/** A service on a local port that answers what `answer` says. */
async function serve(answer: (request: ProviderRequest) => ProviderAnswer | Promise<ProviderAnswer>) {
  const respond = async (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = '', url: path = '', headers } = incoming;
    const body = Buffer.concat(chunks).toString('utf8');
    const told = await answer({ method, path, headers, body });
    if (told.manner === 'silent') return;
    const content = told.body ?? '';
    const length = told.manner === 'half' ? { 'content-length': String(Buffer.byteLength(content) + 100) } : {};
    response.writeHead(told.status, { 'content-type': 'application/json', ...length, ...told.headers });
    if (told.manner !== 'half') return response.end(content);
    response.write(content || '{', () => response.socket?.destroy());
  };
  const server = createServer((incoming, response) => {
    respond(incoming, response).catch((error: Error) => {
      response.writeHead(599, { 'content-type': 'text/plain' });
      response.end(error.stack);
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
