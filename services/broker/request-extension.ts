import type { PersonAllowed } from '@tripline/access/decide-person';
import { redactText } from '@tripline/runtime/redact';
import { decideOnDuty, faultOfDutyOf } from './duty.ts';
import { faultOfApproval } from './request-approval.ts';
import { deniedEvent, extendedEvent } from './request-events.ts';
import type { RequestParts } from './request-step.ts';
import { openRequestPrompt, type Proof, readRequestAnswer, type ShownRequest } from './store/approvals.ts';
import { answerExtension, type Extension, extendRight, readOpenExtension } from './store/extensions.ts';
import type { Held, OpenRequest } from './store/requests.ts';

/**
 * Answers whoever asks for more time for a right that they have: by a second person again where the policy wants one, and never for longer
 * in all than it allows. @returns until when they have it, ms since the epoch, and whether somebody has yet to answer.
 */
export async function considerExtension(
  parts: RequestParts,
  claim: Held,
  request: OpenRequest,
): Promise<{ untilMs: number; isOpen: boolean }> {
  const { db, clock } = parts;
  const { untilMs } = request.right!;
  const extension = await readOpenExtension(db, request.id);
  if (extension === undefined) return { untilMs, isOpen: false };
  const nowMs = clock.nowMs();
  const deny = async (why: string) => {
    await parts.append([deniedEvent(request, redactText(why), nowMs, extension.id)]);
    await answerExtension(db, extension.id, { state: 'denied', why: redactText(why), nowMs });
    return { untilMs, isOpen: false };
  };
  const policies = parts.policies();
  if ('fault' in policies) throw new Error(`no policies are in force: ${policies.fault}`);
  const inAllMs = untilMs + extension.forMs - (request.givenMs ?? nowMs);
  const allowed = await decideOnDuty({ ...request.asked, forMs: inAllMs }, policies, parts.duty);
  if ('why' in allowed) return deny(allowed.why.join('. '));
  // Not known: nothing is longer for it, and its end is kept.
  if ('waits' in allowed) return { untilMs, isOpen: true };
  if (await parts.isStopped()) return { untilMs, isOpen: true };
  if (allowed.isFast) return extend(parts, claim, request, extension, null);
  const shown = shownOf(parts, request, extension, allowed);
  const answer = await readRequestAnswer(db, request.workspace, shown);
  if (answer === undefined) {
    await answerExtension(db, extension.id, { state: 'asked', why: null, nowMs });
    await openRequestPrompt(db, request.workspace, shown, nowMs);
    return { untilMs, isOpen: true };
  }
  const { account, method, isPhishingResistant } = answer;
  if (answer.is === 'refused') return deny(`${account.name} denied it`);
  const fault = faultOfApproval(answer, shown);
  if (fault !== undefined) return deny(fault);
  const offDuty = await faultOfDutyOf(account, allowed, parts.duty);
  if (offDuty?.is === 'unknown') return { untilMs, isOpen: true };
  if (offDuty !== undefined) return deny(`${account.name} approved it; ${offDuty.why}`);
  return extend(parts, claim, request, extension, { account, method, isPhishingResistant });
}

const shownOf = (
  { instance }: RequestParts,
  { id, asked }: OpenRequest,
  extension: Extension,
  { policy, target, grantee, phishingResistant, approvers }: PersonAllowed,
): ShownRequest => ({
  request: {
    ...{ id, extension: extension.id, reason: extension.reason, askedBy: extension.askedBy.name },
    forMs: extension.forMs,
  },
  ...{ kind: asked.kind, permission: asked.permission, target: { id: target.id, name: target.name } },
  ...{ grantee, instance, policy, phishingResistant, asked: { of: 'owners', people: approvers } },
});

/** The log is told before it is longer, as it was before it was given. */
async function extend(
  parts: RequestParts,
  claim: Held,
  request: OpenRequest,
  { id, forMs }: Extension,
  approvedBy: Omit<Proof, 'provedAtMs' | 'restsOn'> | null,
): Promise<{ untilMs: number; isOpen: boolean }> {
  const { db, clock, instance } = parts;
  const right = request.right!;
  const untilMs = right.untilMs + forMs;
  const atMs = clock.nowMs();
  const longer = { ...right, untilMs, ...(approvedBy && { approvedBy }) };
  await parts.append([extendedEvent(request, longer, { instance, atMs }, id)]);
  await extendRight(db, claim, { extension: id, untilMs, approvedBy, nowMs: atMs });
  return { untilMs, isOpen: false };
}
