import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { type FakeAnswer, type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createGitHubClient } from './github/client.ts';
import { createOutbound, createWholeOutbound, wholeBy } from './outbound.ts';

let service: FakeService;
let other: FakeService;
let answer: (path: string) => FakeAnswer;
beforeEach(async () => {
  answer = () => ({ status: 200, body: '{}' });
  service = await startFakeService(({ path }) => answer(path));
  other = await startFakeService(() => ({ status: 200, body: '{}' }));
});
afterEach(() => Promise.all([service.close(), other.close()]));

describe('what is called', () => {
  test('is the configured service and what lies below it', async () => {
    const outbound = createOutbound(`${service.url}/api/v3/`);
    expect((await outbound(`${service.url}/api/v3/repos`)).status).toBe(200);
    expect((await outbound(`${service.url}/api/v3`)).status).toBe(200);
    for (const wrong of ['/', '/api/v33', '/api', '/api/v3/../v4', '/api/v3/%2e%2E/v4', '/api/v3/..\\v4']) {
      await expect(outbound(service.url + wrong), wrong).rejects.toThrow(/may be called|names nothing/);
    }
    await expect(outbound(other.url)).rejects.toThrow('only http');
    await expect(outbound(service.url.replace('//', '//user:password@'))).rejects.toThrow('only http');
    expect(service.requests.map(({ path }) => path)).toEqual(['/api/v3/repos', '/api/v3']);
  });

  test('is nothing that an answer names: redirects are not followed', async () => {
    answer = () => ({ status: 302, headers: { location: other.url } });
    const outbound = createOutbound(service.url);
    await expect(outbound(`${service.url}/a`)).rejects.toThrow();
    await expect(outbound(`${service.url}/a`, { redirect: 'follow' })).rejects.toThrow();
    expect((await outbound(`${service.url}/a`, { redirect: 'manual' })).status).toBe(302);
    expect(other.requests).toEqual([]);
  });

  test('is checked by what its name resolves to as the connection is made, each time', async () => {
    const port = new URL(service.url).port;
    const answers = [['127.0.0.1'], ['169.254.169.254'], ['127.0.0.1', '10.0.0.1'], []];
    const resolve = async () => answers.shift()!.map((address) => ({ address, family: 4 }));
    const localhost = createOutbound(`http://localhost:${port}`, { resolve });
    expect((await localhost(`http://localhost:${port}/`, { headers: { connection: 'close' } })).status).toBe(200);
    for (let left = answers.length; left > 0; left -= 1) {
      await expect(localhost(`http://localhost:${port}/`)).rejects.toMatchObject({
        cause: { message: expect.stringContaining('which is not called') },
      });
    }
    expect(service.requests).toHaveLength(1);
  });
});

describe('what is asked for whole', () => {
  const asked = (more: { method?: string; body?: string } = {}) => ({
    ...{ method: 'GET', headers: {}, signal: new AbortController().signal, ...more },
  });

  test('calls the configured service and what lies below it, and follows no redirect', async () => {
    const send = createWholeOutbound(`${service.url}/api/v3/`);
    for (const wrong of ['/', '/api/v33', '/api/v3/../v4', '/api/v3/%2e%2E/v4', '/api/v3/..\\v4']) {
      await expect(send(service.url + wrong, asked(), 100), wrong).rejects.toThrow(/may be called|names nothing/);
    }
    await expect(send(other.url, asked(), 100)).rejects.toThrow('only http');
    answer = () => ({ status: 302, headers: { location: other.url }, body: 'moved' });
    expect(await send(`${service.url}/api/v3/a`, asked(), 100)).toMatchObject({ status: 302, text: 'moved' });
    expect(other.requests).toEqual([]);
  });

  test('is checked by what its name resolves to as the connection is made', async () => {
    const { port } = new URL(service.url);
    const resolve = async () => [{ address: '169.254.169.254', family: 4 }];
    const send = createWholeOutbound(`http://localhost:${port}`, { resolve });
    await expect(send(`http://localhost:${port}/`, asked(), 100)).rejects.toThrow('which is not called');
    expect(service.requests).toEqual([]);
  });

  test.each([
    ['without fetch', () => createWholeOutbound(service.url)],
    ['by fetch', () => wholeBy(createOutbound(service.url))],
  ])('is one answer with what it bears, %s', async (_, open) => {
    answer = () => ({ status: 201, headers: { 'Retry-After': '7' }, body: '{"a":"ä"}' });
    const sent = asked({ method: 'POST', body: '{"b":1}' });
    const got = await open()(`${service.url}/made`, sent, 100);
    expect(got).toMatchObject({ status: 201, text: '{"a":"ä"}', headers: { 'retry-after': '7' } });
    expect(service.requests).toMatchObject([{ method: 'POST', path: '/made', body: '{"b":1}' }]);
    answer = () => ({ status: 204 });
    expect(await open()(`${service.url}/made`, asked({ method: 'DELETE' }), 100)).toMatchObject({
      status: 204,
      text: '',
    });
  });

  test.each([
    ['without fetch', () => createWholeOutbound(service.url)],
    ['by fetch', () => wholeBy(createOutbound(service.url))],
  ])('is none where it is longer than allowed, %s', async (_, open) => {
    answer = () => ({ status: 200, body: 'x'.repeat(101) });
    await expect(open()(service.url, asked(), 100)).rejects.toThrow('broken off');
    answer = () => ({ status: 200, body: 'x'.repeat(100) });
    expect((await open()(service.url, asked(), 100)).text).toHaveLength(100);
  });
});

describe('what is asked for whole, where something is in its way', () => {
  test('is given up while it waits for a connection', async () => {
    const { port } = new URL(service.url);
    const lookingUp = Promise.withResolvers<void>();
    const resolve = async () => {
      lookingUp.resolve();
      return new Promise<never>(() => {});
    };
    const late = new AbortController();
    const send = createWholeOutbound(`http://localhost:${port}`, { resolve });
    const sent = send(`http://localhost:${port}/`, { method: 'GET', headers: {}, signal: late.signal }, 100);
    await lookingUp.promise;
    late.abort(new Error('late'));
    await expect(sent).rejects.toThrow('late');
    await expect(send(service.url, { method: 'GET', headers: {}, signal: late.signal }, 100)).rejects.toThrow();
    expect(service.requests).toEqual([]);
  });

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('is read although it comes compressed by %s, as long as it may be once it is not', async (encoding, compress) => {
    const server = createServer((_, response) => {
      response.writeHead(201, { 'content-encoding': encoding }).end(compress('{"a":"ä"}'.padEnd(300)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const send = createWholeOutbound(url);
      const sent = { method: 'GET', headers: {}, signal: new AbortController().signal };
      expect((await send(url, sent, 301)).text.trim()).toBe('{"a":"ä"}');
      await expect(send(url, sent, 300)).rejects.toThrow('broken off');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test.each([
    ['of another kind', { 'content-encoding': 'zstd-of-ours' }],
    ['not as it says', { 'content-encoding': 'gzip' }],
  ])('is none where it is compressed %s', async (_, headers) => {
    answer = () => ({ status: 200, headers, body: '{}' });
    const sent = { method: 'GET', headers: {}, signal: new AbortController().signal };
    await expect(createWholeOutbound(service.url)(service.url, sent, 100)).rejects.toThrow('broken off');
  });
});

describe('GitHub', () => {
  const client = () => createGitHubClient({ apiUrl: service.url, authorization: 'token canary', manner: 'once' });
  const read = { route: 'GET /repos/{owner}/{repo}', parameters: { owner: 'acme', repo: 'app' } };

  test('is read on where it has moved to, and nobody else is', async () => {
    answer = (path) =>
      path === '/repos/acme/app'
        ? { status: 301, headers: { location: '/repositories/7' } }
        : { status: 200, body: '{"id":7}' };
    expect(await client().send(read)).toMatchObject({ status: 200, data: { id: 7 } });
    answer = () => ({ status: 301, headers: { location: `${other.url}/repositories/7` }, body: '{"message":"Moved"}' });
    expect(await client().send(read)).toMatchObject({ status: 301 });
    expect(other.requests).toEqual([]);
  });

  test('is not read in circles', async () => {
    answer = () => ({ status: 302, headers: { location: '/repos/acme/app' } });
    expect(await client().send(read)).toMatchObject({ status: 302 });
    expect(service.requests).toHaveLength(4);
  });

  test('is told nothing that would be sent on', async () => {
    answer = () => ({ status: 307, headers: { location: '/repositories/7' } });
    expect(await client().send({ ...read, route: 'DELETE /repos/{owner}/{repo}' })).toMatchObject({ status: 307 });
    expect(service.requests).toHaveLength(1);
  });

  test.each(['.', '..', ''])('is never sent an address in which a name is %j', async (team) => {
    const route = 'DELETE /orgs/{org}/teams/{team_slug}/memberships/{username}';
    const parameters = { org: 'acme', team_slug: team, username: 'mona' };
    expect(await client().send({ route, parameters })).toMatchObject({ status: 422 });
    expect(service.requests).toEqual([]);
  });
});
