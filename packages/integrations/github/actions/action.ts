import type { ResponseStep } from '@tripline/contracts/response';
import type { Clock } from '@tripline/runtime/clock';
import type { Outcome } from '../../outcome.ts';
import type { TokenScope } from '../app-token.ts';
import { outcomeOf, outcomeOfError } from '../classify.ts';
import { type GitHubAnswer, type GitHubClient, type GitHubRequest, messageOf, NoAnswer } from '../client.ts';

/** Whether what the step was to end is ended, by GitHub's own word, which `said` repeats for people. */
export type Check = { result: 'dead' | 'alive' | 'unknown'; said: string };

/** One thing that can be done at GitHub about a finding. Each file beside this one is one. */
export type Action<Step extends ResponseStep = ResponseStep> = {
  /** Of the response catalogue (README.md of this integration); also in contracts/response.ts. */
  code: string;
  /** Whether what it takes away can be given back as it was. */
  reversible: boolean;
  /** How to give it back, or "irreversible" and what to do instead. */
  undo: (step: Step) => string;
  /** What its token may do. */
  scope: (step: Step) => TokenScope;
  /** The request that a dry run shows, and that `act` sends first. */
  request: (step: Step) => GitHubRequest;
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

/** Asks after one thing by its own address: 2xx is alive, 404 is dead. */
export async function checkByAddress(
  client: GitHubClient,
  request: GitHubRequest,
  says: { alive: (answer: GitHubAnswer) => string; dead: string },
): Promise<Check> {
  return checked(async () => {
    const answer = await client.send(request);
    if (answer.status >= 200 && answer.status < 300) return { result: 'alive', said: says.alive(answer) };
    if (answer.status === 404) return { result: 'dead', said: says.dead };
    return { result: 'unknown', said: `GitHub answered ${answer.status}: ${messageOf(answer)}` };
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
      if (String(item[wanted.by ?? 'id']) === wanted.id) return { result: 'alive', said: wanted.alive };
      read += 1;
    }
    if (read < listingLimit) return { result: 'dead', said: wanted.dead };
    return { result: 'unknown', said: `it is not among the first ${listingLimit} that GitHub lists` };
  });
}

/** Runs a check; that GitHub refused or did not answer is its answer too. */
export async function checked(ask: () => Promise<Check>): Promise<Check> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof NoAnswer || (error as { code?: string }).code === 'GITHUB_REFUSED') {
      return { result: 'unknown', said: (error as Error).message.slice(0, 300) };
    }
    throw error;
  }
}
