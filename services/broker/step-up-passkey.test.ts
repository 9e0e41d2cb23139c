import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import type { FreshDatabase } from '@tripline/testing/postgres/postgres';
import { example, field, type Provider, startProvider, startStepUps } from '@tripline/testing/services/step-ups';
import { createSoftwarePasskey, type Misuse } from '@tripline/testing/software-passkey';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const { publicUrl } = example;
let provider: Provider;
beforeAll(async () => {
  provider = await startProvider();
});
afterAll(() => provider.close());

describe('a passkey', () => {
  let database: FreshDatabase;
  forEachTest((fresh) => {
    database = fresh;
  });
  let stage: Awaited<ReturnType<typeof startStepUps>>;
  let key: ReturnType<typeof createSoftwarePasskey>;
  beforeEach(async () => {
    stage = await startStepUps(database.as('broker'), provider);
    key = createSoftwarePasskey({ origin: publicUrl, rpId: 'access.acme.example' });
  });
  afterEach(() => stage.close());

  type Browser = ReturnType<typeof stage.browser>;
  const sent = async (by: Browser, url: string, body: object, origin = publicUrl) => {
    const headers = { origin, 'content-type': 'application/json' };
    const { response, text } = await by.ask(url, { method: 'POST', body: JSON.stringify(body), headers });
    return {
      status: response.status,
      body: JSON.parse(text) as { challenge: string; to: string; error: { reason: string } },
    };
  };
  /** Makes one at the prompt of `url`, signed in as the test says; resolves to the path where a second person confirms it. */
  const made = async (url: string, next = {}, misuse: Misuse = {}) => {
    const { by } = await stage.signedIn(url, next);
    const { body } = await sent(by, `${url}/passkey/make/options`, {});
    const answer = await sent(by, `${url}/passkey/make`, key.make(body, misuse));
    return { ...answer, confirm: `${publicUrl}/step-up/confirm/${answer.body.to?.split('/').at(-1)}` };
  };
  const confirmed = async (url: string, subject = 'mallory@acme', answer = 'yes') => {
    const { by, page } = await stage.signedIn(url, { subject, acr: 'mfa' });
    return { page, done: await by.post(`${url}/${answer}`, { token: field(page.text, 'token') }) };
  };
  /** Signs in by it. */
  const used = async (url: string, misuse: Misuse = {}, by = stage.browser()) => {
    const { body } = await sent(by, `${url}/passkey/use/options`, {});
    return { by, ...(await sent(by, `${url}/passkey/use`, key.use(body, misuse))) };
  };
  /** One that counts, by a prompt that is then answered. */
  const ready = async () => {
    const link = await stage.opened();
    const { confirm } = await made(link.url, { acr: 'mfa' });
    await confirmed(confirm);
    return link;
  };

  it('is made by whoever is signed in, counts once somebody else has confirmed it, and stands for a run', async () => {
    const link = await stage.opened();
    const { by } = await stage.signedIn(link.url, { acr: 'mfa' });
    expect((await by.open(`${link.url}/passkey`)).text).toContain('ada');
    const { status, confirm } = await made(link.url, { acr: 'mfa' });
    expect(status).toBe(200);
    expect((await stage.browser().open(confirm.replace('confirm', 'made'))).text).toContain(confirm);
    expect(await used(link.url)).toMatchObject({ status: 403, body: { error: { reason: 'passkey-refused' } } });
    expect((await stage.browser().open(confirm)).text).not.toContain('ada');

    const { page, done } = await confirmed(confirm);
    expect(page.text).toContain('ada');
    expect(done.response.status).toBe(200);
    expect(stage.appended).toMatchObject([
      {
        type: 'dev.cdeventsx.tripline-stepup.linked',
        data: { 'user.id': '11', 'tripline.stepup.link': 'first', 'tripline.stepup.confirmed_by_id': '12' },
      },
    ]);
    const visit = await used(link.url);
    expect(visit).toMatchObject({ status: 200, body: { to: `/step-up/${link.id}` } });
    const prompt = await visit.by.open(link.url);
    const answer = { token: field(prompt.text, 'token'), number: link.number };
    expect((await visit.by.post(`${link.url}/approve`, answer)).response.status).toBe(200);
    expect(await stage.approvalOf()).toMatchObject({ by: 'ada', isPhishingResistant: true });
    expect(stage.appended.at(-1)).toMatchObject({ data: { 'tripline.identity.method': 'passkey' } });
  });

  it.each<[string, Misuse]>([
    ['another origin', { origin: 'https://access.acme.example.evil.example' }],
    ['another relying party', { rpId: 'evil.example' }],
    ['no user verification', { isVerified: false }],
    ['a counter that goes back', { counter: 1 }],
    ['a challenge of its own', { challenge: Buffer.alloc(32).toString('base64url') }],
  ])('is refused with %s', async (_, misuse) => {
    const { url } = await ready();
    expect(await used(url)).toMatchObject({ status: 200 });
    expect(await used(url, misuse)).toMatchObject({ status: 403, body: { error: { reason: 'passkey-refused' } } });
  });

  it('signs for one prompt, once: not for another attempt, commit or run, and not again', async () => {
    const { url } = await ready();
    const by = stage.browser();
    const { body } = await sent(by, `${url}/passkey/use/options`, {});
    const cookies = new Map(by.jars.get(publicUrl));
    const assertion = key.use(body);
    const other = await stage.opened(
      stage.asking({ run: { id: '9', attempt: 2 }, actor: { id: '12', name: 'mallory' } }),
    );
    expect(await sent(by, `${other.url}/passkey/use`, assertion)).toMatchObject({ status: 403 });
    by.jars.set(publicUrl, new Map(cookies));
    expect(await sent(by, `${url}/passkey/use`, assertion)).toMatchObject({ status: 200 });
    // Taken down with all its cookies, and sent once more.
    by.jars.set(publicUrl, new Map(cookies));
    expect(await sent(by, `${url}/passkey/use`, assertion)).toMatchObject({ status: 403 });
    expect(await sent(stage.browser(), `${url}/passkey/use`, assertion)).toMatchObject({
      status: 403,
      body: { error: { reason: 'no-challenge' } },
    });
  });

  it('counts once where two send the same at once', async () => {
    const { url } = await ready();
    const by = stage.browser();
    const { body } = await sent(by, `${url}/passkey/use/options`, {});
    const cookies = new Map(by.jars.get(publicUrl));
    const assertion = key.use(body);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => {
        const one = stage.browser();
        one.jars.set(publicUrl, new Map(cookies));
        return sent(one, `${url}/passkey/use`, assertion);
      }),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it('stands for its own account alone', async () => {
    await ready();
    const other = await stage.opened(
      stage.asking({ run: { id: '10', attempt: 1 }, actor: { id: '12', name: 'mallory' } }),
    );
    expect(await used(other.url)).toMatchObject({ status: 403, body: { error: { reason: 'not-asked' } } });
  });

  it('is confirmed by nobody for themselves, and not by a stranger; a denied one counts for nothing', async () => {
    const link = await stage.opened();
    const { confirm } = await made(link.url);
    expect((await confirmed(confirm, 'ada@acme')).page.response.status).toBe(403);
    expect((await confirmed(confirm, 'ada@acme')).done.response.status).toBe(403);
    expect((await confirmed(confirm, 'eve@acme')).page.response.status).toBe(403);
    expect((await confirmed(confirm, 'mallory@acme', 'no')).done.response.status).toBe(200);
    expect((await confirmed(confirm)).page.response.status).toBe(410);
    expect(await used(link.url)).toMatchObject({ status: 403 });
    expect(stage.appended).toEqual([]);
  });

  it('waits a day for its confirmation, and is made only by whoever is signed in, on the page itself', async () => {
    const link = await stage.opened();
    const { confirm } = await made(link.url);
    const options = `${link.url}/passkey/make/options`;
    expect(await sent(stage.browser(), options, {})).toMatchObject({ status: 401 });
    const { by } = await stage.signedIn(link.url);
    expect(await sent(by, options, {}, 'https://evil.example')).toMatchObject({ status: 403 });
    expect((await by.ask(options, { method: 'POST' })).response.status).toBe(403);
    expect(await made(link.url, {}, { isVerified: false })).toMatchObject({ status: 403 });
    expect(await made(link.url, {}, { origin: 'https://evil.example' })).toMatchObject({ status: 403 });
    stage.state.aheadMs = 86_400_000;
    expect((await stage.browser().open(confirm)).response.status).toBe(410);
  });

  it('proves nothing once it is ended: not what was approved by it, not who is signed in by it, not anew', async () => {
    const link = await ready();
    const visit = await used(link.url);
    const prompt = await visit.by.open(link.url);
    await visit.by.post(`${link.url}/approve`, { token: field(prompt.text, 'token'), number: link.number });
    expect(await stage.approvalOf()).toMatchObject({ by: 'ada' });
    const next = await stage.opened(stage.asking({ run: { id: '10', attempt: 1 } }));
    const { by } = await used(next.url);
    const page = await by.open(next.url);
    expect(page.text).toContain('ada');

    const { rows } = await database.db.pool.query<{ id: string }>('SELECT id FROM access_passkeys');
    await database
      .as('cli')
      .pool.query(`INSERT INTO access_proof_ends (proof, by, reason, at) VALUES ($1, '{}', 'lost', now())`, [
        rows[0]!.id,
      ]);
    expect(await stage.approvalOf()).toBeUndefined();
    const answer = { token: field(page.text, 'token'), number: next.number };
    expect((await by.post(`${next.url}/approve`, answer)).response.status).toBe(401);
    expect((await by.open(next.url)).text).not.toContain('acme/api');
    expect(await sent(by, `${next.url}/passkey/make/options`, {})).toMatchObject({ status: 401 });
    expect(await used(next.url)).toMatchObject({ status: 403, body: { error: { reason: 'passkey-refused' } } });
    // Nor is it confirmed, or made, a second time.
    expect(await made(next.url)).toMatchObject({ status: 403 });
    expect(await stage.approvalOf(stage.asking({ run: { id: '10', attempt: 1 } }))).toBeUndefined();
  });

  it('that was ended still has said that a run was not theirs', async () => {
    const link = await ready();
    const { by } = await used(link.url);
    const page = await by.open(link.url);
    await by.post(`${link.url}/refuse`, { token: field(page.text, 'token') });
    await database.db.pool.query(
      `INSERT INTO access_proof_ends (proof, by, reason, at) SELECT id, '{}', 'lost', now() FROM access_passkeys`,
    );
    expect(await stage.approvalOf()).toEqual({ refusedBy: 'ada' });
  });

  it('is told of as another one where its account has one already', async () => {
    await ready();
    key = createSoftwarePasskey({ origin: publicUrl, rpId: 'access.acme.example' });
    await ready();
    expect(stage.appended.map(({ data }) => (data as Record<string, unknown>)['tripline.stepup.link'])).toEqual([
      'first',
      'another',
    ]);
  });
});
