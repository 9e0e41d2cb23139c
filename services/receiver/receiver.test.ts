import { request } from 'node:http';
import { connect } from 'node:net';
import { signGithub } from '@tripline/sources/github/verify';
import { topics } from '@tripline/stream/stream';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { nextSecret, secret, startReceiver } from '@tripline/testing/services/receiver';
import { afterEach, describe, expect, test } from 'vitest';

let receiver: Awaited<ReturnType<typeof startReceiver>>;
afterEach(() => receiver?.close());

const repository = {
  id: 1,
  full_name: 'acme/app',
  private: true,
  default_branch: 'main',
  html_url: 'https://github.com/acme/app',
  owner: { login: 'acme', id: 2, type: 'Organization' },
};
const around = { repository, organization: { login: 'acme' }, sender: { login: 'mona', id: 3, type: 'User' } };
const member = (login: string) => ({ action: 'added', member: { login, id: 4, type: 'User' }, ...around });

describe('keeps', () => {
  test('a signed delivery, once it is in the log, as its workspace’s', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    const gate = Promise.withResolvers<void>();
    stream.gate = gate.promise;
    let answered = false;
    const answer = receiver.github('member', member('eve')).then((one) => {
      answered = true;
      return one;
    });
    await expect.poll(() => stream.batches, { interval: 5 }).toEqual([1]);
    expect(answered).toBe(false);
    gate.resolve();
    expect(await answer).toMatchObject({
      status: 202,
      body: { status: 'kept', event: expect.stringMatching(/^github:/) },
    });
    expect(stream.appended[0]).toMatchObject({
      topic: 'tripline.events',
      key: 'acme',
      headers: { ce_type: 'dev.cdeventsx.tripline-grant.added', ce_workspace: 'acme', ce_trust: 'high' },
    });
  });

  test('a delivery signed with the next secret, while secrets are rotated', async () => {
    receiver = await startReceiver(fakeStream());
    const body = JSON.stringify(member('eve'));
    const headers = { 'x-hub-signature-256': signGithub(body, nextSecret) };
    expect((await receiver.github('member', body, headers)).status).toBe(202);
  });

  test('concurrent deliveries in few batches, each once', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    const gate = Promise.withResolvers<void>();
    stream.gate = gate.promise;
    const posts = Array.from({ length: 100 }, (_, index) => receiver.github('member', member(`user-${index}`)));
    await expect.poll(() => stream.batches.length, { interval: 5 }).toBe(1);
    // The next append waits for this one: give the rest time to arrive by asking for something else after them.
    await receiver.github('ping', {});
    gate.resolve();
    const answers = await Promise.all(posts);
    expect(stream.batches.length).toBeLessThan(20);
    expect(answers.every((answer) => answer.body.status === 'kept')).toBe(true);
    expect(stream.appended).toHaveLength(100);
  });

  test('a redelivery once only, even while the first is on its way, and an equal body under another id as itself', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    const id = { 'x-github-delivery': 'a-delivery' };
    const first = await Promise.all([
      receiver.github('member', member('eve'), id),
      receiver.github('member', member('eve'), id),
      receiver.github('member', member('eve')),
    ]);
    expect(first.map((answer) => answer.body.status).sort()).toEqual(['duplicate', 'kept', 'kept']);
    expect((await receiver.github('member', member('eve'), id)).body.status).toBe('duplicate');
    expect((await receiver.github('member', member('eve'))).body.status).toBe('kept');
    expect(stream.appended).toHaveLength(3);
    expect(new Set(stream.appended.map(({ headers }) => headers['ce_id'])).size).toBe(3);
    expect(new Set(stream.appended.map(({ headers }) => headers['ce_bodysha256'])).size).toBe(1);
  });

  test('deliveries of one id in two organisations', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    const id = { 'x-github-delivery': 'a-delivery' };
    const elsewhere = JSON.parse(JSON.stringify(member('eve')).replaceAll('acme', 'other'));
    expect((await receiver.github('member', member('eve'), id)).body.status).toBe('kept');
    expect((await receiver.github('member', elsewhere, id)).body.status).toBe('kept');
    expect(stream.appended).toHaveLength(2);
  });

  test('a delivery whose target has doubled slashes or the absolute form', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    const { hostname, port } = new URL(receiver.base);
    const targets = ['//webhooks/github', '///webhooks//github/?a=//b', `${receiver.base}/webhooks/github`];
    for (const [nth, path] of [...targets, 'HTTPS://tripline.example//webhooks/github?x'].entries()) {
      const body = JSON.stringify(member(`user-${nth}`));
      const headers = {
        'content-type': 'application/json',
        'x-github-event': 'member',
        'x-github-delivery': `target-${nth}`,
        'x-hub-signature-256': signGithub(body, secret),
      };
      const status = await new Promise((resolve, reject) => {
        const sending = request({ hostname, port, path, method: 'POST', headers, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        sending.on('error', reject);
        sending.end(body);
      });
      expect(status, path).toBe(202);
    }
    expect(stream.appended).toHaveLength(4);
  });

  test('a delivery whose path ends in a slash or a query, or whose type has parameters', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    for (const [nth, end] of ['/', '?from=proxy', '/?from=proxy'].entries()) {
      const body = JSON.stringify(member(`user-${nth}`));
      const answer = await receiver.send(`/webhooks/github${end}`, body, {
        'content-type': 'Application/JSON; charset=utf-8',
        'x-github-event': 'member',
        'x-github-delivery': `delivery-${nth}`,
        'x-hub-signature-256': signGithub(body, secret),
      });
      expect(answer).toMatchObject({ status: 202, body: { status: 'kept' } });
    }
    expect(stream.appended).toHaveLength(3);
    expect((await fetch(`${receiver.base}/webhooks/github`)).status).toBe(404);
  });

  test('a delivery whose sender went away before the answer, and answers the next one', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    const gate = Promise.withResolvers<void>();
    stream.gate = gate.promise;
    const body = JSON.stringify(member('eve'));
    const { hostname, port } = new URL(receiver.base);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-github-event: member\r\nx-github-delivery: a\r\nx-hub-signature-256: ${signGithub(body, secret)}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(() => stream.batches, { interval: 5 }).toEqual([1]);
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.destroy();
    await gone;
    gate.resolve();
    await expect.poll(() => stream.appended.length, { interval: 5 }).toBe(1);
    const again = await receiver.github('member', member('eve'), { 'x-github-delivery': 'a' });
    expect(again.body.status).toBe('duplicate');
  });

  test('what was ignored or refused is not remembered as kept', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    expect((await receiver.github('repository_import', { status: 'x', ...member('eve') })).body.status).toBe('ignored');
    expect((await receiver.github('push', member('eve'))).body).toEqual({
      status: 'ignored',
      reason: 'unexpected-shape',
    });
    expect((await receiver.github('member', `${JSON.stringify(member('eve'))}x`)).status).toBe(400);
    expect((await receiver.github('member', member('eve'))).body.status).toBe('kept');
  });
});

describe('ignores, and answers 202', () => {
  const body = JSON.stringify(member('eve'));
  test.each([
    ['an unknown event', 'unknown-event', 'no_such_event', body],
    ['an event named like a property of objects', 'unknown-event', '__proto__', body],
    ['another event’s body', 'unexpected-shape', 'push', body],
    ['a prototype instead of fields', 'unexpected-shape', 'member', `{"__proto__":${body}}`],
    ['an action that nobody knows', 'action-not-read', 'member', body.replace('added', 'knighted')],
    ['a repository that is no name', 'impossible-name', 'member', body.replace('acme/app', 'acme/..')],
    ['an organisation that is no name', 'unknown-organization', 'member', body.replaceAll('"acme"', '"a/../b"')],
    ['a body from nobody', 'no-workspace', 'github_app_authorization', '{"action":"revoked","sender":{"login":"eve"}}'],
  ])('%s: %s', async (_name, reason, event, raw) => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    expect(await receiver.github(event, raw)).toMatchObject({ status: 202, body: { status: 'ignored', reason } });
    const isUnread = reason === 'unexpected-shape' || reason === 'impossible-name';
    expect(stream.appended.map(({ topic }) => topic)).toEqual(isUnread ? [topics.deadLetters] : []);
    expect(await receiver.metric(`outcome="ignored",reason="${reason}",service="receiver"} 1`)).toBe(true);
    expect(Object.prototype).not.toHaveProperty('member');
  });
});

describe('refuses', () => {
  const body = JSON.stringify(member('eve'));
  const deep = `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
  const cases: [
    name: string,
    status: number,
    reason: string,
    event: string,
    body: string | Buffer,
    headers: Record<string, string>,
  ][] = [
    ['no signature', 401, 'missing-signature', 'member', body, { 'x-hub-signature-256': '' }],
    ['a wrong signature', 401, 'bad-signature', 'member', body, { 'x-hub-signature-256': signGithub(body, 'guess') }],
    ['a signature that is none', 401, 'bad-signature', 'member', body, { 'x-hub-signature-256': 'sha256=zz' }],
    [
      'SHA-1 alone',
      401,
      'missing-signature',
      'member',
      body,
      { 'x-hub-signature-256': '', 'x-hub-signature': 'sha1=00' },
    ],
    [
      'a form',
      415,
      'unsupported-content-type',
      'member',
      `payload=${body}`,
      { 'content-type': 'application/x-www-form-urlencoded' },
    ],
    ['a compressed body', 415, 'unsupported-content-encoding', 'member', body, { 'content-encoding': 'gzip' }],
    ['no event header', 400, 'missing-event-header', '', body, {}],
    ['a delivery of Gitea’s', 400, 'other-provider', 'member', body, { 'x-gitea-event': 'member' }],
    ['a delivery id that is none', 400, 'bad-delivery-id', 'member', body, { 'x-github-delivery': 'a b' }],
    ['a body that was cut off', 400, 'invalid-json', 'member', body.slice(0, -1), {}],
    ['an empty body', 400, 'invalid-json', 'member', '', {}],
    ['a list', 400, 'invalid-json', 'member', '[]', {}],
    ['invalid UTF-8', 400, 'invalid-utf8', 'member', Buffer.from([0x7b, 0xff, 0x7d]), {}],
    ['10,000 levels', 400, 'too-deep', 'member', deep, {}],
  ];
  test.each(cases)('%s: %i %s', async (_name, status, reason, event, raw, headers) => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    const answer = await receiver.github(event, raw, headers);
    expect(answer).toMatchObject({ status, body: { error: { reason, message: expect.stringMatching(/\S/) } } });
    expect(stream.appended).toHaveLength(0);
    expect(await receiver.metric(`outcome="refused",reason="${reason}",service="receiver"} 1`)).toBe(true);
    expect(Object.prototype).not.toHaveProperty('member');
    expect(receiver.logged()).not.toContain('eve');
  });

  test('a body over the limit, by its length and by its bytes', async () => {
    receiver = await startReceiver(fakeStream(), { settings: { receiver: { bodyLimitBytes: 1024 } } });
    const answer = await receiver.github('member', { ...member('eve'), padding: 'x'.repeat(2000) });
    expect(answer).toMatchObject({ status: 413, body: { error: { reason: 'body-too-large' } } });
    const chunked = await raw(
      'transfer-encoding: chunked\r\ncontent-type: application/json\r\n',
      `800\r\n${'x'.repeat(2048)}\r\n0\r\n\r\n`,
    );
    expect(chunked).toMatch(/^HTTP\/1.1 413 [\s\S]*body-too-large/);
  });

  test('a Content-Length that lies, without keeping anything', async () => {
    const stream = fakeStream();
    receiver = await startReceiver(stream);
    const headers = `content-type: application/json\r\nx-github-event: member\r\nx-github-delivery: a\r\nx-hub-signature-256: ${signGithub(body, secret)}\r\n`;
    // Too long: the sender goes away before the promised bytes came. Too short: what follows is no request.
    await raw(`${headers}content-length: ${body.length + 10}\r\n`, body, true);
    expect(await raw(`${headers}content-length: ${body.length - 10}\r\n`, body)).toMatch(/^HTTP\/1.1 40[01] /);
    expect(await raw(`${headers}content-length: 5\r\ncontent-length: 6\r\n`, body)).toMatch(
      /^HTTP\/1.1 400 [\s\S]*"reason":"bad-request"/,
    );
    expect(stream.appended).toHaveLength(0);
    expect((await receiver.github('member', member('eve'))).status).toBe(202);
  });

  test('to keep an organisation outside the configured workspaces, and drills when they are off', async () => {
    const workspaces = [{ id: 'the-firm', github: { organizations: ['ACME'] } }];
    const stream = fakeStream();
    receiver = await startReceiver(stream, { settings: { workspaces, drills: false } });
    expect((await receiver.github('member', member('eve'))).body.status).toBe('kept');
    expect(stream.appended[0]!.key).toBe('the-firm');
    const foreign = (name: string) => JSON.parse(JSON.stringify(member('eve')).replaceAll('acme', name));
    expect(await receiver.github('member', foreign('globex'))).toMatchObject({
      status: 202,
      body: { status: 'ignored', reason: 'unknown-organization' },
    });
    expect(await receiver.github('member', foreign('tripline-drill-x'))).toMatchObject({
      status: 401,
      body: { error: { reason: 'wrong-organization' } },
    });
    expect(stream.appended).toHaveLength(1);
  });

  test('an event larger than the log takes, and keeps those that came beside it', async () => {
    const stream = fakeStream();
    stream.maxRecordBytes = 2000;
    receiver = await startReceiver(stream);
    const issue = (number: number, text: string) => ({
      action: 'opened',
      issue: { number, title: 't', body: text },
      ...around,
    });
    const answers = await Promise.all([
      receiver.github('issues', issue(1, 'small')),
      receiver.github('issues', issue(2, 'x'.repeat(3000))),
      receiver.github('issues', issue(3, 'small too')),
    ]);
    expect(answers.map((answer) => answer.status)).toEqual([202, 413, 202]);
    expect(answers[1]!.body.error?.reason).toBe('event-too-large');
  });

  /** Writes a request by hand, and answers what came back until the connection closed. */
  function raw(headers: string, payload: string, hangUp = false): Promise<string> {
    const { hostname, port } = new URL(receiver.base);
    return new Promise((resolve) => {
      let received = '';
      const socket = connect(Number(port), hostname, () => {
        socket.write(`POST /webhooks/github HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n${payload}`);
        if (hangUp) socket.end();
      });
      socket.on('data', (chunk) => {
        received += chunk;
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(received));
    });
  }
});

describe('while the log is away', () => {
  test('spools, drains in order before anything newer, also after a restart', async () => {
    const stream = fakeStream();
    stream.away = true;
    receiver = await startReceiver(stream);
    for (const login of ['a', 'b']) expect((await receiver.github('member', member(login))).body.status).toBe('kept');
    expect(stream.appended).toHaveLength(0);
    expect(await receiver.metric('outcome="spooled",reason="",service="receiver"} 2')).toBe(true);
    const { dataDir } = receiver;
    await receiver.close(true);

    const later = fakeStream();
    later.away = true;
    receiver = await startReceiver(later, { dataDir });
    expect((await receiver.github('member', member('c'))).body.status).toBe('kept');
    later.away = false;
    await expect.poll(() => later.appended.length, { interval: 10 }).toBe(3);
    expect((await receiver.github('member', member('d'))).body.status).toBe('kept');
    // Kept may still mean spooled: the last record is appended a moment before the spool is known to be empty.
    await expect.poll(() => later.appended.length, { interval: 10 }).toBe(4);
    const grantees = later.appended.map((record) => JSON.parse(record.value.toString())['tripline.grant.grantee']);
    expect(grantees).toEqual(['a', 'b', 'c', 'd']);
  });

  test('answers 503 and is not ready once the spool is full, and never remembers what it did not keep', async () => {
    const stream = fakeStream();
    stream.away = true;
    receiver = await startReceiver(stream, { settings: { receiver: { spoolLimitBytes: 0 } } });
    const refused = await receiver.github('member', member('a'));
    expect(refused).toMatchObject({ status: 503, body: { error: { reason: 'spool-full' } } });
    expect(refused.headers.get('retry-after')).toBe('30');
    expect((await fetch(`${receiver.base}/readyz`)).status).toBe(503);
    stream.away = false;
    expect((await fetch(`${receiver.base}/readyz`)).status).toBe(200);
    expect((await receiver.github('member', member('a'))).body.status).toBe('kept');
  });

  test('lets no second receiver use the same data folder', async () => {
    receiver = await startReceiver(fakeStream());
    await expect(startReceiver(fakeStream(), { dataDir: receiver.dataDir })).rejects.toThrow(/another receiver/);
  });
});
