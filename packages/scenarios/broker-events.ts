import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import { type Token, tokenHash } from './audit-records.ts';
import { type RunOf, runId, type Stage, type StepText } from './github-bodies.ts';
import type { ScenarioStep } from './scenario.ts';

/** What the access broker puts into the log of jobs that ask it, built for a cast. */

/** A job that asks: its run, and from where. */
export type AskingJob = RunOf & { job: string; address: string };

/** A credential of its; one name of a token, one grant. */
export type Given = { job: AskingJob; policy: string; token: Token };

const event = (told: StepText, type: EventType, body: Attributes): ScenarioStep => ({
  ...{ ...told, source: 'tripline', event: type },
  body: body as Record<string, unknown>,
});

function jobOf(stage: Stage, { job, address, ...run }: AskingJob, atMs: number): Attributes {
  const { full_name, id } = stage.repository(run.repository, atMs);
  const { login, id: userId } = stage.user(run.by);
  return {
    ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': 'github.com' },
    ...{ 'vcs.owner.name': stage.organization.login, 'vcs.repository.name': full_name },
    ...{ 'vcs.repository.id': String(id), 'cicd.pipeline.run.id': String(runId(stage, run)) },
    ...{ 'tripline.pipeline.run.attempt': 1, 'vcs.ref.head.revision': run.revision },
    'cicd.pipeline.task.check_run.id': String(stage.id(`check ${runId(stage, run)} ${job}`)),
    ...{ 'user.name': login, 'user.id': String(userId), 'client.address': address },
  };
}

const hourMs = 3_600_000;
const grantOf = (stage: Stage, { token }: Given): string => `drill-${stage.id(`grant ${token.name}`)}`;

/** It was granted, and a token of the broker's App made for it. */
export function minted(stage: Stage, told: StepText, given: Given): ScenarioStep {
  return event(told, 'dev.cdeventsx.tripline-credential.minted', {
    ...jobOf(stage, given.job, told.atMs),
    ...{ 'tripline.access.grant': grantOf(stage, given), 'tripline.access.policy': given.policy },
    ...{ 'tripline.credential.kind': 'github', 'tripline.credential.token_hash': tokenHash(stage, given.token) },
    'tripline.credential.expires_at': stage.time(told.atMs + hourMs),
    'tripline.credential.scopes': ['contents:write'],
  });
}

/** GitHub said that it is dead. */
export function revoked(
  stage: Stage,
  told: StepText,
  given: Given,
  why: NonNullable<Attributes['tripline.access.end']> = 'job-ended',
): ScenarioStep {
  return event(told, 'dev.cdeventsx.tripline-credential.revoked', {
    ...{ 'tripline.access.grant': grantOf(stage, given), 'tripline.access.end': why },
    ...{ 'tripline.credential.kind': 'github', 'tripline.credential.token_hash': tokenHash(stage, given.token) },
  });
}

/** What was decided of a request; `against`: conditions that spoke against it, as policies call them. */
export function decided(
  stage: Stage,
  told: StepText,
  { job, policy, against = [] }: { job: AskingJob; policy: string; against?: readonly string[] },
): ScenarioStep {
  return event(told, 'dev.cdeventsx.tripline-access.decided', {
    ...jobOf(stage, job, told.atMs),
    'tripline.access.policy': policy,
    'tripline.access.decision': against.length === 0 ? 'granted' : 'denied',
    'tripline.access.reasons': against.map((condition) => ({
      ...{ condition, state: 'failed', wanted: 'as the policy says', found: 'another' },
    })),
  });
}

/** What a person is given on a repository, once a second one approved it; until when, ms after the start. */
export type PersonsAccess = { repository: string; person: string; permission: string; untilMs: number };

const rightOf = (stage: Stage, { repository, person, permission }: PersonsAccess, atMs: number) => {
  const { full_name, id } = stage.repository(repository, atMs);
  return {
    ...{ 'vcs.provider.name': 'github' as const, 'tripline.provider.instance': 'github.com' },
    'tripline.access.grant': `drill-${stage.id(`access ${repository} ${person}`)}`,
    ...{ 'tripline.grant.kind': 'collaborator' as const, 'tripline.grant.permission': permission },
    ...{ 'tripline.grant.grantee': person, 'tripline.grant.grantee_id': String(stage.user(person).id) },
    ...{ 'tripline.grant.target': full_name, 'tripline.grant.target_id': String(id) },
  };
};

/** The broker records what it is about to give somebody. */
export const accessGiven = (stage: Stage, told: StepText, of: PersonsAccess): ScenarioStep =>
  event(told, 'dev.cdeventsx.tripline-access.granted', {
    ...rightOf(stage, of, told.atMs),
    'tripline.grant.expires_at': stage.time(of.untilMs),
  });

export const accessEnded = (stage: Stage, told: StepText, of: PersonsAccess): ScenarioStep =>
  event(told, 'dev.cdeventsx.tripline-access.ended', {
    ...rightOf(stage, of, told.atMs),
    'tripline.access.end': 'longest',
  });
