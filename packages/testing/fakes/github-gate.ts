import { generateKeyPairSync } from 'node:crypto';
import { type FakeAnswer, type FakeRequest, startFakeService } from '../integration.conformance.ts';

const keyPair = () =>
  generateKeyPairSync('rsa', {
    ...{ modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });

export type Word = { environment: string; state: 'approved' | 'rejected' | undefined; comment: string };

/**
 * GitHub as far as one deployment goes that waits for a custom protection rule: run 9 of acme/api (id 74), asked of installation
 * 4711. For tests only.
 */
export async function startFakeGate() {
  const words: Word[] = [];
  const tokens = new Set<string>();
  let minted = 0;
  const github = {
    privateKey: keyPair().privateKey,
    words,
    /** How often a token was made, and those that live. */
    minted: () => minted,
    alive: () => tokens.size,
    /** Every token that was made. */
    values: [] as string[],
    attempt: 1,
    /** Who set the run off at first. */
    actor: { id: 3, login: 'ada' },
    status: 'waiting',
    /** Environments that wait, for whomever. */
    waiting: new Set(['production']),
    /** Reviewers are asked too, so that it waits on after our word. */
    hasReviewers: false,
    /** Answers in the place of GitHub. */
    instead: undefined as ((request: FakeRequest) => FakeAnswer | undefined) | undefined,
  };
  const service = await startFakeService((request) => github.instead?.(request) ?? answer(request));

  function answer({ method, path, headers, body }: FakeRequest): FakeAnswer {
    const route = `${method} ${path.split('?')[0]}`;
    const token = /^token (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    if (route === 'POST /app/installations/4711/access_tokens') {
      const { repository_ids: ids } = JSON.parse(body) as { repository_ids: number[] };
      if (ids.length !== 1 || ids[0] !== 74) return json(422, { message: 'no such repository' });
      minted += 1;
      const value = `ghs_${String(minted).padStart(36, '0')}`;
      tokens.add(value);
      github.values.push(value);
      return json(201, { token: value, repositories: [{ id: 74, full_name: 'acme/api' }] });
    }
    if (!tokens.has(token))
      return token === '' ? json(404, { message: 'Not Found' }) : json(401, { message: 'Bad credentials' });
    if (route === 'DELETE /installation/token') return tokens.delete(token) ? { status: 204 } : { status: 401 };
    const run = '/repos/acme/api/actions/runs/9';
    if (route === `GET ${run}`)
      return json(200, {
        id: 9,
        run_attempt: github.attempt,
        status: github.status,
        actor: github.actor,
        repository: { id: 74, owner: { id: 65 } },
      });
    if (route === `GET ${run}/pending_deployments`)
      return json(
        200,
        [...github.waiting].map((name) => ({ environment: { name } })),
      );
    if (route === `POST ${run}/deployment_protection_rule`) {
      const word = JSON.parse(body) as { environment_name: string; state?: 'approved'; comment: string };
      if (!github.waiting.has(word.environment_name)) return json(422, { message: 'nothing waits' });
      words.push({ environment: word.environment_name, state: word.state, comment: word.comment });
      if (word.state !== undefined && !github.hasReviewers) github.waiting.delete(word.environment_name);
      return { status: 204 };
    }
    return json(404, { message: 'Not Found' });
  }
  return Object.assign(github, { url: service.url, requests: service.requests, close: service.close });
}
export type FakeGate = Awaited<ReturnType<typeof startFakeGate>>;

const json = (status: number, body: unknown): FakeAnswer => ({ status, body: JSON.stringify(body) });
