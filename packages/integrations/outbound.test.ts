import { type FakeAnswer, type FakeService, startFakeService } from '@tripline/testing/integration.conformance';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createGitHubClient } from './github/client.ts';
import { createOutbound } from './outbound.ts';

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
