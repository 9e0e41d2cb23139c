import { RightError, type RightOf } from '@tripline/integrations/github/people/right';
import { redactText } from '@tripline/runtime/redact';
import { whyToEnd } from './request-ends.ts';
import { endedEvent, grantedEvent, outlivedEvent } from './request-events.ts';
import { considerExtension } from './request-extension.ts';
import type { RequestParts, Step } from './request-step.ts';
import { expireExtensions } from './store/extensions.ts';
import {
  beginEnd,
  close,
  isHeld,
  noteGiven,
  noteOutlived,
  noteReminded,
  type OpenRequest,
  type Right,
  waitOn,
} from './store/requests.ts';

/** How often what speaks against a right is looked for, and an answer to whoever asks for more time, ms. */
const [lookMs, openLookMs] = [10_000, 2000];
/** So long before its end somebody is reminded, ms. */
export const remindBeforeMs = 10 * 60_000;
/** From when on a right that could not be taken back is told of, as of a credential, ms. */
const toldAfterMs = 60_000;

/** Tells the log, then GitHub. Done twice, after a crash, it is the same. */
export const give: Step = async (parts, by, request) => {
  const { db, clock, logger, instance } = parts;
  const right = request.right!;
  const claim = { id: request.id, by };
  const nowMs = clock.nowMs();
  if (request.isUnwanted) return beginEnd(db, claim, { endingWhy: 'by-hand', why: null, nowMs });
  if (nowMs >= right.untilMs) return beginEnd(db, claim, { endingWhy: 'longest', why: null, nowMs });
  await parts.append([grantedEvent(request, right, { instance, atMs: nowMs })]);
  const done = await parts.rights
    .use(rightOf(right), async (access) =>
      // Whoever was frozen since may have been overtaken by the end.
      (await isHeld(db, claim)) ? access.set(request.asked.permission) : 'lost',
    )
    .catch((error: unknown) => {
      if (error instanceof RightError && error.outcome.kind === 'give-up') return error;
      throw error;
    });
  if (done === 'lost') return;
  if (done === 'invited' || done instanceof Error) {
    const why =
      done === 'invited'
        ? `${right.grantee.name} is no member of ${right.owner.login}: GitHub would only have invited them, which was undone`
        : redactText(`GitHub: ${done.message}`);
    return beginEnd(db, claim, { endingWhy: 'not-given', why, nowMs: clock.nowMs() });
  }
  await noteGiven(db, claim, { atMs: clock.nowMs() });
  logger.info({ request: request.id, account: right.grantee.id, target: right.target.id }, 'a person has a right');
};

/** While somebody has it: ends it where something speaks against it, answers whoever asks for more time, and says that it ends soon. */
export const look: Step = async (parts, by, request) => {
  const { db, clock } = parts;
  const claim = { id: request.id, by };
  const end = await whyToEnd(parts, request);
  if (end !== undefined) {
    await expireExtensions(db, request.id, clock.nowMs());
    return beginEnd(db, claim, { ...end, nowMs: clock.nowMs() });
  }
  const { untilMs, isOpen } = await considerExtension(parts, claim, request);
  const nowMs = clock.nowMs();
  if (nowMs >= untilMs - remindBeforeMs && !request.isReminded) {
    await parts.remind?.(request, untilMs);
    await noteReminded(db, claim, nowMs);
  }
  const nextMs = nowMs >= untilMs - remindBeforeMs ? untilMs : untilMs - remindBeforeMs;
  await waitOn(db, claim, {
    ...{ state: 'given', dueMs: Math.min(nextMs, nowMs + (isOpen ? openLookMs : lookMs)), fault: null },
  });
};

/**
 * Gives back what they held before, and looks whether it is so. What somebody else made of it meanwhile stays: who was removed by
 * hand is not put back.
 */
export const takeBack: Step = async (parts, by, request) => {
  const { db, clock, logger, instance } = parts;
  const right = request.right!;
  const claim = { id: request.id, by };
  const { former } = right;
  const left = await parts.rights
    .use(rightOf(right), async (access) => {
      const now = await access.held();
      if (now.right !== request.asked.permission) return now;
      if (!(await isHeld(db, claim))) return undefined;
      if (former === 'none') await access.remove();
      else await access.set(former);
      const after = await access.held();
      if (after.right !== former) throw new Error(`GitHub says ${after.right} after ${former} was given back`);
      return after;
    })
    .catch((error: unknown) => {
      // Without the account there is no right of it.
      if (error instanceof RightError && error.outcome.reason === 'no-account') return { right: 'none' };
      throw error;
    });
  if (left === undefined) return;
  const why = left.right === former ? null : `somebody else made it ${left.right} meanwhile, and that was left`;
  const nowMs = clock.nowMs();
  await parts.append([endedEvent(request, right, { instance, atMs: nowMs, why: request.endingWhy ?? 'longest' })]);
  await close(db, claim, { state: 'ended', why, nowMs });
  logger.info({ request: request.id, account: right.grantee.id, left: left.right }, 'a right of a person ended');
};

/** Tells the log, once, that what is to be over stands. */
export async function tellOutlived(parts: RequestParts, by: string, request: OpenRequest): Promise<void> {
  const { db, clock, logger, instance } = parts;
  const nowMs = clock.nowMs();
  const { right, endingMs, isOutlived } = request;
  if (right === undefined || endingMs === undefined || isOutlived || nowMs - endingMs < toldAfterMs) return;
  const why = request.endingWhy ?? 'longest';
  await parts.append([outlivedEvent(request, right, { instance, atMs: nowMs, why })]);
  await noteOutlived(db, { id: request.id, by }, nowMs);
  logger.error(
    { request: request.id, account: right.grantee.id, target: right.target.id },
    'a right of a person could not be taken back for a minute; retrying until GitHub says that it is so',
  );
}

const rightOf = ({ kind, owner, target, grantee }: Right): RightOf => ({
  ...{ kind, organization: owner, targetId: target.id, accountId: grantee.id },
});
