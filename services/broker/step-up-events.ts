import { createHash } from 'node:crypto';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Proof, StepUp } from './store/approvals.ts';
import type { Passkey } from './store/passkeys.ts';

/** What the log is told of an answer. Its id is the prompt's, so that it is told once. */
export function eventOfAnswer(
  { id, workspace, shown }: StepUp,
  is: 'approved' | 'refused',
  { account, method, isPhishingResistant }: Proof,
  nowMs: number,
): TriplineEvent {
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
