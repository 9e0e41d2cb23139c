import { clip } from '@tripline/contracts/text';
import type { Clock } from '@tripline/runtime/clock';
import { credentialHash } from '@tripline/runtime/redact';
import { z } from 'zod';
import type { MintAnswer, Minted, Minter, MintOrder, Revocable, Revoked } from '../minter.ts';
import type { Check } from '../provider.ts';
import { appClient, type GitHubApp, NoTokenError } from './app-token.ts';
import { outcomeOf, saysTokenIsNone } from './classify.ts';
import {
  createGitHubClient,
  type GitHubAnswer,
  type GitHubClient,
  GitHubRefusedError,
  messageOf,
  NoAnswerError,
  quoted,
} from './client.ts';

/** Each of 50 repositories is told with some ten kilobytes. */
const mostAnswerBytes = 4 * 1024 * 1024;
const defaultTimeoutMs = 8000;
/** As long as GitHub lets every installation token live. */
const mostLifeMs = 3_600_000;
/** What may stand in a header. GitHub has two formats of tokens, and says that others may come: none is parsed. */
const opaqueToken = /^[\x21-\x7e]{16,4096}$/;
const levels = ['read', 'write', 'admin'];

/** What GitHub says of a token beside the token; what it does not say cannot be held against what was asked for. */
const saidOfToken = z.object({
  expires_at: z.iso.datetime({ offset: true }),
  permissions: z.record(z.string(), z.string()),
  repositories: z.array(z.object({ id: z.int() })),
  repository_selection: z.unknown().optional(),
});

type Wanted = { owner: string; ids: number[]; permissions: Readonly<Record<string, string>> };
type Refused = Extract<MintAnswer, { result: 'refused' }>;

/**
 * Installation tokens of one App, narrowed to repositories, by their pinned ids, and permissions. GitHub lets them live for an hour
 * and cannot be asked for less; it revokes one for whoever bears it alone, so that its value is kept. They bear no name, so that one
 * whose answer was lost cannot be found again: it expires.
 * https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
 */
export function createGitHubMinter(app: GitHubApp, { clock }: { clock: Clock }): Minter<'github'> {
  const { apiUrl, timeoutMs = defaultTimeoutMs } = app;
  const bearer: GitHubApp = { ...app, timeoutMs, mostAnswerBytes };
  const bearing = (token: string) =>
    createGitHubClient({
      ...{ apiUrl, fetch: app.fetch, timeoutMs, mostAnswerBytes },
      ...{ authorization: `token ${token}`, manner: 'once' },
    });
  /** Ids of the App's installations by the id of the account, cached: one call less before a mint. */
  const installations = new Map<string, string>();

  async function mint(order: MintOrder<'github'>): Promise<MintAnswer> {
    const wanted = wantedOf(order);
    if ('result' in wanted) return wanted;
    let client: GitHubClient;
    try {
      client = await appClient(bearer);
    } catch (error) {
      if (!(error instanceof NoTokenError)) throw error;
      const { kind, reason, message } = error.outcome;
      return { ...refused(reason, message), retry: kind === 'retry' };
    }
    const cached = installations.get(wanted.owner);
    let installation = cached ?? (await findInstallation(client, wanted.owner));
    if (typeof installation === 'object') return installation;
    let answer = await askForToken(client, installation, wanted);
    // Reinstalled since it was looked up, the App has another installation id.
    if ('status' in answer && answer.status === 404 && cached !== undefined) {
      installations.delete(wanted.owner);
      installation = await findInstallation(client, wanted.owner);
      if (typeof installation === 'object') return installation;
      answer = await askForToken(client, installation, wanted);
    }
    return 'result' in answer ? answer : readToken(answer, wanted, installation);
  }

  /** The id of the App's installation on an account, by the account's id: its name may be another's by now. */
  async function findInstallation(client: GitHubClient, owner: string): Promise<string | Refused> {
    try {
      const all = client.list<{ id?: unknown; account?: { id?: unknown } | null }>({
        route: 'GET /app/installations',
        parameters: {},
      });
      for await (const { id, account } of all) {
        if (String(account?.id) !== owner || !Number.isSafeInteger(id)) continue;
        installations.set(owner, String(id));
        return String(id);
      }
    } catch (error) {
      if (error instanceof GitHubRefusedError) return refusalOf(error.answer);
      const { reason, message } = silenceOf(error);
      return { ...refused(reason, message), retry: true };
    }
    const message = `App ${app.id} is not installed on account ${owner}, whose repositories the policy names; install it there`;
    return refused('not-installed', message);
  }

  async function askForToken(
    client: GitHubClient,
    installation: string,
    { ids, permissions }: Wanted,
  ): Promise<GitHubAnswer | MintAnswer> {
    try {
      return await client.send({
        route: 'POST /app/installations/{installation_id}/access_tokens',
        parameters: { installation_id: installation, repository_ids: ids, permissions },
      });
    } catch (error) {
      return { result: 'unknown', ...silenceOf(error) };
    }
  }

  async function readToken(answer: GitHubAnswer, wanted: Wanted, installation: string): Promise<MintAnswer> {
    // A gateway may give up on what GitHub then does.
    if (answer.status >= 500) {
      return { result: 'unknown', reason: 'provider-failed', message: `GitHub answered ${answer.status}` };
    }
    if (answer.status < 200 || answer.status >= 300) return refusalOf(answer, wanted);
    const value = (answer.data as { token?: unknown } | null)?.token;
    if (typeof value !== 'string' || !opaqueToken.test(value)) {
      const message = 'GitHub’s answer holds no token that can be read';
      return { result: 'unknown', reason: 'unreadable', message };
    }
    const said = saidOfToken.safeParse(answer.data);
    const fault = said.success
      ? faultOf(said.data, wanted, clock.nowMs())
      : 'does not say what it may do, where and until when';
    if (!said.success || fault !== undefined) return takeBack(value, fault!, installation);
    const { permissions, expires_at } = said.data;
    const scopes = Object.entries(permissions).map(([name, level]) => `${name}:${level}`);
    const minted: Minted = {
      credential: { token: value },
      handle: { installation },
      keep: value,
      tokenHash: credentialHash(value),
      expiresAtMs: Date.parse(expires_at),
      scopes: [...scopes.sort(), ...said.data.repositories.map(({ id }) => `repository:${id}`)],
    };
    return { result: 'minted', minted };
  }

  /** Revokes what may do more than was asked for, or of which that is not known; nobody gets it. */
  async function takeBack(value: string, fault: string, installation: string): Promise<MintAnswer> {
    const message = `GitHub gave a token that ${fault}`;
    const { result } = await revoke({ handle: {}, value });
    if (result === 'dead') return refused('other-than-asked', `${message}; it was revoked`);
    // When it expires is not taken from an answer that says what nobody asked for.
    const expiresAtMs = clock.nowMs() + mostLifeMs;
    const left = { handle: { installation }, keep: value, tokenHash: credentialHash(value), expiresAtMs };
    return { result: 'unknown', reason: 'other-than-asked', message: `${message}, and could not be revoked yet`, left };
  }

  async function revoke({ value }: Revocable): Promise<Revoked> {
    if (value === undefined) {
      const message = 'GitHub revokes a token for its bearer alone, and its value was not kept: it expires by itself';
      return { result: 'not-yet', retry: false, reason: 'no-value', message };
    }
    try {
      const answer = await bearing(value).send({ route: 'DELETE /installation/token', parameters: {} });
      if (answer.status === 204) return { result: 'dead', by: 'revoked' };
      if (saysTokenIsNone(answer)) return { result: 'dead', by: 'dead-already' };
      const message = `GitHub does not revoke the token: ${messageOf(answer)}`;
      const outcome = outcomeOf(answer, clock.nowMs());
      // Only its own word is one: "not there" of something in between is none.
      if (outcome.kind === 'done') return { result: 'not-yet', retry: true, reason: 'unexpected', message };
      const { reason } = outcome;
      // A 401 in other words is something's in between, which may let the next one through.
      if (outcome.kind === 'give-up') return { result: 'not-yet', retry: answer.status === 401, reason, message };
      const { afterMs } = outcome;
      return { result: 'not-yet', retry: true, reason, message, ...(afterMs === undefined ? {} : { afterMs }) };
    } catch (error) {
      return { result: 'not-yet', retry: true, ...silenceOf(error) };
    }
  }

  /** By a read that every installation token may do; dead is what GitHub calls bad credentials. */
  async function check({ value }: Revocable): Promise<Check> {
    if (value === undefined) return { result: 'unknown', detail: 'its value was not kept' };
    try {
      const request = { route: 'GET /installation/repositories', parameters: { per_page: 1 } };
      const answer = await bearing(value).send(request);
      if (saysTokenIsNone(answer)) return { result: 'dead', detail: 'GitHub answers 401 to it' };
      if (answer.status === 200) return { result: 'alive', detail: 'GitHub takes it' };
      return { result: 'unknown', detail: `GitHub answers ${answer.status} to it` };
    } catch (error) {
      return { result: 'unknown', detail: silenceOf(error).message };
    }
  }

  function refusalOf(answer: GitHubAnswer, wanted?: Wanted): Refused {
    const message = `GitHub gives App ${app.id} no token: ${messageOf(answer)}`;
    const { status } = answer;
    if (status === 401) {
      return refused('unauthorised', `${message}; check id and key in broker.apps, and this machine’s clock`);
    }
    if (status === 422 && wanted !== undefined) {
      const asked = Object.entries(wanted.permissions).map(([name, level]) => `${name}: ${level}`);
      const where = `repositories ${wanted.ids.join(', ')}`;
      return refused('not-permitted', `${message}; it needs ${asked.join(', ')} and to be installed on ${where}`);
    }
    if (status === 404 && wanted !== undefined) {
      const where = wanted.ids.join(', ');
      return refused(
        'not-found',
        `${message}; install the App on repositories ${where}, or correct its id in broker.apps`,
      );
    }
    const outcome = outcomeOf(answer, clock.nowMs());
    if (outcome.kind === 'give-up') return refused(outcome.reason, message);
    if (outcome.kind === 'done') return refused('not-found', message);
    const { reason, afterMs } = outcome;
    return { ...refused(reason, message), retry: true, ...(afterMs === undefined ? {} : { afterMs }) };
  }

  return { kind: 'github', mint, revoke, check, mostLifeMs };
}

/** What to ask for, by ids. A name that is not pinned is nobody's, and no list at all would mean every repository. */
function wantedOf({ give: { repositories, permissions }, pins }: MintOrder<'github'>): Wanted | Refused {
  const found = repositories.map((name) => pins[name]);
  const without = repositories.filter((_, nth) => !/^\d{1,15}$/.test(found[nth]?.id ?? ''));
  if (without.length > 0 || repositories.length === 0) {
    return refused('not-pinned', `${without.join(', ')} not pinned by id: run tripline access lock`);
  }
  const owners = new Set(found.map((pin) => pin!.owner));
  if (owners.size > 1) {
    return refused('several-owners', 'One token is of one account: give repositories of each in an entry of its own');
  }
  return { owner: [...owners][0]!, ids: found.map((pin) => Number(pin!.id)), permissions };
}

/** What a token may do beyond what was asked for, or where it is not said to be valid; GitHub adds the reading of metadata to every other permission. */
function faultOf(said: z.output<typeof saidOfToken>, wanted: Wanted, nowMs: number): string | undefined {
  const asked: Readonly<Record<string, string>> = { metadata: 'read', ...wanted.permissions };
  const wider = Object.entries(said.permissions).find(
    ([name, level]) => !levels.includes(level) || levels.indexOf(level) > levels.indexOf(asked[name] ?? ''),
  );
  if (wider !== undefined) {
    const [name, level] = wider.map((said) => clip(quoted(said), 64));
    return `may ${level} ${name}, which was not asked for`;
  }
  const other = said.repositories.find(({ id }) => !wanted.ids.includes(id));
  if (other !== undefined) return `is valid for repository ${other.id}, which was not asked for`;
  if (said.repository_selection === 'all') return 'is valid for every repository, which was not asked for';
  const without = wanted.ids.find((id) => !said.repositories.some((one) => one.id === id));
  if (without !== undefined) return `is not said to be valid for repository ${without}, which was asked for`;
  return Date.parse(said.expires_at) > nowMs ? undefined : 'has expired: check this machine’s clock';
}

function silenceOf(error: unknown): { reason: string; message: string } {
  if (error instanceof NoAnswerError) return { reason: error.reason, message: error.message };
  // Whatever else is thrown may bear a request, and with it a credential.
  return { reason: 'failed', message: 'the call to GitHub failed' };
}

function refused(reason: string, message: string): Refused {
  return { result: 'refused', retry: false, reason, message };
}
