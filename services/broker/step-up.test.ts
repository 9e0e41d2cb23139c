import { decide } from '@tripline/access/decide';
import { suppose } from '@tripline/access/suppose';
import { forEachTest } from '@tripline/testing/postgres/for-each-test';
import type { FreshDatabase } from '@tripline/testing/postgres/postgres';
import { example, field, type Provider, startProvider, startStepUps } from '@tripline/testing/services/step-ups';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ToStandFor } from './step-up.ts';

const { publicUrl, file, lock, policy, sha } = example;

let provider: Provider;
beforeAll(async () => {
  provider = await startProvider();
});
afterAll(() => provider.close());

describe('a step-up', () => {
  let database: FreshDatabase;
  forEachTest((fresh) => {
    database = fresh;
  });
  let stage: Awaited<ReturnType<typeof startStepUps>>;
  beforeEach(async () => {
    stage = await startStepUps(database.as('broker'), provider);
  });
  afterEach(() => stage.close());
  const asking = (...of: Parameters<typeof stage.asking>) => stage.asking(...of);
  const opened = (...of: Parameters<typeof stage.opened>) => stage.opened(...of);
  const approvalOf = (...of: Parameters<typeof stage.approvalOf>) => stage.approvalOf(...of);
  const signedIn = (...of: Parameters<typeof stage.signedIn>) => stage.signedIn(...of);
  const approved = (...of: Parameters<typeof stage.approved>) => stage.approved(...of);
  const browser = () => stage.browser();

  it('asks whoever set the run off, at the provider, anew, and lets exactly that run through', async () => {
    const link = await opened();
    expect(link).toMatchObject({ url: `${publicUrl}/step-up/${link.id}`, number: expect.stringMatching(/^\d{4}$/) });
    expect(await opened()).toEqual(link);
    const before = await browser().open(link.url);
    expect(before.response.status).toBe(200);
    expect(before.text).not.toContain('acme/api');

    const { by, page } = await signedIn(link.url, {});
    expect(page.response.status).toBe(200);
    for (const said of [
      'acme/api',
      sha.slice(0, 12),
      'production',
      'deploy-api',
      'deployments:write',
      'refs/heads/main',
    ])
      expect(page.text).toContain(said);
    expect(page.text).not.toContain(link.number);
    const [asked] = provider.state.authorizations;
    expect(Object.fromEntries(asked!)).toMatchObject({
      prompt: 'login',
      max_age: '0',
      acr_values: 'phr',
      code_challenge_method: 'S256',
    });
    expect(asked!.get('nonce')).not.toBeNull();
    expect(await approvalOf()).toBeUndefined();

    const done = await by.post(`${link.url}/approve`, { token: field(page.text, 'token'), number: link.number });
    expect(done.response.status).toBe(200);
    const approval = await approvalOf();
    expect(approval).toMatchObject({ by: 'ada', isPhishingResistant: true });
    const { job: supposed, known } = suppose(
      policy,
      { tiers: file.tiers, lock },
      { job: {}, known: {}, expect: 'granted' },
    );
    expect(decide(supposed, { ...known, approval }, policy, { tiers: file.tiers, lock }).decision).toBe('granted');
    expect(stage.appended).toMatchObject([
      {
        ...{
          type: 'dev.cdeventsx.tripline-stepup.proved',
          id: `access:step-up:${link.id}:approved`,
          source: '//tripline/acme',
        },
        data: {
          ...{ 'user.id': '11', 'user.name': 'ada', 'cicd.pipeline.run.id': '9', 'tripline.pipeline.run.attempt': 1 },
          ...{ 'vcs.ref.head.revision': sha, 'deployment.environment.name': 'production' },
          ...{ 'tripline.identity.method': 'oidc', 'tripline.identity.phishing_resistant': true },
        },
      },
    ]);
    expect(stage.answers).toEqual([{ answer: 'approved', seconds: expect.any(Number) }]);
    // Answered once; the page is gone, and the form counts no more.
    expect((await by.open(link.url)).response.status).toBe(410);
    expect(
      (await by.post(`${link.url}/approve`, { token: field(page.text, 'token'), number: link.number })).response.status,
    ).toBe(410);
    expect(stage.appended).toHaveLength(1);
  });

  it('holds for no other run, attempt, commit, environment, policy or workspace, and for nothing more', async () => {
    await approved(await opened());
    expect(await approvalOf()).toBeDefined();
    const others: [string, object, Partial<ToStandFor>][] = [
      ['another run', { run: { id: '10', attempt: 1 } }, {}],
      ['another attempt', { run: { id: '9', attempt: 2 } }, {}],
      ['another commit', { sha: '9c'.repeat(20) }, {}],
      ['another environment', { environment: 'production-eu' }, {}],
      ['no environment', { environment: null }, {}],
      ['another policy', {}, { policyName: 'deploy-web' }],
      ['another workspace', {}, { workspace: 'other' }],
      [
        'more than was approved',
        {},
        { policy: { ...policy, give: [...policy.give, { vault: { role: 'r', for: 60_000 } }] } },
      ],
      [
        'whom the policy asks by now',
        {},
        {
          policy: {
            ...policy,
            needs: { ...policy.needs, mfa: { ...policy.needs.mfa!, of: 'owners', owners: ['bea'] } },
          },
        },
      ],
    ];
    for (const [what, change, other] of others) expect(await approvalOf(asking(change, other)), what).toBeUndefined();
  });

  it('is as old as the sign-in is, and then asked for anew', async () => {
    await approved(await opened());
    stage.state.aheadMs = 16 * 60_000;
    expect(await approvalOf()).toMatchObject({ ageMs: expect.any(Number) });
    expect(((await approvalOf()) as { ageMs: number }).ageMs).toBeGreaterThan(15 * 60_000);
    const again = await opened();
    await approved(again, { at: Math.round((Date.now() + stage.state.aheadMs) / 1000) });
    expect(((await approvalOf()) as { ageMs: number }).ageMs).toBeLessThan(60_000);
  });

  it('refuses whoever is somebody else, or did not prove enough, or not now', async () => {
    const refused: [string, object, string][] = [
      ['somebody else', { subject: 'mallory@acme' }, 'asked is ada'],
      ['somebody whom nobody knows', { subject: 'eve@acme' }, 'subject eve@acme'],
      ['somebody who claims a listed account', { subject: 'eve@acme', claims: { github_id: 11 } }, 'subject eve@acme'],
      ['a password alone', { acr: undefined }, 'acr is absent'],
      ['an acr that the settings do not name', { acr: 'urn:loa:1' }, 'urn:loa:1'],
      ['an old session', { at: Math.round(Date.now() / 1000) - 3600 }, 'Sign in anew'],
    ];
    const link = await opened();
    for (const [what, next, words] of refused) {
      const { by, page } = await signedIn(link.url, next);
      expect([page.response.status, page.text], what).toEqual([403, expect.stringContaining(words)]);
      const sent = await by.post(`${link.url}/approve`, { token: '', number: link.number });
      expect(sent.response.status, what).toBe(401);
    }
    expect(await approvalOf()).toBeUndefined();
    expect(stage.appended).toEqual([]);
  });

  it('lets whoever gave a factor that can be phished deny, and not approve', async () => {
    const link = await opened();
    const { by, page } = await signedIn(link.url, { acr: 'mfa' });
    expect(page.text).toContain('resists phishing');
    expect(page.text).not.toContain('/approve');
    const token = field(page.text, 'token');
    const sent = await by.post(`${link.url}/approve`, { token, number: link.number });
    expect(sent.response.status).toBe(403);
    expect(await approvalOf()).toBeUndefined();
    expect((await by.post(`${link.url}/refuse`, { token })).response.status).toBe(200);
    expect(await approvalOf()).toEqual({ refusedBy: 'ada' });
  });

  it('takes a method (amr) for a factor where the settings name it, and an account that the provider names', async () => {
    const link = await opened(asking({ actor: { id: '21', name: 'grace' } }));
    const done = await approved(link, {
      subject: 'grace@acme',
      acr: undefined,
      amr: ['hwk'],
      claims: { github_id: 21 },
    });
    expect(done.response.status).toBe(200);
    expect(await approvalOf(asking({ actor: { id: '21', name: 'grace' } }))).toMatchObject({ by: 'grace' });
  });

  it('asks owners of what a bot set off, and nobody else', async () => {
    const owned = { ...policy, needs: { ...policy.needs, mfa: { ...policy.needs.mfa!, owners: ['mallory'] } } };
    const of = asking(
      { actor: { id: '5', name: 'helper[bot]' } },
      { policy: owned, lock: { ...lock, people: { mallory: { id: '12' } } } },
    );
    const link = await opened(of);
    expect((await signedIn(link.url, {})).page.response.status).toBe(403);
    expect((await approved(link, { subject: 'mallory@acme' })).response.status).toBe(200);
    expect(await approvalOf(of)).toMatchObject({ by: 'mallory' });
  });

  it('takes no number but the job’s, and closes after three', async () => {
    const link = await opened();
    const wrong = link.number === '0000' ? '0001' : '0000';
    const { by, page } = await signedIn(link.url, {});
    const token = field(page.text, 'token');
    for (const status of [422, 422, 410])
      expect((await by.post(`${link.url}/approve`, { token, number: wrong })).response.status).toBe(status);
    expect((await by.post(`${link.url}/approve`, { token, number: link.number })).response.status).toBe(410);
    expect(await approvalOf()).toBeUndefined();
    expect((await opened()).id).not.toBe(link.id);
  });

  it('denies what somebody says was not they, whatever is answered later', async () => {
    const link = await opened();
    const { by, page } = await signedIn(link.url, {});
    expect((await by.post(`${link.url}/refuse`, { token: field(page.text, 'token') })).response.status).toBe(200);
    expect(stage.appended).toMatchObject([
      { type: 'dev.cdeventsx.tripline-stepup.refused', data: { 'user.id': '11' } },
    ]);
    expect(await approvalOf()).toEqual({ refusedBy: 'ada' });
    await approved(await opened());
    expect(await approvalOf()).toEqual({ refusedBy: 'ada' });
    expect(await approvalOf(asking({ run: { id: '9', attempt: 2 } }))).toBeUndefined();
  });

  it('has one prompt open a person; the next is asked once that is answered or has expired', async () => {
    await opened();
    const other = asking({ run: { id: '10', attempt: 1 } });
    expect(await stage.stepUps.open(other)).toEqual({ state: 'waits', why: expect.stringContaining('acme/api#9') });
    expect(
      await stage.stepUps.open(asking({ run: { id: '10', attempt: 1 }, actor: { id: '12', name: 'mallory' } })),
    ).toMatchObject({ state: 'open' });
    stage.state.aheadMs = 15 * 60_000;
    expect(await stage.stepUps.open(other)).toMatchObject({ state: 'open' });
  });

  it('of 256 runs of one person keeps nobody else waiting', async () => {
    const mallory = { id: '12', name: 'mallory' };
    const all = await Promise.all(
      Array.from({ length: 256 }, (_, nth) =>
        stage.stepUps.open(asking({ run: { id: String(1000 + nth), attempt: 1 }, actor: mallory })),
      ),
    );
    expect(all.filter(({ state }) => state === 'open')).toHaveLength(1);
    expect(await stage.stepUps.open(asking())).toMatchObject({ state: 'open' });
  });

  it('is asked for eight times at most, whoever asks on: nobody is worn down by one attempt of a run', async () => {
    const ids = new Set<string>();
    for (let nth = 0; nth < 8; nth += 1) {
      ids.add((await opened()).id);
      stage.state.aheadMs += 15 * 60_000;
    }
    expect(ids.size).toBe(8);
    expect(await stage.stepUps.open(asking())).toEqual({
      state: 'waits',
      why: expect.stringContaining('run it again'),
    });
    // Nothing of it keeps them from being asked about something else.
    expect(await stage.stepUps.open(asking({ run: { id: '9', attempt: 2 } }))).toMatchObject({ state: 'open' });
  });

  it('opens one prompt where fifty ask at once', async () => {
    const links = await Promise.all(Array.from({ length: 50 }, () => stage.stepUps.open(asking())));
    expect(new Set(links.map((link) => (link.state === 'open' ? link.id : link.why))).size).toBe(1);
  });

  it('expires, and asks of nobody at another GitHub', async () => {
    const link = await opened();
    const { by, page } = await signedIn(link.url, {});
    stage.state.aheadMs = 15 * 60_000;
    expect(
      (await by.post(`${link.url}/approve`, { token: field(page.text, 'token'), number: link.number })).response.status,
    ).toBe(410);
    expect((await by.open(`${link.url}/sign-in`)).response.status).toBe(410);
    expect(await stage.stepUps.open(asking({}, { instance: 'git.acme.example' }))).toMatchObject({ state: 'waits' });
  });

  it('takes no form of another page, site, session or prompt', async () => {
    const link = await opened();
    const mallorys = await opened(asking({ run: { id: '10', attempt: 1 }, actor: { id: '12', name: 'mallory' } }));
    const { by, page } = await signedIn(link.url, {});
    const token = field(page.text, 'token');
    const { number } = link;
    const { page: other, by: mallory } = await signedIn(mallorys.url, { subject: 'mallory@acme' });
    const statusOf = async (got: Promise<{ response: Response }>) => (await got).response.status;
    expect(await statusOf(by.post(`${link.url}/approve`, { number }))).toBe(403);
    expect(await statusOf(by.post(`${link.url}/approve`, { number, token: field(other.text, 'token') }))).toBe(403);
    expect(await statusOf(by.post(`${link.url}/approve`, { number, token }, { origin: 'https://evil.example' }))).toBe(
      403,
    );
    expect(await statusOf(by.post(`${link.url}/approve`, { number, token }, { origin: 'null' }))).toBe(403);
    expect(await statusOf(mallory.post(`${link.url}/approve`, { number, token: field(other.text, 'token') }))).toBe(
      401,
    );
    expect(await statusOf(browser().post(`${link.url}/refuse`, { token }))).toBe(401);
    const forged = browser();
    forged.jars.set(
      publicUrl,
      new Map([
        ['__Host-tripline-session', by.jars.get(publicUrl)!.get('__Host-tripline-session')!.replace(/..$/, 'AA')],
      ]),
    );
    expect(await statusOf(forged.post(`${link.url}/approve`, { number, token }))).toBe(401);
    expect(await approvalOf()).toBeUndefined();
    expect(await statusOf(by.post(`${link.url}/approve`, { number, token }, { origin: publicUrl }))).toBe(200);
  });

  it('takes a way back from the provider once, in the browser that went', async () => {
    const link = await opened();
    provider.state.next = { subject: 'ada@acme', acr: 'phr' };
    const by = browser();
    let got = await by.ask(`${link.url}/sign-in`);
    while (new URL(got.response.headers.get('location')!, got.url).origin !== publicUrl)
      got = await by.ask(new URL(got.response.headers.get('location')!, got.url).href);
    const back = got.response.headers.get('location')!;
    const cookies = new Map(by.jars.get(publicUrl));
    expect((await browser().open(back)).response.status).toBe(400);
    const changed = back.replace(/state=[^&]+/, 'state=another');
    expect((await by.open(changed)).response.status).toBe(403);
    by.jars.set(publicUrl, new Map(cookies));
    expect((await by.open(back)).response.status).toBe(200);
    by.jars.set(publicUrl, new Map(cookies));
    expect((await by.open(back)).response.status).toBe(403);
  });

  it('says that somebody who declines at the provider did not sign in, and 503 where it or the log is away', async () => {
    const link = await opened();
    const by = browser();
    const begun = await by.ask(`${link.url}/sign-in`);
    const state = new URL(begun.response.headers.get('location')!).searchParams.get('state')!;
    const declined = await by.open(
      `${publicUrl}/step-up/callback?error=access_denied&state=${state}&iss=${provider.issuer}`,
    );
    expect([declined.response.status, declined.text]).toEqual([403, expect.stringContaining('access_denied')]);
    stage.state.isLogAway = true;
    expect((await approved(link)).response.status).toBe(503);
    expect(await approvalOf()).toBeUndefined();
    stage.state.isLogAway = false;
    expect((await approved(link)).response.status).toBe(200);
  });

  it('escapes whatever a stranger may have written, loads nothing, and lets nobody frame it', async () => {
    const ref = 'refs/heads/<img src=x onerror=alert(1)>"\'&\u202Egnp';
    const link = await opened(asking({ ref, event: '<b>' }));
    const { page } = await signedIn(link.url, {});
    expect(page.text).toContain('refs/heads/&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;⟨U+202E⟩gnp');
    expect(page.text).not.toMatch(/<img|<script|<b>|\u202E/);
    expect((await browser().open(link.url)).text.match(/<script>/g)).toHaveLength(1);
    const csp = page.response.headers.get('content-security-policy')!;
    expect(csp).toContain("default-src 'none'");
    expect(csp).toContain("frame-ancestors 'none'");
    expect(csp).not.toContain('unsafe');
    expect(page.response.headers.get('cache-control')).toBe('no-store');
    expect(page.response.headers.get('referrer-policy')).toBe('same-origin');
  });

  it('keeps cookies out of reach, and answers whoever asks too often with nothing', async () => {
    const link = await opened();
    const begun = await browser().ask(`${link.url}/sign-in`);
    expect(begun.response.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-tripline-sign-in=[^;]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/),
    ]);
    stage.state.isTooOften = true;
    const { response } = await browser().open(link.url);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '3']);
  });

  it.each([
    ['application/json', 413],
    ['application/x-www-form-urlencoded', 413],
    ['text/plain', 415],
  ])('reads no more of %s than a passkey or a form has', async (type, status) => {
    const { id } = await opened();
    const body = JSON.stringify('x'.repeat(20 * 1024));
    for (const path of ['approve', 'passkey/use']) {
      const init = { method: 'POST', headers: { 'content-type': type }, body };
      expect((await fetch(`${stage.local}/step-up/${id}/${path}`, init)).status).toBe(status);
    }
  });
});
