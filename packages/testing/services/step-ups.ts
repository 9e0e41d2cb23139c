import { exampleLock, examplePolicies } from '@tripline/access/access.example';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { createStepUps, standsFor, type ToStandFor } from '@tripline/broker/step-up';
import { type Answer, answerPrompt } from '@tripline/broker/store/approvals';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import { createOutbound } from '@tripline/integrations/outbound';
import { createHttp } from '@tripline/runtime/http';
import { createLogger } from '@tripline/runtime/logger';
import { createBrowser } from '../browser.ts';
import { type NextSignIn, startOpenIdProvider } from '../fakes/openid-provider.ts';

const publicUrl = 'https://access.acme.example';
const clientAt = (url: string) => ({
  ...{ id: 'tripline', secret: 'a-secret-of-the-client', redirectUri: `${url}/step-up/callback` },
});
export const client = clientAt(publicUrl);
const file = readPolicies(examplePolicies);
const lock = readLock(exampleLock);
const policy = file.policies['deploy-api']!;
const sha = '41ab'.repeat(10);

export const startProvider = (url = publicUrl) => startOpenIdProvider(clientAt(url));
export type Provider = Awaited<ReturnType<typeof startProvider>>;
type AnyProvider = Pick<Provider, 'issuer' | 'state'>;

/** A hidden field of a form. */
export const field = (text: string, name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(text)?.[1] ?? '';

/**
 * Step-ups over a given database and provider, as browsers reach them at `publicUrl`: ada is account 11, mallory 12. Of the policies
 * of the example, deploy-api is asked for. For tests only.
 */
export async function startStepUps(
  db: Db,
  provider: AnyProvider,
  at: { publicUrl: string; port: number } = { publicUrl, port: 0 },
  github?: { url: string; apiUrl: string; client: { id: string; secret: string } },
) {
  const state = { aheadMs: 0, isLogAway: false, isTooOften: false };
  const appended: TriplineEvent[] = [];
  const answers: { answer: string; seconds: number }[] = [];
  provider.state.authorizations.length = 0;
  const stepUps = createStepUps({
    githubApiUrl: github?.apiUrl ?? 'https://api.github.com',
    settings: {
      ...{ publicUrl: at.publicUrl, instance: 'github.com' },
      ...(github && { github: { clientId: github.client.id, clientSecret: github.client.secret, url: github.url } }),
      people: [
        { account: '11', name: 'ada', subject: 'ada@acme' },
        { account: '12', name: 'mallory', subject: 'mallory@acme' },
      ],
      oidc: {
        ...{ issuer: provider.issuer, clientId: client.id, clientSecret: client.secret, alsoAt: [] },
        acrValues: { any: ['mfa'], phishingResistant: ['phr'] },
        amrValues: { any: [], phishingResistant: ['hwk'] },
        accountClaim: 'github_id',
      },
    },
    sealingKeys: ['a-sealing-key-of-tests-alone'],
    db,
    clock: { nowMs: () => Date.now() + state.aheadMs } as never,
    logger: createLogger({ service: 'test', level: 'silent' }),
    openOutbound: createOutbound,
    answered: (answer, seconds) => void answers.push({ answer, seconds }),
    take: () => (state.isTooOften ? { ok: false, retryAfterS: 3 } : { ok: true }),
    async append(events) {
      if (state.isLogAway) throw new Error('the log is away');
      appended.push(...events);
    },
  });
  const app = createHttp({ ready: async () => {} });
  stepUps.routes(app);
  const local = await app.listen({ port: at.port, host: '127.0.0.1' });

  const browser = () =>
    createBrowser((url) => (url.origin === publicUrl ? new URL(url.pathname + url.search, local) : url));
  const asking = (change: object = {}, other: Partial<ToStandFor> = {}): ToStandFor => {
    const job = {
      ...{ provider: 'github', cautions: [], repository: { id: '74', name: 'acme/api' }, sha },
      ...{ run: { id: '9', attempt: 1 }, ref: 'refs/heads/main', event: 'push', environment: 'production' },
      ...{ actor: { id: '11', name: 'ada' }, ...change },
    } as unknown as ToStandFor['job'];
    const run = `acme/github/github.com/74/${job.run.id}/${job.run.attempt}`;
    return {
      ...{ workspace: 'acme', instance: 'github.com', run, policyName: 'deploy-api', policy, lock },
      job,
      ...other,
    };
  };
  const opened = async (of = asking()) => {
    const link = await stepUps.open(of);
    if (link.state !== 'open') throw new Error(link.why);
    return link;
  };
  /** Signs in as the test says, and gets to the page. */
  const signedIn = async (url: string, next: Partial<NextSignIn> = {}) => {
    provider.state.next = { subject: 'ada@acme', acr: 'phr', ...next } as NextSignIn;
    const by = browser();
    return { by, page: await by.open(`${url}/sign-in`) };
  };
  return {
    ...{ state, appended, answers, stepUps, browser, asking, opened, signedIn, local },
    /** Ada answers, without a page. */
    answer: (id: string, answer: Answer) => {
      const proof = { account: { id: '11', name: 'ada' }, method: 'oidc', isPhishingResistant: true } as const;
      const nowMs = Date.now() + state.aheadMs;
      const record = async () => {};
      return answerPrompt(db, id, answer, { ...proof, provedAtMs: nowMs, restsOn: null }, { nowMs, record });
    },
    approvalOf: (of = asking()) => stepUps.approvalFor(standsFor(of)),
    async approved(link: { url: string; number: string }, next: Partial<NextSignIn> = {}, number = link.number) {
      const { by, page } = await signedIn(link.url, next);
      return by.post(`${link.url}/approve`, { token: field(page.text, 'token'), number });
    },
    close: () => app.close(),
  };
}
export const example = { publicUrl, file, lock, policy, sha };
