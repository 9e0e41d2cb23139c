import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { haveChromium, startChromium } from '../packages/testing/chromium.ts';
import { startFakeGitHubSignIn } from '../packages/testing/fakes/github-sign-in.ts';
import type { NextSignIn } from '../packages/testing/fakes/openid-provider.ts';
import { freePorts } from '../packages/testing/ports.ts';
import { type FreshDatabase, freshDatabaseOn } from '../packages/testing/postgres/fresh-database.ts';
import { type Provider, startProvider, startStepUps } from '../packages/testing/services/step-ups.ts';

/** What only a browser tells: whether the pages' policy lets their own script and forms work, and whether they fit a phone. */
describe.skipIf(!haveChromium())('the pages of a step-up in Chromium, at phone size', () => {
  let database: FreshDatabase;
  let provider: Provider;
  let github: Awaited<ReturnType<typeof startFakeGitHubSignIn>>;
  let stage: Awaited<ReturnType<typeof startStepUps>>;
  let chromium: Awaited<ReturnType<typeof startChromium>>;
  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    // A host name: browsers make no passkey for an address.
    const publicUrl = `http://localhost:${port}`;
    database = await freshDatabaseOn(inject('postgresUrl'));
    provider = await startProvider(publicUrl);
    github = await startFakeGitHubSignIn();
    stage = await startStepUps(database.as('broker'), provider, { publicUrl, port }, github);
    chromium = await startChromium();
  }, 60_000);
  afterAll(async () => {
    await chromium?.close();
    await stage?.close();
    await provider?.close();
    await github?.close();
    await database?.close();
  });

  const titled = (title: string) =>
    vi.waitFor(
      async () => {
        expect(await chromium.evaluate('document.querySelector("h1")?.textContent')).toBe(title);
        expect(await chromium.evaluate('document.readyState')).toBe('complete');
        // Nothing to scroll sideways, whatever a branch is called.
        expect(await chromium.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      },
      { timeout: 20_000, interval: 50 },
    );
  const press = (selector: string) => chromium.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
  const signIn = (next: NextSignIn) => {
    provider.state.next = next;
  };

  test('a passkey is made, confirmed by another, used, and a run approved by it; another run is denied', async () => {
    const ref = `refs/heads/${'a-long-name-of-a-branch'.repeat(8)}<script>alert(1)</script>`;
    const of = stage.asking({ ref });
    const { url, number } = await stage.opened(of);
    signIn({ subject: 'ada@acme', acr: 'mfa' });
    await chromium.go(url);
    await titled('Something waits for your second factor');
    await press('a[href$="/sign-in"]');
    await titled('Do you stand for this run?');
    await press('a[href$="/passkey"]');
    await titled('Make a passkey');
    await press('button[data-passkey=make]');
    await titled('One more person');
    const confirmUrl = await chromium.evaluate('document.querySelector("code").textContent');
    signIn({ subject: 'mallory@acme', acr: 'mfa' });
    await chromium.go(String(confirmUrl));
    await titled('Somebody asks you to confirm a passkey');
    await press('a.button');
    await titled('Is this passkey theirs?');
    await press('form[action$="/yes"] button');
    await titled('Confirmed');

    await chromium.go(url);
    await titled('Something waits for your second factor');
    await press('button[data-passkey=use]');
    await titled('Do you stand for this run?');
    await chromium.evaluate(`document.querySelector('#number').value = '${number}'`);
    await press('form[action$="/approve"] button');
    await titled('You stand for this run');
    expect(await stage.approvalOf(of)).toMatchObject({ by: 'ada', isPhishingResistant: true });

    const again = stage.asking({ run: { id: '9', attempt: 2 } });
    await chromium.go((await stage.opened(again)).url);
    await titled('Something waits for your second factor');
    await press('button[data-passkey=use]');
    await titled('Do you stand for this run?');
    await press('form[action$="/refuse"] button');
    await titled('Denied');
    expect(await stage.approvalOf(again)).toEqual({ refusedBy: 'ada' });
    expect(chromium.complaints).toEqual([]);
  }, 120_000);

  test('somebody shows which account is theirs, another confirms it by the number, and they stand for a run', async () => {
    const of = stage.asking({ run: { id: '21', attempt: 1 }, actor: { id: '21', name: 'grace' } });
    const { url, number } = await stage.opened(of);
    const subject = `grace-${'whose-name-is-long-'.repeat(6)}@acme`;
    signIn({ subject, acr: 'phr' });
    github.state.next = { id: 21, login: 'grace' };
    await chromium.go(`${url}/sign-in`);
    await titled('Which GitHub account is yours?');
    await press('a.button');
    await titled('Are these both you?');
    await press('form button');
    await titled('One more person');
    const [confirmUrl, told] = await Promise.all(
      [0, 1].map((nth) => chromium.evaluate(`document.querySelectorAll("code")[${nth}].textContent`)),
    );
    signIn({ subject: 'mallory@acme', acr: 'mfa' });
    await chromium.go(String(confirmUrl));
    await titled('Somebody asks you to confirm who they are');
    await press('a.button');
    await titled('Are both of these them?');
    await chromium.evaluate(`document.querySelector('#number').value = '${told}'`);
    await press('form[action$="/yes"] button');
    await titled('Confirmed');
    signIn({ subject, acr: 'phr' });
    await chromium.go(`${url}/sign-in`);
    await titled('Do you stand for this run?');
    await chromium.evaluate(`document.querySelector('#number').value = '${number}'`);
    await press('form[action$="/approve"] button');
    await titled('You stand for this run');
    expect(await stage.approvalOf(of)).toMatchObject({ by: 'grace', isPhishingResistant: true });
    expect(chromium.complaints).toEqual([]);
  }, 120_000);
});
