import { inSmallLetters } from '@tripline/contracts/text';
import { credentialHash } from '@tripline/runtime/redact';
import { z } from 'zod';
import type { Outcome } from '../outcome.ts';
import { appClient, endToken, type GitHubApp, NoTokenError } from './app-token.ts';
import { outcomeOf, outcomeOfError } from './classify.ts';
import {
  createGitHubClient,
  type GitHubAnswer,
  type GitHubClient,
  type GitHubRequest,
  messageOf,
  ownerAndRepo,
} from './client.ts';

/** What GitHub asked of an App that is a protection rule of an environment: by ids, and what the environment is called. */
export type GateQuestion = { installation: string; repositoryId: string; runId: string; environment: string };

/** What may be asked and said about one question, by a token for its repository alone. */
export type GateAccess = {
  /** Its token as the provider's audit log names it, by the base64 SHA-256 of its value; it is used for nothing before `work` asks. */
  token: { hash: string; expiresAtMs: number };
  /**
   * The run as it is now: its attempt, whether it ended, so that nothing waits any more, whose repository it is of, and who set it off
   * at first, whoever ran it again: whom the id tokens of its jobs name. Null of an account that there is no more.
   */
  run: () => Promise<Reply<{ attempt: number; isOver: boolean; ownerId: string; actor: Actor | null }>>;
  /** Whether a deployment of the run to the environment waits, for whomever. */
  waits: () => Promise<Reply<boolean>>;
  /** Says yes, no or, without `state`, what it waits for; `give-up`: GitHub does not take it. */
  say: (word: { state?: 'approved' | 'rejected'; comment: string }) => Promise<Outcome>;
};
type Actor = { id: string; name: string };
export type Reply<Value> =
  | { result: 'answered'; value: Value }
  | { result: 'refused'; outcome: Exclude<Outcome, { kind: 'done' }> };

export type GitHubGate = {
  /** Calls `work` with an access for one question, and ends the access however `work` ends. */
  ask: <T>(question: GateQuestion, work: (access: GateAccess) => Promise<T>) => Promise<Reply<T>>;
};

/** A status report may have so many characters, and one deployment ten of them. */
export const longestComment = 1024;

const permissions = { actions: 'read', deployments: 'write' } as const;
/** What GitHub does not say of itself; it is so. */
const tokenLivesMs = 3_600_000;
const tokenAnswer = z.object({
  token: z.string(),
  repository_selection: z.unknown().optional(),
  expires_at: z.iso.datetime({ offset: true }).optional(),
  repositories: z.array(z.object({ id: z.int(), full_name: z.string().regex(/^[^/\s]+\/[^/\s]+$/) })).length(1),
});
const runAnswer = z.object({
  id: z.int(),
  run_attempt: z.int().positive(),
  status: z.string().nullable(),
  actor: z.object({ id: z.int(), login: z.string() }).nullish(),
  repository: z.object({ id: z.int(), owner: z.object({ id: z.int() }) }),
});
const pendingAnswer = z.array(z.object({ environment: z.object({ name: z.string() }) }));

/**
 * Answers GitHub for the Apps that are asked: which one is told by the installation, which is one App's alone. The address is made
 * of the configured API, the name that the repository has now by its id, and the run's id; the one in the question is not called.
 * https://docs.github.com/actions/how-tos/deploy/configure-and-manage-deployments/create-custom-protection-rules
 */
export function createGitHubGate(
  apps: readonly GitHubApp[],
  { nowMs, onLeftAlive }: { nowMs: () => number; onLeftAlive: (reason: string) => void },
): GitHubGate {
  /** Apps by installation, so that others are not asked again. */
  const appOf = new Map<string, GitHubApp>();
  return {
    async ask(question, work) {
      const opened = await open(question, appOf, apps, nowMs);
      if (opened.result === 'refused') return opened;
      const { client, repository, token } = opened.value;
      try {
        return { result: 'answered', value: await work({ token, ...accessTo(question, repository, client, nowMs) }) };
      } finally {
        // Nobody waits for it: what was to be said is said.
        void endToken(client).then((why) => why !== undefined && onLeftAlive(why));
      }
    },
  };
}

type Opened = { client: GitHubClient; repository: string; token: GateAccess['token'] };

async function open(
  { installation, repositoryId }: GateQuestion,
  appOf: Map<string, GitHubApp>,
  apps: readonly GitHubApp[],
  nowMs: () => number,
): Promise<Reply<Opened>> {
  const known = appOf.get(installation);
  for (const app of known === undefined ? apps : [known]) {
    const request = {
      route: 'POST /app/installations/{installation_id}/access_tokens',
      parameters: { installation_id: installation, repository_ids: [Number(repositoryId)], permissions },
    };
    let own: GitHubClient;
    try {
      own = await appClient(app);
    } catch (error) {
      if (!(error instanceof NoTokenError)) throw error;
      return { result: 'refused', outcome: error.outcome };
    }
    const sent = await send(own, request, nowMs);
    if (sent.result === 'refused') {
      // Another App's installation is not there for this one.
      if (known === undefined && sent.status === 404) continue;
      if (sent.status === 404) appOf.delete(installation);
      return sent.status === 422 ? refused('not-permitted', needed) : sent;
    }
    const read = tokenAnswer.safeParse(sent.value.data);
    const isOther = !read.success || String(read.data.repositories[0]!.id) !== repositoryId;
    if (isOther || read.data.repository_selection === 'all') return unused(app, sent.value.data);
    appOf.set(installation, app);
    const client = clientBy(app, read.data.token);
    const { token: value, expires_at, repositories } = read.data;
    const expiresAtMs = expires_at === undefined ? nowMs() + tokenLivesMs : Date.parse(expires_at);
    const token = { hash: credentialHash(value), expiresAtMs };
    return { result: 'answered', value: { client, repository: repositories[0]!.full_name, token } };
  }
  return refused(
    'no-app',
    `installation ${installation}, which was asked, is of no App in broker.apps or github.app: configure the App that is the protection rule`,
  );
}

function clientBy({ apiUrl, fetch, timeoutMs }: GitHubApp, token: string): GitHubClient {
  const bearer = { apiUrl, fetch, authorization: `token ${token}`, manner: 'once' as const };
  return createGitHubClient({ ...bearer, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
}

/** Revokes a token that is not the one that was asked for, and says which it was. */
async function unused(app: GitHubApp, said: unknown): Promise<Extract<Reply<never>, { result: 'refused' }>> {
  const message = 'GitHub’s answer to a request for a token of one repository names another, several or none';
  const { token } = (said ?? {}) as { token?: unknown };
  if (typeof token !== 'string' || token === '') return refused('unexpected', message);
  const left = await endToken(clientBy(app, token));
  const became = left === undefined ? 'was revoked' : `could not be revoked (${left}): it expires by itself`;
  return refused('unexpected', `${message}; the token, sha256:${credentialHash(token)}, ${became}`);
}

const needed =
  'the App that is asked may not answer: grant it deployments: write and actions: read, and install it on the repository';

function accessTo(
  { repositoryId, runId, environment }: GateQuestion,
  repository: string,
  client: GitHubClient,
  nowMs: () => number,
): Omit<GateAccess, 'token'> {
  const ofRun = (route: string, more: object = {}): GitHubRequest => ({
    route,
    parameters: { ...ownerAndRepo(repository), run_id: runId, ...more },
  });
  return {
    async run() {
      const sent = await send(client, ofRun('GET /repos/{owner}/{repo}/actions/runs/{run_id}'), nowMs);
      if (sent.result === 'refused') return sent;
      const read = runAnswer.safeParse(sent.value.data);
      if (!read.success || String(read.data.id) !== runId || String(read.data.repository.id) !== repositoryId)
        return refused('unexpected', 'GitHub told of another run, or in a form that is not known');
      const { run_attempt: attempt, status, repository: of, actor: by } = read.data;
      const actor = by ? { id: String(by.id), name: by.login } : null;
      return {
        result: 'answered',
        value: { attempt, actor, isOver: status === 'completed', ownerId: String(of.owner.id) },
      };
    },
    async waits() {
      const route = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments';
      const sent = await send(client, ofRun(route), nowMs);
      if (sent.result === 'refused') return sent.status === 404 ? { result: 'answered', value: false } : sent;
      const read = pendingAnswer.safeParse(sent.value.data);
      if (!read.success) return refused('unexpected', 'GitHub told what waits in a form that is not known');
      const isSame = (name: string) => inSmallLetters(name) === inSmallLetters(environment);
      return { result: 'answered', value: read.data.some((one) => isSame(one.environment.name)) };
    },
    async say({ state, comment }) {
      const word = {
        environment_name: environment,
        ...(state && { state }),
        comment: comment.slice(0, longestComment),
      };
      const route = 'POST /repos/{owner}/{repo}/actions/runs/{run_id}/deployment_protection_rule';
      const sent = await send(client, ofRun(route, word), nowMs);
      return sent.result === 'answered' ? { kind: 'done' } : sent.outcome;
    },
  };
}

/** One request. What is not a success is `refused`, with what it advises; 404 is none here. */
async function send(
  client: GitHubClient,
  request: GitHubRequest,
  nowMs: () => number,
): Promise<
  { result: 'answered'; value: GitHubAnswer } | (Extract<Reply<never>, { result: 'refused' }> & { status?: number })
> {
  let answer: GitHubAnswer;
  try {
    answer = await client.send(request);
  } catch (error) {
    return { result: 'refused', outcome: outcomeOfError(error) as Exclude<Outcome, { kind: 'done' }> };
  }
  const { status } = answer;
  if (status >= 200 && status < 300) return { result: 'answered', value: answer };
  const outcome = outcomeOf(answer, nowMs());
  if (outcome.kind !== 'done') return { result: 'refused', outcome, status };
  return { ...refused('not-found', `GitHub answered ${status}: ${messageOf(answer)}`), status };
}

const refused = (reason: string, message: string): Extract<Reply<never>, { result: 'refused' }> => ({
  result: 'refused',
  outcome: { kind: 'give-up', reason, message },
});
