import { startFakeGitHubSignIn } from '@tripline/testing/fakes/github-sign-in';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import type { FreshDatabase } from '@tripline/testing/postgres/postgres';
import { example, field, type Provider, startProvider, startStepUps } from '@tripline/testing/services/step-ups';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const { publicUrl } = example;
const grace = { id: 21, login: 'grace' };
const subject = 'grace@acme';

let provider: Provider;
let github: Awaited<ReturnType<typeof startFakeGitHubSignIn>>;
beforeAll(async () => {
  provider = await startProvider();
  github = await startFakeGitHubSignIn();
});
afterAll(async () => {
  await provider.close();
  await github.close();
});

describe('a link of accounts', () => {
  let database: FreshDatabase;
  forEachTest((fresh) => {
    database = fresh;
  });
  let stage: Awaited<ReturnType<typeof startStepUps>>;
  beforeEach(async () => {
    github.state.instead = undefined;
    stage = await startStepUps(database.as('broker'), provider, undefined, github);
  });
  afterEach(() => stage.close());
  type Browser = ReturnType<typeof stage.browser>;

  /** Of a run that grace set off, whom nobody knows yet. */
  const asking = () => stage.asking({ actor: { id: '21', name: 'grace' } });
  /** Signs in at the provider, then goes to GitHub. @returns where GitHub is asked. */
  const gone = async (url: string, next: object = {}) => {
    const { by, page } = await stage.signedIn(url, { subject, ...next });
    const to = (await by.ask(`${url}/link`)).response.headers.get('location') ?? '';
    return { by, page, to };
  };
  /** Shows both, and asks for the confirmation. */
  const shown = async (url: string, next: object = {}, user = grace) => {
    const { by, to } = await gone(url, next);
    const both = await by.open(github.signIn(to, user));
    const made = await by.post(`${url}/link`, { token: field(both.text, 'token') });
    const [, confirm = ''] = /<code>(https:[^<]+)<\/code>/.exec(made.text) ?? [];
    const [, number = ''] = /<code>(\d{4})<\/code>/.exec(made.text) ?? [];
    return { by, both, made, confirm, number };
  };
  const confirmed = async (
    confirm: string,
    number: string,
    as: object = { subject: 'mallory@acme', acr: 'mfa' },
    answer = 'yes',
  ) => {
    const { by, page } = await stage.signedIn(confirm, as);
    return { by, page, done: await by.post(`${confirm}/${answer}`, { token: field(page.text, 'token'), number }) };
  };

  it('is shown by signing in at both, counts once somebody else has confirmed it, and lets them stand for a run', async () => {
    const link = await stage.opened(asking());
    const { page } = await stage.signedIn(link.url, { subject });
    expect([page.response.status, page.text]).toEqual([200, expect.stringContaining('Which GitHub account is yours?')]);
    const { both, made, confirm, number } = await shown(link.url);
    for (const said of [subject, 'grace', 'account 21']) expect(both.text).toContain(said);
    expect(made.response.status).toBe(200);
    // Nothing that GitHub gave to ask that is left, and no right was asked for.
    expect(github.alive()).toBe(0);
    // Until then they are nobody.
    expect((await stage.signedIn(link.url, { subject })).page.text).not.toContain('acme/api');
    expect((await stage.browser().open(confirm)).text).not.toContain('grace');

    const { page: asked, done } = await confirmed(confirm, number);
    for (const said of [subject, 'grace', 'account 21 at github.com']) expect(asked.text).toContain(said);
    expect(asked.text).not.toContain(number);
    expect(done.response.status).toBe(200);
    expect(stage.appended).toMatchObject([
      {
        type: 'dev.cdeventsx.tripline-stepup.linked',
        data: {
          ...{ 'user.id': '21', 'user.name': 'grace', 'tripline.identity.subject': subject },
          ...{
            'tripline.identity.method': 'oidc',
            'tripline.stepup.link': 'first',
            'tripline.stepup.confirmed_by_id': '12',
          },
        },
      },
    ]);
    expect((await stage.approved(link, { subject })).response.status).toBe(200);
    expect(await stage.approvalOf(asking())).toMatchObject({ by: 'grace' });
  });

  it('asks GitHub for nothing but who it is, by a state and a verifier of its own', async () => {
    const link = await stage.opened(asking());
    const { to } = await gone(link.url);
    expect(Object.fromEntries(new URL(to).searchParams)).toMatchObject({
      ...{ scope: '', prompt: 'select_account', code_challenge_method: 'S256', client_id: github.client.id },
      redirect_uri: `${publicUrl}/step-up/callback/github`,
    });
    expect(to).not.toContain(github.client.secret);
  });

  it('is made by the browser alone that signed in at both, once', async () => {
    const link = await stage.opened(asking());
    const { by, to } = await gone(link.url);
    const back = github.signIn(to, grace);
    // Somebody else's browser, led to the same address: their account is not linked with another's sign-in.
    expect((await stage.browser().open(back)).response.status).toBe(400);
    const other = await gone(link.url, { subject: 'eve@acme' });
    expect((await other.by.open(back)).response.status).toBe(400);
    expect((await by.open(back.replace(/state=[^&]+/, 'state=another'))).response.status).toBe(400);
    // The way back is good once, a wrong one included.
    expect((await by.open(back)).response.status).toBe(400);
    const again = await gone(link.url);
    const goodOnce = github.signIn(again.to, grace);
    expect((await again.by.open(goodOnce)).response.status).toBe(200);
    expect((await again.by.open(goodOnce)).response.status).toBe(400);
    // Nor without a sign-in at the provider, nor at another prompt.
    expect((await stage.browser().ask(`${link.url}/link`)).response.headers.get('location')).toBe(
      `/step-up/${link.id}`,
    );
    const next = await stage.opened(stage.asking({ run: { id: '10', attempt: 1 } }));
    expect((await again.by.ask(`${next.url}/link`)).response.headers.get('location')).toBe(`/step-up/${next.id}`);
  });

  it('is made with nobody’s account but one that is asked, nor with one that the settings name, nor with a machine’s', async () => {
    const link = await stage.opened(asking());
    const { by, to } = await gone(link.url);
    const page = await by.open(github.signIn(to, { id: 12, login: 'mallory' }));
    expect([page.response.status, page.text]).toEqual([403, expect.stringContaining('asked is grace')]);
    const adas = await stage.opened();
    const second = await gone(adas.url);
    const named = await second.by.open(github.signIn(second.to, { id: 11, login: 'ada' }));
    expect([named.response.status, named.text]).toEqual([403, expect.stringContaining('broker.stepUp.people')]);
    const third = await gone(link.url);
    const machine = await third.by.open(github.signIn(third.to, { ...grace, type: 'Organization' } as typeof grace));
    expect(machine.response.status).toBe(403);
    expect(github.alive()).toBe(0);
    expect((await database.db.pool.query('SELECT FROM access_links')).rowCount).toBe(0);
  });

  it('is made by the page’s own form, and by no other site’s', async () => {
    const link = await stage.opened(asking());
    const { by, to } = await gone(link.url);
    const both = await by.open(github.signIn(to, grace));
    const token = field(both.text, 'token');
    expect((await by.post(`${link.url}/link`, { token }, { origin: 'https://evil.example' })).response.status).toBe(
      403,
    );
    expect((await stage.browser().post(`${link.url}/link`, { token })).response.status).toBe(401);
    expect((await database.db.pool.query('SELECT FROM access_links')).rowCount).toBe(0);
  });

  it('is confirmed by nobody for themselves, not by a stranger, and not without the number', async () => {
    const { confirm, number } = await shown((await stage.opened(asking())).url);
    expect((await confirmed(confirm, number, { subject })).page.response.status).toBe(403);
    expect((await confirmed(confirm, number, { subject: 'eve@acme' })).page.response.status).toBe(403);
    const wrong = number === '0000' ? '0001' : '0000';
    const { by, page } = await stage.signedIn(confirm, { subject: 'mallory@acme', acr: 'mfa' });
    const token = field(page.text, 'token');
    expect(
      (await by.post(`${confirm}/yes`, { token, number }, { origin: 'https://evil.example' })).response.status,
    ).toBe(403);
    for (const status of [422, 422, 410])
      expect((await by.post(`${confirm}/yes`, { token, number: wrong })).response.status).toBe(status);
    expect((await by.post(`${confirm}/yes`, { token, number })).response.status).toBe(410);
    expect(stage.appended).toEqual([]);
  });

  it('counts for nothing once somebody said that it is not them, or after a day, or where the log is away', async () => {
    const link = await stage.opened(asking());
    const denied = await shown(link.url);
    expect((await confirmed(denied.confirm, '', undefined, 'no')).done.response.status).toBe(200);
    expect((await confirmed(denied.confirm, denied.number)).page.response.status).toBe(410);
    const { confirm, number } = await shown(link.url);
    stage.state.isLogAway = true;
    expect((await confirmed(confirm, number)).done.response.status).toBe(503);
    stage.state.isLogAway = false;
    stage.state.aheadMs = 86_400_000;
    expect((await stage.browser().open(confirm)).response.status).toBe(410);
    expect((await database.db.pool.query('SELECT FROM access_links WHERE confirmed_at IS NOT NULL')).rowCount).toBe(0);
  });

  it('takes the place of the former, which the log calls changed, and what was approved by that counts no more', async () => {
    const link = await stage.opened(asking());
    const first = await shown(link.url);
    await confirmed(first.confirm, first.number);
    await stage.approved(link, { subject });
    expect(await stage.approvalOf(asking())).toMatchObject({ by: 'grace' });
    const next = await stage.opened(
      stage.asking({ run: { id: '10', attempt: 1 }, actor: { id: '21', name: 'grace' } }),
    );
    const second = await shown(next.url, { subject: 'eve@acme' });
    await confirmed(second.confirm, second.number);
    expect(stage.appended.at(-1)).toMatchObject({
      data: { 'user.id': '21', 'tripline.identity.subject': 'eve@acme', 'tripline.stepup.link': 'changed' },
    });
    expect(await stage.approvalOf(asking())).toBeUndefined();
    expect((await stage.signedIn(next.url, { subject })).page.text).not.toContain('acme/api');
    expect((await stage.signedIn(next.url, { subject: 'eve@acme' })).page.text).toContain('acme/api');
  });

  it('is ended by the command line: nothing rests on it from then on', async () => {
    const link = await stage.opened(asking());
    const { confirm, number } = await shown(link.url);
    await confirmed(confirm, number);
    const { by, page } = await stage.signedIn(link.url, { subject });
    expect(page.text).toContain('acme/api');
    await database
      .as('cli')
      .pool.query(
        `INSERT INTO access_proof_ends (proof, by, reason, at) SELECT id, '{}', 'left', now() FROM access_links`,
      );
    const answer = { token: field(page.text, 'token'), number: link.number };
    expect((await by.post(`${link.url}/approve`, answer)).response.status).toBe(401);
    expect((await stage.signedIn(link.url, { subject })).page.text).toContain('Which GitHub account is yours?');
  });

  it('that the provider says otherwise by now is nobody’s', async () => {
    const link = await stage.opened(asking());
    const { confirm, number } = await shown(link.url);
    await confirmed(confirm, number);
    expect((await stage.signedIn(link.url, { subject, claims: { github_id: 22 } })).page.text).not.toContain(
      'acme/api',
    );
    // Another whom the provider calls by the same account.
    expect(
      (await stage.signedIn(link.url, { subject: 'eve@acme', claims: { github_id: 21 } })).page.text,
    ).not.toContain('acme/api');
    expect((await stage.signedIn(link.url, { subject, claims: { github_id: 21 } })).page.text).toContain('acme/api');
  });

  it('says that GitHub declined, or is away, and keeps no token of it', async () => {
    const link = await stage.opened(asking());
    const came = async (change: (back: string) => string, by?: Browser) => {
      const went = await gone(link.url);
      return (await (by ?? went.by).open(change(github.signIn(went.to, grace)))).response.status;
    };
    expect(await came((back) => back.replace(/code=[^&]+/, 'error=access_denied'))).toBe(403);
    expect(await came((back) => back.replace(/code=[^&]+/, 'code=of-somebody-else'))).toBe(403);
    github.state.instead = (path) => (path === '/login/oauth/access_token' ? { status: 502, body: '' } : undefined);
    expect(await came((back) => back)).toBe(503);
    github.state.instead = (path) => (path === '/api/v3/user' ? { status: 500, body: '' } : undefined);
    expect(await came((back) => back)).toBe(503);
    expect(github.alive()).toBe(0);
  });
});
