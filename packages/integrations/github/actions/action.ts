import type { Intent, PersonRef, StepTargets } from '@tripline/contracts/response';
import type { Clock } from '@tripline/runtime/clock';
import type { Outcome } from '../../outcome.ts';
import type * as provider from '../../provider.ts';
import type { Check, Known } from '../../provider.ts';
import type { TokenScope } from '../app-token.ts';
import { outcomeOf, outcomeOfError } from '../classify.ts';
import {
  type GitHubAnswer,
  type GitHubClient,
  GitHubRefusedError,
  type GitHubRequest,
  messageOf,
  NoAnswerError,
  ownerAndRepo,
} from '../client.ts';

/** What GitHub says before a step is carried out. `now`: the step by the login that its account bears today. */
export type Asked =
  | (Extract<provider.Asked, { result: 'so' }> & { now?: Intent })
  | Exclude<provider.Asked, { result: 'so' }>;

/** One thing that can be done at GitHub about a finding. Each file beside this one is one. */
export type Action<Step extends Intent = Intent> = {
  /** Its code in the response catalogue (README.md of this integration and contracts/response.ts). */
  code: string;
  /** Whether it can be undone completely. */
  reversible: boolean;
  /** How to give it back, or "irreversible" and what to do instead. */
  undo: (step: Step) => string;
  /** Whom and what it touches: the guard holds it against those whom nothing automatic may touch. */
  targets: (step: Step) => StepTargets;
  /** The permissions of its token. */
  scope: (step: Step) => TokenScope;
  /** The request that a dry run shows, and that `act` sends first. */
  request: (step: Step) => GitHubRequest;
  /**
   * Asks GitHub, reading only, whether what the step is to end is so. Never throws: no answer is `unknown`. By the
   * provider's ids, which are never reused: a name could be chosen to look like a credential, so that it is redacted in
   * the event, and a lookup by name would then miss the target.
   */
  ask: (step: Step, context: Asking) => Promise<Asked>;
  /** Never throws: no answer is an outcome. Doing it twice is the same as doing it once. */
  act: (step: Step, context: ActionContext) => Promise<Outcome>;
  /** Asks GitHub, reading only. Never throws: no answer is `unknown`. */
  check: (step: Step, context: Pick<ActionContext, 'client'>) => Promise<Check>;
};

/** What a question is asked with. */
export type Asking = Pick<ActionContext, 'client' | 'clock' | 'appId' | 'ownInstallationOn'>;

export type ActionContext = {
  client: GitHubClient;
  clock: Clock;
  /** Number of the App whose token the client bears. */
  appId?: string | undefined;
  /** The number of that App's own installation on an organisation; undefined where it has none. Never throws. */
  ownInstallationOn?: ((organization: string) => Promise<Known<string | undefined>>) | undefined;
  /** Revokes tokens by their values, with no credential of ours: GitHub wants it so. */
  revokeByValue?: ((tokens: readonly string[]) => Promise<Outcome>) | undefined;
  /** Called right before each request that changes something; rejects when the kill switch is on. */
  gate: () => Promise<void>;
};

/** Sends a request that changes something, if the gate is still open. */
export async function change(request: GitHubRequest, context: ActionContext): Promise<GitHubAnswer | Outcome> {
  await context.gate();
  try {
    return await context.client.send(request);
  } catch (error) {
    return outcomeOfError(error);
  }
}

/** `act` of an action that is one request. The answer is classified by `outcomeOf`, unless `special` decides. */
export async function changeOnce(
  request: GitHubRequest,
  context: ActionContext,
  special: (answer: GitHubAnswer) => Outcome | undefined = () => undefined,
): Promise<Outcome> {
  const answer = await change(request, context);
  if ('kind' in answer) return answer;
  return special(answer) ?? outcomeOf(answer, context.clock.nowMs());
}

/** What an action is to change one by one, or why it cannot be listed. A refused listing is never taken for an empty one. */
export async function listed<T>(context: ActionContext, list: () => Promise<T[]>): Promise<T[] | Outcome> {
  await context.gate();
  try {
    return await list();
  } catch (error) {
    if (!(error instanceof GitHubRefusedError)) return outcomeOfError(error);
    const outcome = outcomeOf(error.answer, context.clock.nowMs());
    return outcome.kind === 'done' ? { kind: 'give-up', reason: 'forbidden', message: error.message } : outcome;
  }
}

/**
 * `act` of an action that is a request for each of several things. It ends at the first that is not done; `done` says in a word
 * what the others are. What was there is evidence: the first twenty are told by `name`.
 */
export async function changeEach<One>(
  context: ActionContext,
  list: () => Promise<One[]>,
  { request, done, name }: { request: (one: One) => GitHubRequest; done: string; name: (one: One) => string },
): Promise<Outcome> {
  const all = await listed(context, list);
  if ('kind' in all) return all;
  for (const one of all) {
    const outcome = await changeOnce(request(one), context);
    if (outcome.kind !== 'done') return outcome;
  }
  return {
    kind: 'done',
    reason: 'accepted',
    message: `${all.length} ${done}: ${all.slice(0, 20).map(name).join(', ')}`,
  };
}

/** Targets of no kind, as a base for an action's `targets`. */
export const noTargets: StepTargets = { people: [], runners: [], repositories: [] };

/** Runs a question for a value; errors are handled as by {@link asked}. */
export async function known<Value>(clock: Clock, ask: () => Promise<Value>): Promise<Known<Value>> {
  let value: Value | undefined;
  const answer = await asked(clock, async () => {
    value = await ask();
    return { result: 'so', detail: '' };
  });
  return answer.result === 'unknown' ? answer : { result: 'known', value: value as Value };
}

/** Runs a question. GitHub refusing, failing or not answering becomes `unknown`, never `not-so`. */
export async function asked(clock: Clock, ask: () => Promise<Asked>): Promise<Asked> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof GitHubRefusedError) return undecided(error.answer, clock);
    const outcome = outcomeOfError(error);
    return { result: 'unknown', reason: outcome.reason ?? 'unreachable', detail: outcome.message ?? '' };
  }
}

/** Turns an answer that does not decide the question into `unknown`. */
export function undecided(answer: GitHubAnswer, clock: Clock): Asked {
  const outcome = outcomeOf(answer, clock.nowMs());
  return {
    result: 'unknown',
    // A successful answer that cannot be read, or a missing listing, says nothing about the target.
    reason: outcome.kind === 'done' ? 'unclear' : outcome.reason,
    detail: `GitHub answered ${answer.status}: ${messageOf(answer)}`.slice(0, 300),
    afterMs: outcome.kind === 'retry' ? outcome.afterMs : undefined,
  };
}

/** Asks for one thing at its own address: 404 is `not-so`; `read` decides on 200 and 204. */
export async function askByAddress(
  { client, clock }: Asking,
  request: GitHubRequest,
  says: { absent: string; read: (data: Record<string, unknown>) => Asked },
): Promise<Asked> {
  return asked(clock, async () => {
    const answer = await client.send(request);
    if (answer.status === 404) return { result: 'not-so', detail: says.absent };
    if (answer.status === 204) return says.read({});
    if (answer.status !== 200 || !isObject(answer.data)) return undecided(answer, clock);
    return says.read(answer.data);
  });
}

/** Asks for one thing that has no address of its own: `read` decides on the listing's item that is `wanted`. */
export async function askByListing<T>(
  { client, clock }: Asking,
  request: GitHubRequest,
  wanted: (item: T) => boolean,
  says: { absent: () => Promise<Asked> | Asked; read: (item: T) => Asked },
): Promise<Asked> {
  return asked(clock, async () => {
    let read = 0;
    for await (const item of client.list<T>(request, { maxItems: listingLimit })) {
      if (wanted(item)) return says.read(item);
      read += 1;
    }
    if (read < listingLimit) return says.absent();
    const detail = `it is not among the first ${listingLimit} that GitHub lists`;
    return { result: 'unknown', reason: 'unclear', detail };
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The token of an action on one repository. */
export function scopeOnRepository(repository: string, permissions: TokenScope['permissions']): TokenScope {
  return { owner: ownerAndRepo(repository).owner, repository, permissions };
}

/**
 * `check` of an action that is asked for by the same question before and after: what was to be ended is `so` no more. What is
 * left undone for a reason (`alive`) is still there.
 */
export function checkByAsking<Step extends Intent>(
  ask: (step: Step, context: Asking) => Promise<Asked>,
): Action<Step>['check'] {
  return async (step, { client }) => {
    const answer = await ask(step, { client, clock: noClock });
    const { detail } = answer;
    if (answer.result === 'unknown') return { result: 'unknown', detail };
    return { result: answer.result === 'so' || answer.alive ? 'alive' : 'dead', detail };
  };
}

/** A check never waits for a rate limit, so it needs no clock. */
export const noClock: Clock = { nowMs: () => 0, pause: async () => {} };

/** An account as GitHub's answers name it. Undefined for null and what is none. */
export function personOf(account: unknown): PersonRef | undefined {
  if (!isObject(account)) return undefined;
  const { login, id } = account as { login?: unknown; id?: unknown };
  if (typeof login !== 'string' && id === undefined) return undefined;
  return {
    login: typeof login === 'string' ? login : undefined,
    id: typeof id === 'number' || typeof id === 'bigint' ? String(id) : undefined,
  };
}

/** The id of an organisation by its present login. Undefined when there is none. */
export async function organizationId(client: GitHubClient, login: string): Promise<string | undefined> {
  const request = { route: 'GET /orgs/{org}', parameters: { org: login } };
  const answer = await client.send(request);
  if (answer.status === 404) return undefined;
  const id = answer.status === 200 ? personOf(answer.data)?.id : undefined;
  if (id === undefined) throw new GitHubRefusedError(request, answer);
  return id;
}

/**
 * What speaks against a step on a repository before anything else is asked: that its name is another repository's by now.
 * Names change hands, and most of a repository's things have an address by its name alone. Undefined where nothing does.
 */
export async function askWhetherSameRepository(step: Intent, { client, clock }: Asking): Promise<Asked | undefined> {
  if (!('repositoryId' in step) || step.repositoryId === undefined || step.repository === undefined) return undefined;
  const { repository, repositoryId } = step;
  const answer = await asked(clock, async () => {
    const request = { route: 'GET /repos/{owner}/{repo}', parameters: ownerAndRepo(repository) };
    const answer = await client.send(request);
    // Of what is not there the action itself says more.
    if (answer.status === 404) return { result: 'so', detail: '' };
    const id = answer.status === 200 && isObject(answer.data) ? answer.data['id'] : undefined;
    if (id === undefined) return undecided(answer, clock);
    if (String(id) === repositoryId) return { result: 'so', detail: '' };
    const detail = `${repository} is another repository now than the one of the finding`;
    return { result: 'not-so', detail, alive: true };
  });
  return answer.result === 'so' ? undefined : answer;
}

/** An account's present login by its id. Undefined when the account no longer exists. */
export async function loginOf(client: GitHubClient, id: string): Promise<string | undefined> {
  const request = { route: 'GET /user/{account_id}', parameters: { account_id: id } };
  const answer = await client.send(request);
  if (answer.status === 404) return undefined;
  const person = answer.status === 200 ? personOf(answer.data) : undefined;
  if (person?.login === undefined) throw new GitHubRefusedError(request, answer);
  return person.login;
}

/** `people` with the ids of accounts of which only the login is known. A login without an account keeps no id. */
export function identify(client: GitHubClient, people: readonly PersonRef[]): Promise<PersonRef[]> {
  return Promise.all(
    people.map(async (person) => {
      if (person.id !== undefined || person.login === undefined) return person;
      const request = { route: 'GET /users/{username}', parameters: { username: person.login } };
      const answer = await client.send(request);
      if (answer.status === 404) return person;
      const account = answer.status === 200 ? personOf(answer.data) : undefined;
      if (account?.id === undefined) throw new GitHubRefusedError(request, answer);
      return { ...person, id: account.id };
    }),
  );
}

/** Whether GitHub's account is the one that a step names: by id where both have one, else by login. */
export function isPerson(account: PersonRef, named: PersonRef): boolean {
  if (account.id !== undefined && named.id !== undefined) return account.id === named.id;
  return account.login !== undefined && account.login.toLowerCase() === named.login?.toLowerCase();
}

/** Checks one thing at its own address: 2xx is alive, 404 is dead. */
export async function checkByAddress(
  client: GitHubClient,
  request: GitHubRequest,
  says: { alive: (answer: GitHubAnswer) => string; dead: string },
): Promise<Check> {
  return checked(async () => {
    const answer = await client.send(request);
    if (answer.status >= 200 && answer.status < 300) return { result: 'alive', detail: says.alive(answer) };
    if (answer.status === 404) return { result: 'dead', detail: says.dead };
    return { result: 'unknown', detail: `GitHub answered ${answer.status}: ${messageOf(answer)}` };
  });
}

/** How many entries of a listing a check reads before its result is `unknown`. */
export const listingLimit = 5000;

/** Checks one thing that has no address of its own, in its listing. */
export async function checkByListing(
  client: GitHubClient,
  request: GitHubRequest,
  wanted: { id: string; by?: 'id' | 'token_id'; alive: string; dead: string },
): Promise<Check> {
  return checked(async () => {
    let read = 0;
    for await (const item of client.list<Record<'id' | 'token_id', number | bigint>>(request, {
      maxItems: listingLimit,
    })) {
      if (String(item[wanted.by ?? 'id']) === wanted.id) return { result: 'alive', detail: wanted.alive };
      read += 1;
    }
    if (read < listingLimit) return { result: 'dead', detail: wanted.dead };
    return { result: 'unknown', detail: `it is not among the first ${listingLimit} that GitHub lists` };
  });
}

/** Runs a check. GitHub refusing or not answering becomes `unknown`. */
export async function checked(ask: () => Promise<Check>): Promise<Check> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof NoAnswerError || (error as { code?: string }).code === 'GITHUB_REFUSED') {
      return { result: 'unknown', detail: (error as Error).message.slice(0, 300) };
    }
    throw error;
  }
}
