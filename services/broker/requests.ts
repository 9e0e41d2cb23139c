import { randomUUID } from 'node:crypto';
import { decidePerson, type PersonAllowed } from '@tripline/access/decide-person';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import {
  type CollaboratorAccess,
  CollaboratorError,
  type Collaborators,
} from '@tripline/integrations/github/collaborators';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { redactText } from '@tripline/runtime/redact';
import type { CurrentPolicies } from './local-policies.ts';
import { deniedEvent, endedEvent, grantedEvent, requestedEvent } from './request-events.ts';
import { openRequestPrompt, readRequestAnswer, type ShownRequest } from './store/approvals.ts';
import {
  beginEnd,
  claimRequests,
  close,
  isHeld,
  noteGiven,
  type OpenRequest,
  type Right,
  type RightState,
  settle,
  waitOn,
} from './store/requests.ts';

export type RequestParts = {
  db: Db;
  clock: Clock;
  logger: Logger;
  /** Host of the GitHub at which rights are given. */
  instance: string;
  policies: CurrentPolicies;
  collaborators: Collaborators;
  /** Whether rights may be given now: the kill switch stops that, and never an end. */
  isStopped: () => Promise<boolean>;
  /** Appends to the log; resolves once it has it on disk. */
  append: (events: readonly TriplineEvent[]) => Promise<unknown>;
};

/** How long somebody has to approve, ms. */
export const answerWithinMs = 3_600_000;
const pollMs = 1000;
/** Longer than all calls of one step take. */
const claimMs = 120_000;
const atOnce = 10;
const [firstPauseMs, longestPauseMs] = [1000, 30_000];
/** An approval is looked for so often. */
const lookMs = 2000;

/** Brings what people asked for from one state to the next, until `close`. Several brokers may: each step is one broker's. */
export function startRequests(parts: RequestParts): { close: () => Promise<void> } {
  const { clock, logger } = parts;
  const closing = new AbortController();
  const by = randomUUID();
  const working = (async () => {
    while (!closing.signal.aborted) {
      try {
        await workRequests(parts, by);
      } catch (error) {
        logger.error({ err: error }, 'looking for requests of people failed; retrying in 1 s');
      }
      await clock.pause(pollMs, closing.signal);
    }
  })();
  return {
    async close() {
      closing.abort();
      await working;
    },
  };
}

/** One step of each request that is due. @returns how many those were. */
export async function workRequests(parts: RequestParts, by: string): Promise<number> {
  const nowMs = parts.clock.nowMs();
  const due = await claimRequests(parts.db, { by, nowMs, forMs: claimMs }, atOnce);
  await Promise.all(due.map((request) => work(parts, by, request)));
  return due.length;
}

/** Never rejects: what fails is tried again, which each step allows. */
async function work(parts: RequestParts, by: string, request: OpenRequest): Promise<void> {
  const { db, clock, logger } = parts;
  try {
    await steps[request.state](parts, by, request);
  } catch (error) {
    const fault = redactText(String((error as Error).message ?? error));
    const log = { request: request.id, state: request.state, fault };
    if (error instanceof CollaboratorError)
      logger.warn(log, 'GitHub did not do what a request of a person needs; retrying');
    else logger.error({ ...log, err: error }, 'a step of a request of a person failed; retrying');
    const afterMs =
      error instanceof CollaboratorError && 'afterMs' in error.outcome ? error.outcome.afterMs : undefined;
    const pauseMs = Math.min(afterMs ?? firstPauseMs * 2 ** Math.min(request.tries - 1, 10), longestPauseMs);
    await waitOn(db, { id: request.id, by }, { state: request.state, dueMs: clock.nowMs() + pauseMs, fault }).catch(
      (broken: unknown) =>
        logger.error(
          { err: broken, request: request.id },
          'noting what became of a request failed; it is looked at when its claim ends',
        ),
    );
  }
}

type Step = (parts: RequestParts, by: string, request: OpenRequest) => Promise<void>;
const over: Step = async () => {};
const steps: Record<RightState, Step> = {
  ...{ new: consider, asked: consider, giving: give, given: look, ending: takeBack },
  ...{ ended: over, denied: over, expired: over },
};

/** Asks whoever may approve, and settles what is given once somebody did. */
async function consider(parts: RequestParts, by: string, request: OpenRequest): Promise<void> {
  const { db, clock } = parts;
  const { id, asked, state } = request;
  const held = { id, by };
  const nowMs = clock.nowMs();
  if (request.isUnwanted) return close(db, held, { state: 'ended', why: 'taken back before it was given', nowMs });
  if (nowMs >= request.askedMs + answerWithinMs)
    return close(db, held, { state: 'expired', why: 'nobody approved it within an hour', nowMs });
  const policies = parts.policies();
  if ('fault' in policies) throw new Error(`no policies are in force: ${policies.fault}`);
  const allowed = decidePerson(asked, policies);
  if ('why' in allowed) return deny(parts, by, request, allowed.why.join('. '));
  const shown = shownOf(parts, request, allowed);
  if (state === 'new') await parts.append([requestedEvent(request, shown, nowMs)]);
  if (allowed.isFast) return approve(parts, by, request, allowed, null);
  const answer = await readRequestAnswer(db, request.workspace, shown);
  if (answer === undefined) {
    await openRequestPrompt(db, request.workspace, shown, nowMs);
    return waitOn(db, held, { state: 'asked', dueMs: nowMs + lookMs, fault: null });
  }
  if (answer.is === 'refused')
    return close(db, held, { state: 'denied', why: `${answer.account.name} denied it`, nowMs });
  const { account, method, isPhishingResistant } = answer;
  if (!allowed.approvers.some((one) => one.id === account.id))
    return deny(parts, by, request, `${account.name} approved it, and may not any more`);
  if (allowed.phishingResistant && !isPhishingResistant)
    return deny(
      parts,
      by,
      request,
      `the second factor of ${account.name} resists no phishing, as policies want by now`,
    );
  return approve(parts, by, request, allowed, { account, method, isPhishingResistant });
}

const shownOf = (
  { instance }: RequestParts,
  { id, asked, askedBy }: OpenRequest,
  allowed: PersonAllowed,
): ShownRequest => ({
  request: { id, reason: asked.reason, askedBy: askedBy.name, forMs: asked.forMs },
  ...{ repository: allowed.repository, permission: asked.permission, grantee: allowed.grantee, instance },
  ...{ policy: allowed.policy, phishingResistant: allowed.phishingResistant },
  asked: { of: 'owners', people: allowed.approvers },
});

async function deny({ db, clock, append }: RequestParts, by: string, request: OpenRequest, why: string): Promise<void> {
  const nowMs = clock.nowMs();
  await append([deniedEvent(request, redactText(why), nowMs)]);
  await close(db, { id: request.id, by }, { state: 'denied', why: redactText(why), nowMs });
}

/** Reads what they hold before, and keeps it: after something was given it could not be known any more. */
async function approve(
  parts: RequestParts,
  by: string,
  request: OpenRequest,
  { policy, repository, grantee }: PersonAllowed,
  approvedBy: Right['approvedBy'],
): Promise<void> {
  const { db, clock, collaborators } = parts;
  const held = { id: request.id, by };
  if (await parts.isStopped())
    return waitOn(db, held, { state: 'asked', dueMs: clock.nowMs() + longestPauseMs, fault: 'the kill switch is on' });
  const owner = repository.name.split('/')[0]!;
  const before = await collaborators
    .use({ owner, repositoryId: repository.id, accountId: grantee.id }, (access) => readBefore(access))
    .catch((error: unknown) => {
      if (error instanceof CollaboratorError && error.outcome.kind === 'give-up') return error;
      throw error;
    });
  if (before instanceof Error) return deny(parts, by, request, `GitHub: ${before.message}`);
  const { right: former, role } = before.held;
  if (role !== undefined)
    return deny(parts, by, request, `${before.login} has the role ${role}, which could not be given back`);
  if (ranks.indexOf(former) >= ranks.indexOf(request.asked.permission))
    return deny(parts, by, request, `${before.login} has ${former} on ${before.repository} already`);
  const nowMs = clock.nowMs();
  const right: Right = {
    ...{ policy, owner, former, approvedBy, untilMs: nowMs + request.asked.forMs },
    ...{ repository: { id: repository.id, name: before.repository }, grantee: { id: grantee.id, name: before.login } },
  };
  if (await settle(db, held, right, nowMs)) return;
  return deny(
    parts,
    by,
    request,
    `${before.login} was given a right on ${before.repository} that stands: end it first`,
  );
}

const readBefore = async (access: CollaboratorAccess) => ({
  ...{ held: await access.held(), login: access.login, repository: access.repository },
});
const ranks = ['none', 'read', 'triage', 'write', 'maintain', 'admin'];

/** Tells the log, then GitHub. Done twice, after a crash, it is the same. */
async function give(parts: RequestParts, by: string, request: OpenRequest): Promise<void> {
  const { db, clock, logger, instance } = parts;
  const right = request.right!;
  const held = { id: request.id, by };
  const nowMs = clock.nowMs();
  if (request.isUnwanted) return beginEnd(db, held, { endingWhy: 'by-hand', why: null, nowMs });
  if (nowMs >= right.untilMs) return beginEnd(db, held, { endingWhy: 'longest', why: null, nowMs });
  await parts.append([grantedEvent(request, right, { instance, atMs: nowMs })]);
  const done = await parts.collaborators
    .use(thingsOf(right), async (access) =>
      // Whoever was frozen since may have been overtaken by the end.
      (await isHeld(db, held)) ? access.set(request.asked.permission) : 'lost',
    )
    .catch((error: unknown) => {
      if (error instanceof CollaboratorError && error.outcome.kind === 'give-up') return error;
      throw error;
    });
  if (done === 'lost') return;
  if (done === 'invited' || done instanceof Error) {
    const why =
      done === 'invited'
        ? `${right.grantee.name} is no member of ${right.owner}: GitHub would only have invited them, which was undone`
        : redactText(`GitHub: ${done.message}`);
    return beginEnd(db, held, { endingWhy: 'not-given', why, nowMs: clock.nowMs() });
  }
  await noteGiven(db, held, { atMs: clock.nowMs(), untilMs: right.untilMs });
  logger.info(
    { request: request.id, account: right.grantee.id, repository: right.repository.id },
    'a person has a right',
  );
}

async function look({ db, clock }: RequestParts, by: string, request: OpenRequest): Promise<void> {
  const nowMs = clock.nowMs();
  const endingWhy = request.isUnwanted ? 'by-hand' : 'longest';
  await beginEnd(db, { id: request.id, by }, { endingWhy, why: null, nowMs });
}

/**
 * Gives back what they held before, and looks whether it is so. What somebody else made of it meanwhile stays: who was removed by
 * hand is not put back.
 */
async function takeBack(parts: RequestParts, by: string, request: OpenRequest): Promise<void> {
  const { db, clock, logger, instance } = parts;
  const right = request.right!;
  const held = { id: request.id, by };
  const { former } = right;
  const left = await parts.collaborators
    .use(thingsOf(right), async (access) => {
      const now = await access.held();
      if (now.right !== request.asked.permission || now.role !== undefined) return now;
      if (!(await isHeld(db, held))) return undefined;
      if (former === 'none') await access.remove();
      else await access.set(former);
      const after = await access.held();
      if (after.right !== former) throw new Error(`GitHub says ${after.right} after ${former} was given back`);
      return after;
    })
    .catch((error: unknown) => {
      // Without the account or the repository there is no right on it.
      if (error instanceof CollaboratorError && error.outcome.reason === 'no-account')
        return { right: 'none' as const };
      throw error;
    });
  if (left === undefined) return;
  const why = left.right === former ? null : `somebody else made it ${left.right} meanwhile, and that was left`;
  const nowMs = clock.nowMs();
  await parts.append([endedEvent(request, right, { instance, atMs: nowMs, why: request.endingWhy ?? 'longest' })]);
  await close(db, held, { state: 'ended', why, nowMs });
  logger.info({ request: request.id, account: right.grantee.id, left: left.right }, 'a right of a person ended');
}

const thingsOf = ({ owner, repository, grantee }: Right) => ({
  ...{ owner, repositoryId: repository.id, accountId: grantee.id },
});
