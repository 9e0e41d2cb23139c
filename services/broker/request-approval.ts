import type { PersonAllowed } from '@tripline/access/decide-person';
import { nameRight, rankOfPermission } from '@tripline/access/people-rights';
import { type RightAccess, RightError } from '@tripline/integrations/github/people/right';
import { redactText } from '@tripline/runtime/redact';
import { decideOnDuty, faultOfDutyOf } from './duty.ts';
import { incidentOf } from './request-ends.ts';
import { deniedEvent, requestedEvent } from './request-events.ts';
import { longestPauseMs, type RequestParts, type Step } from './request-step.ts';
import { openRequestPrompt, type Proof, readRequestAnswer, type ShownRequest } from './store/approvals.ts';
import { close, type OpenRequest, type Right, settle, waitOn } from './store/requests.ts';

/** How long somebody has to approve, ms. */
export const answerWithinMs = 3_600_000;
/** An approval is looked for so often. */
const lookMs = 2000;

/** Asks whoever may approve, and settles what is given once somebody did. */
export const consider: Step = async (parts, by, request) => {
  const { db, clock } = parts;
  const { id, asked, state } = request;
  const held = { id, by };
  const nowMs = clock.nowMs();
  if (request.isUnwanted)
    return close(db, held, {
      state: 'ended',
      why: `taken back before it was given, by ${request.endedBy ?? 'somebody'}`,
      nowMs,
    });
  if (nowMs >= request.askedMs + answerWithinMs)
    return close(db, held, { state: 'expired', why: 'nobody approved it within an hour', nowMs });
  const policies = parts.policies();
  if ('fault' in policies) throw new Error(`no policies are in force: ${policies.fault}`);
  const allowed = await decideOnDuty(asked, policies, parts.duty);
  if ('why' in allowed) return deny(parts, by, request, allowed.why.join('. '));
  if ('waits' in allowed) {
    // Whoever asks learns it at once; once others are asked, it is looked for until the hour is over.
    if (state === 'new') return deny(parts, by, request, allowed.waits);
    return waitOn(db, held, { state, dueMs: nowMs + longestPauseMs, fault: allowed.waits });
  }
  const aloneFromMs = aloneFrom(request, allowed);
  const isAlone = aloneFromMs !== null && nowMs >= aloneFromMs;
  const shown = shownOf(parts, request, allowed, isAlone);
  if (state === 'new') await parts.append([requestedEvent(request, shown, nowMs)]);
  if (allowed.isFast) return approve(parts, by, request, allowed, null);
  const answer = await readRequestAnswer(db, request.workspace, shown);
  if (answer === undefined) {
    const untilMs = isAlone || aloneFromMs === null ? undefined : aloneFromMs;
    await openRequestPrompt(db, request.workspace, shown, nowMs, untilMs);
    return waitOn(db, held, { state: 'asked', dueMs: nowMs + lookMs, fault: null });
  }
  if (answer.is === 'refused')
    return close(db, held, { state: 'denied', why: `${answer.account.name} denied it`, nowMs });
  const { account, method, isPhishingResistant } = answer;
  const fault = faultOfApproval(answer, shown);
  if (fault !== undefined) return deny(parts, by, request, fault);
  const offDuty = await faultOfDutyOf(account, allowed, parts.duty);
  if (offDuty?.is === 'unknown')
    return waitOn(db, held, { state: 'asked', dueMs: nowMs + longestPauseMs, fault: offDuty.why });
  if (offDuty !== undefined) return deny(parts, by, request, `${account.name} approved it; ${offDuty.why}`);
  return approve(parts, by, request, allowed, { account, method, isPhishingResistant });
};

/** Why an approval counts for nothing by now, by whom policies ask and for what factor; undefined where it counts. */
export function faultOfApproval(
  { account, isPhishingResistant }: Pick<Proof, 'account' | 'isPhishingResistant'>,
  { asked, phishingResistant }: Pick<ShownRequest, 'asked' | 'phishingResistant'>,
): string | undefined {
  if (!asked.people.some(({ id }) => id === account.id)) return `${account.name} approved it, and may not any more`;
  return phishingResistant && !isPhishingResistant
    ? `the second factor of ${account.name} resists no phishing, as policies want by now`
    : undefined;
}

const shownOf = (
  { instance }: RequestParts,
  { id, asked, askedBy }: OpenRequest,
  { policy, target, grantee, phishingResistant, approvers }: PersonAllowed,
  isAlone: boolean,
): ShownRequest => ({
  request: { id, reason: asked.reason, askedBy: askedBy.name, forMs: asked.forMs },
  ...{ kind: asked.kind, permission: asked.permission, target: { id: target.id, name: target.name } },
  ...{ grantee, instance, policy, phishingResistant },
  asked: { of: 'owners', people: isAlone ? [...approvers, grantee] : approvers },
});

/** From when on whoever is to have it may approve it alone, ms since the epoch: the prompt of others ends then, and theirs takes its place. */
const aloneFrom = ({ askedMs }: OpenRequest, { breakGlassAfterMs }: PersonAllowed): number | null =>
  breakGlassAfterMs === null ? null : askedMs + breakGlassAfterMs;

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
  { policy, target, grantee }: PersonAllowed,
  approvedBy: Right['approvedBy'],
): Promise<void> {
  const { db, clock, rights } = parts;
  const { kind, permission, forMs } = request.asked;
  const claim = { id: request.id, by };
  const incident = await incidentOf(parts, request.workspace, [grantee, ...(approvedBy ? [approvedBy.account] : [])]);
  if (incident !== undefined) return deny(parts, by, request, incident);
  if (await parts.isStopped())
    return waitOn(db, claim, { state: 'asked', dueMs: clock.nowMs() + longestPauseMs, fault: 'the kill switch is on' });
  const owner = { login: target.name.split('/')[0]!, id: target.ownerId };
  const before = await rights
    .use({ kind, organization: owner, targetId: target.id, accountId: grantee.id }, readBefore)
    .catch((error: unknown) => {
      if (error instanceof RightError && error.outcome.kind === 'give-up') return error;
      throw error;
    });
  if (before instanceof Error) return deny(parts, by, request, `GitHub: ${before.message}`);
  const speaksAgainst = reasonAgainst(before, request.asked);
  if (speaksAgainst !== undefined) return deny(parts, by, request, speaksAgainst);
  const nowMs = clock.nowMs();
  const right: Right = {
    ...{ kind, policy, owner, former: before.held.right, approvedBy, untilMs: nowMs + forMs },
    ...{ target: { id: target.id, name: before.target }, grantee: { id: grantee.id, name: before.login } },
  };
  if (await settle(db, claim, right, nowMs)) return;
  const standing = nameRight(kind, permission, before.target);
  return deny(parts, by, request, `${before.login} was given ${standing} or the like, which stands: end it first`);
}

type Before = Pick<RightAccess, 'login' | 'target'> & { held: Awaited<ReturnType<RightAccess['held']>> };
const readBefore = async (access: RightAccess): Promise<Before> => ({
  ...{ held: await access.held(), login: access.login, target: access.target },
});

/** What could not be given, or given back, exactly. */
function reasonAgainst(
  { held, login, target }: Before,
  { kind, permission }: Pick<OpenRequest['asked'], 'kind' | 'permission'>,
): string | undefined {
  const { right, base, elsewhere, barred } = held;
  const isEnough = (one: string) => rankOfPermission(kind, one) >= rankOfPermission(kind, permission);
  if (isEnough(base)) return `${login} has ${nameRight(kind, right, target)} already`;
  if (elsewhere !== undefined && isEnough(elsewhere.right))
    return `${login} has ${nameRight(kind, elsewhere.right, target)} by ${elsewhere.by} already`;
  return barred;
}
