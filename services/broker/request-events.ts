import type { TriplineEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import { brokerEvent } from './append-events.ts';
import { rightAttributes } from './step-up-events.ts';
import type { ShownRequest } from './store/approvals.ts';
import type { OpenRequest, Right, RightEnd } from './store/requests.ts';

type Of = Pick<OpenRequest, 'id' | 'workspace'>;
type At = { instance: string; atMs: number };

const named = ({ id, workspace }: Of, what: string, atMs: number) => ({
  ...{ id: `access:request:${id}:${what}`, workspace, atMs },
});

export const requestedEvent = (of: Of, shown: ShownRequest, atMs: number): TriplineEvent =>
  brokerEvent('dev.cdeventsx.tripline-access.requested', named(of, 'requested', atMs), {
    ...rightAttributes(shown),
    'tripline.access.grant': of.id,
    'tripline.access.policy': shown.policy,
    'tripline.access.reason': clip(shown.request.reason, 2000),
  });

/** Of an extension what happens is told for each. */
const said = (what: string, extension: string | undefined) =>
  extension === undefined ? what : `extension:${extension}:${what}`;

/** By policy, not by a person: their answers are told when they are taken. */
export const deniedEvent = (of: Of, why: string, atMs: number, extension?: string): TriplineEvent =>
  brokerEvent('dev.cdeventsx.tripline-access.approved', named(of, said('denied', extension), atMs), {
    ...{ 'vcs.provider.name': 'github', 'tripline.access.grant': of.id, 'tripline.access.decision': 'denied' },
    'tripline.access.reason': clip(why, 2000),
  });

/** The same right, until later. */
export const extendedEvent = (
  request: Pick<OpenRequest, 'id' | 'workspace' | 'asked'>,
  right: Right,
  { instance, atMs }: At,
  extension: string,
): TriplineEvent => {
  const { id: _, ...event } = grantedEvent(request, right, { instance, atMs });
  return { ...event, id: named(request, said('granted', extension), atMs).id };
};

/** Told before it is given: what GitHub then tells of it is excused by this, and no more. */
export const grantedEvent = (
  request: Pick<OpenRequest, 'id' | 'workspace' | 'asked'>,
  right: Right,
  { instance, atMs }: At,
): TriplineEvent =>
  brokerEvent('dev.cdeventsx.tripline-access.granted', named(request, 'granted', atMs), {
    ...rightAttributes({ ...right, instance, permission: request.asked.permission }),
    // Roles that GitHub defines have the same id in each organisation. A former version kept none of the organisation's.
    ...(right.owner.id === '' ? {} : { 'vcs.owner.id': right.owner.id, 'vcs.owner.name': right.owner.login }),
    'tripline.access.grant': request.id,
    'tripline.access.policy': right.policy,
    'tripline.access.reason': clip(request.asked.reason, 2000),
    ...(right.former === 'none' ? {} : { 'tripline.grant.permission_before': clip(right.former, 200) }),
    'tripline.grant.expires_at': new Date(right.untilMs).toISOString(),
    ...(right.approvedBy && { 'user.id': right.approvedBy.account.id, 'user.name': right.approvedBy.account.name }),
  });

const endEvent =
  (what: 'ended' | 'outlived') =>
  (
    request: Pick<OpenRequest, 'id' | 'workspace' | 'asked'>,
    right: Right,
    { instance, atMs, why }: At & { why: RightEnd },
  ): TriplineEvent =>
    brokerEvent(`dev.cdeventsx.tripline-access.${what}`, named(request, what, atMs), {
      ...rightAttributes({ ...right, instance, permission: request.asked.permission }),
      ...{ 'tripline.access.grant': request.id, 'tripline.access.policy': right.policy, 'tripline.access.end': why },
    });
export const endedEvent = endEvent('ended');
/** It is to be over, and could not be taken back. */
export const outlivedEvent = endEvent('outlived');
