import { createHash } from 'node:crypto';
import type { Attributes } from '@tripline/contracts/attributes';
import type { TriplineEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import type { Proof, ShownRequest, StepUp } from './store/approvals.ts';
import type { Link } from './store/links.ts';
import type { Passkey } from './store/passkeys.ts';

/** What the log is told of an answer. Its id is the prompt's, so that it is told once. */
export function eventOfAnswer(
  { id, workspace, shown }: StepUp,
  is: 'approved' | 'refused',
  proof: Proof,
  nowMs: number,
): TriplineEvent {
  if ('request' in shown) return eventOfRequestAnswer({ id, workspace, shown }, is, proof, nowMs);
  const { account, method, isPhishingResistant } = proof;
  const { repository, run, sha, ref, environment, policy, tier, actor } = shown;
  return {
    id: `access:step-up:${id}:${is}`,
    source: `//tripline/${workspace}`,
    type: is === 'approved' ? 'dev.cdeventsx.tripline-stepup.proved' : 'dev.cdeventsx.tripline-stepup.refused',
    time: new Date(nowMs).toISOString(),
    workspace,
    trust: 'high',
    data: {
      ...{ 'user.id': account.id, 'user.name': account.name, 'user.type': 'User' },
      ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': shown.instance },
      ...{ 'vcs.repository.id': repository.id, 'vcs.repository.name': repository.name },
      ...{ 'cicd.pipeline.run.id': run.id, 'tripline.pipeline.run.attempt': run.attempt },
      ...{ 'vcs.ref.head.revision': sha, 'vcs.ref.head.name': ref },
      ...(environment === null ? {} : { 'deployment.environment.name': environment }),
      ...{ 'tripline.access.policy': policy, 'tripline.access.tier': tier },
      'tripline.identity.method': method,
      'tripline.identity.mfa': 'yes',
      'tripline.identity.phishing_resistant': isPhishingResistant,
      'tripline.stepup.asked': shown.asked.of,
      ...{ 'tripline.pipeline.triggered_by': actor.name, 'tripline.pipeline.triggered_by_id': actor.id },
    },
  };
}

/** Of a right that a person asked for: whoever refuses it says nothing of any run. */
function eventOfRequestAnswer(
  { id, workspace, shown }: { id: string; workspace: string; shown: ShownRequest },
  is: 'approved' | 'refused',
  { account, method, isPhishingResistant }: Proof,
  nowMs: number,
): TriplineEvent {
  return {
    id: `access:step-up:${id}:${is}`,
    source: `//tripline/${workspace}`,
    type: 'dev.cdeventsx.tripline-access.approved',
    time: new Date(nowMs).toISOString(),
    workspace,
    trust: 'high',
    data: {
      ...{ 'user.id': account.id, 'user.name': account.name, 'user.type': 'User' },
      ...rightAttributes(shown),
      'tripline.access.grant': shown.request.id,
      'tripline.access.policy': shown.policy,
      'tripline.access.decision': is === 'approved' ? 'granted' : 'denied',
      'tripline.identity.method': method,
      'tripline.identity.mfa': 'yes',
      'tripline.identity.phishing_resistant': isPhishingResistant,
    },
  };
}

/** Which right it is, of whom, on what: as the grant's own events name it. */
export function rightAttributes({
  instance,
  kind,
  target,
  permission,
  grantee,
}: Pick<ShownRequest, 'instance' | 'kind' | 'target' | 'permission' | 'grantee'>): Attributes {
  return {
    ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': instance, 'tripline.grant.kind': kind },
    ...{ 'tripline.grant.grantee': clip(grantee.name, 256), 'tripline.grant.grantee_id': grantee.id },
    ...{ 'tripline.grant.target': clip(target.name, 512), 'tripline.grant.target_id': target.id },
    ...(kind !== 'collaborator'
      ? {}
      : { 'vcs.repository.id': target.id, 'vcs.repository.name': clip(target.name, 512) }),
    'tripline.grant.permission': permission,
  };
}

/** What the log is told of a passkey that counts from now on. */
export function eventOfPasskey(
  { id, workspace, instance, accountId, accountName }: Passkey,
  by: { id: string; name: string },
  isFirst: boolean,
  nowMs: number,
): TriplineEvent {
  return {
    id: `access:passkey:${createHash('sha256').update(id).digest('hex')}:linked`,
    source: `//tripline/${workspace}`,
    type: 'dev.cdeventsx.tripline-stepup.linked',
    time: new Date(nowMs).toISOString(),
    workspace,
    trust: 'high',
    data: {
      ...{ 'user.id': accountId, 'user.name': accountName, 'user.type': 'User' },
      ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': instance },
      'tripline.identity.method': 'passkey',
      'tripline.stepup.link': isFirst ? 'first' : 'another',
      ...{ 'tripline.stepup.confirmed_by': by.name, 'tripline.stepup.confirmed_by_id': by.id },
    },
  };
}

/** What the log is told of somebody who is somebody at GitHub from now on. */
export function eventOfLink(
  { id, workspace, instance, accountId, accountName, subject }: Link,
  by: { id: string; name: string },
  isChanged: boolean,
  nowMs: number,
): TriplineEvent {
  return {
    id: `access:${id}:linked`,
    source: `//tripline/${workspace}`,
    type: 'dev.cdeventsx.tripline-stepup.linked',
    time: new Date(nowMs).toISOString(),
    workspace,
    trust: 'high',
    data: {
      ...{ 'user.id': accountId, 'user.name': accountName, 'user.type': 'User' },
      ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': instance },
      ...{ 'tripline.identity.method': 'oidc', 'tripline.identity.subject': clip(subject, 512) },
      'tripline.stepup.link': isChanged ? 'changed' : 'first',
      ...{ 'tripline.stepup.confirmed_by': by.name, 'tripline.stepup.confirmed_by_id': by.id },
    },
  };
}
