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
} from '../client.ts';

/** What GitHub says before a step is carried out. `now`: the step by the login that its account bears today. */
export type Asked =
  | (Extract<provider.Asked, { result: 'so' }> & { now?: Intent })
  | Exclude<provider.Asked, { result: 'so' }>;

/** One thing that can be done at GitHub about a finding. Each file beside this one is one. */
export type Action<Step extends Intent = Intent> = {
  /** Of the response catalogue (README.md of this integration); also in contracts/response.ts. */
  code: string;
  /** Whether what it takes away can be given back as it was. */
  reversible: boolean;
  /** How to give it back, or "irreversible" and what to do instead. */
  undo: (step: Step) => string;
  /** Whom and what it touches: the guard holds it against those whom nothing automatic may touch. */
  targets: (step: Step) => StepTargets;
  /** What its token may do. */
  scope: (step: Step) => TokenScope;
  /** The request that a dry run shows, and that `act` sends first. */
  request: (step: Step) => GitHubRequest;
  /**
   * Asks GitHub, reading only, whether what the step is to end is so. Never throws: no answer is `unknown`. By the
   * provider's own numbers, which are never given twice: a name may be chosen so that it reads otherwise in an event, with
   * what looks like a credential blotted out, and what bears it would be spared.
   */
  ask: (step: Step, context: Pick<ActionContext, 'client' | 'clock'>) => Promise<Asked>;
  /** Never throws: no answer is an outcome. Doing it twice is the same as doing it once. */
  act: (step: Step, context: ActionContext) => Promise<Outcome>;
  /** Asks GitHub, reading only. Never throws: no answer is `unknown`. */
  check: (step: Step, context: Pick<ActionContext, 'client'>) => Promise<Check>;
};

export type ActionContext = {
  client: GitHubClient;
  clock: Clock;
  /** Asked right before each request that changes something; rejects when the kill switch was thrown meanwhile. */
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

/** `act` of an action that is one request: what its answer means unless `special` knows better. */
export async function changeOnce(
  request: GitHubRequest,
  context: ActionContext,
  special: (answer: GitHubAnswer) => Outcome | undefined = () => undefined,
): Promise<Outcome> {
  const answer = await change(request, context);
  if ('kind' in answer) return answer;
  return special(answer) ?? outcomeOf(answer, context.clock.nowMs());
}

/** Touches nothing of any kind: what the other parts of an action's `targets` are laid over. */
export const noTargets: StepTargets = { people: [], runners: [], repositories: [] };

/** Runs a question after a fact, as {@link asked} does. */
export async function known<Value>(clock: Clock, ask: () => Promise<Value>): Promise<Known<Value>> {
  let value: Value | undefined;
  const answer = await asked(clock, async () => {
    value = await ask();
    return { result: 'so', detail: '' };
  });
  return answer.result === 'unknown' ? answer : { result: 'known', value: value as Value };
}

/** Runs a question; that GitHub refused, failed or did not answer is an answer too, and never "it is not so". */
export async function asked(clock: Clock, ask: () => Promise<Asked>): Promise<Asked> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof GitHubRefusedError) return askedInVain(error.answer, clock);
    const outcome = outcomeOfError(error);
    return { result: 'unknown', reason: outcome.reason ?? 'unreachable', detail: outcome.message ?? '' };
  }
}

/** Any answer to a question but the one that was hoped for. */
export function askedInVain(answer: GitHubAnswer, clock: Clock): Asked {
  const outcome = outcomeOf(answer, clock.nowMs());
  return {
    result: 'unknown',
    // An answer that is no error and cannot be read, or a listing that is not there: neither says anything of the thing.
    reason: outcome.kind === 'done' ? 'unclear' : outcome.reason,
    detail: `GitHub answered ${answer.status}: ${messageOf(answer)}`.slice(0, 300),
    afterMs: outcome.kind === 'retry' ? outcome.afterMs : undefined,
  };
}

/** Asks after one thing by its own address: 404 is not so, 200 and 204 are for `read` to judge. */
export async function askByAddress(
  { client, clock }: Pick<ActionContext, 'client' | 'clock'>,
  request: GitHubRequest,
  says: { absent: string; read: (data: Record<string, unknown>) => Asked },
): Promise<Asked> {
  return asked(clock, async () => {
    const answer = await client.send(request);
    if (answer.status === 404) return { result: 'not-so', detail: says.absent };
    if (answer.status === 204) return says.read({});
    if (answer.status !== 200 || !isObject(answer.data)) return askedInVain(answer, clock);
    return says.read(answer.data);
  });
}

/** Asks after one thing that has no address of its own: the item of the listing that is `wanted`, for `read` to judge. */
export async function askByListing<T>(
  { client, clock }: Pick<ActionContext, 'client' | 'clock'>,
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

/** The number of an organisation, by the login that it bears today. Undefined when there is none. */
export async function organizationId(client: GitHubClient, login: string): Promise<string | undefined> {
  const request = { route: 'GET /orgs/{org}', parameters: { org: login } };
  const answer = await client.send(request);
  if (answer.status === 404) return undefined;
  const id = answer.status === 200 ? personOf(answer.data)?.id : undefined;
  if (id === undefined) throw new GitHubRefusedError(request, answer);
  return id;
}

/** The login that an account bears today, by its number. Undefined when there is no such account any more. */
export async function loginOf(client: GitHubClient, id: string): Promise<string | undefined> {
  const request = { route: 'GET /user/{account_id}', parameters: { account_id: id } };
  const answer = await client.send(request);
  if (answer.status === 404) return undefined;
  const person = answer.status === 200 ? personOf(answer.data) : undefined;
  if (person?.login === undefined) throw new GitHubRefusedError(request, answer);
  return person.login;
}

/** `people` with the numbers of those accounts of which only the login is known. Who has no account keeps none. */
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

/** Whether GitHub's account is the one that a step names: by number where both tell it, else by login. */
export function isPerson(account: PersonRef, named: PersonRef): boolean {
  if (account.id !== undefined && named.id !== undefined) return account.id === named.id;
  return account.login !== undefined && account.login.toLowerCase() === named.login?.toLowerCase();
}

/** Asks after one thing by its own address: 2xx is alive, 404 is dead. */
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

/** How many entries of a listing a check reads before it calls the answer unknown. */
export const listingLimit = 5000;

/** Asks after one thing that has no address of its own by looking for it in its listing. */
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

/** Runs a check; that GitHub refused or did not answer is its answer too. */
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
