import type { Attributes } from '@tripline/contracts/attributes';
import type { EventData, EventType } from '@tripline/contracts/event';
import type { Stage } from '../stage.ts';
import { type Said, verb } from '../verb.ts';
import { runNumber } from './runs.ts';

/** What the access broker says of what it gave, and to whom. Whoever a line names set the job off. */
export const broker = [
  /**
   * For the job of a run: `mints g1 for run 7 of acme/app`. Options: `token <hash>`, as the audit log names it; `from <address>`;
   * `by policy <name>`; `as <version>` of it; `kind aws`; `for <minutes>` that it lives; `attempt <number>`.
   */
  verb('mints {grant} for run {run} of {repository}', (said, stage) => {
    const lives = Number(said.option('for') ?? 60) * 60_000;
    const [address, entry] = [said.option('from'), said.option('as')];
    tell(stage, 'dev.cdeventsx.tripline-credential.minted', {
      ...{
        ...jobOf(said, stage),
        ...credentialOf(said),
        'tripline.access.policy': said.option('by policy') ?? 'deploy',
      },
      'tripline.credential.expires_at': stage.time(said.atMs + lives),
      'tripline.credential.scopes': ['contents: write'],
      ...(address === undefined ? {} : { 'client.address': address }),
      ...(entry === undefined ? {} : { 'tripline.access.entry_sha256': entry }),
    });
  }),
  /** The provider said that it is dead. Options: `token <hash>`, `kind aws`, `as <why>`, a word of `tripline.access.end`. */
  verb('revokes {grant}', (said, stage) => {
    tell(stage, 'dev.cdeventsx.tripline-credential.revoked', { ...credentialOf(said), ...endOf(said) });
  }),
  /** It could not be revoked for a minute. Options as of `revokes`. */
  verb('cannot revoke {grant}', (said, stage) => {
    tell(stage, 'dev.cdeventsx.tripline-credential.outlived', { ...credentialOf(said), ...endOf(said) });
  }),
  /**
   * It was asked for and never recorded: the broker died, or got no whole answer. Options: `kind aws`; `for <minutes>` that it may live,
   * as far as that is known; `tier staging`; `dead`, as its provider said when it was asked.
   */
  verb('loses {grant} of run {run} of {repository}', (said, stage) => {
    const lives = said.option('for');
    tell(stage, 'dev.cdeventsx.tripline-access.ended', {
      ...{ ...jobOf(said, stage), ...credentialOf(said), 'tripline.access.end': 'lost' },
      ...{ 'tripline.access.policy': 'deploy', 'tripline.access.tier': said.option('tier') ?? 'production' },
      ...(lives === undefined
        ? {}
        : { 'tripline.credential.expires_at': stage.time(said.atMs + Number(lives) * 60_000) }),
      ...(said.option('dead') === undefined ? {} : { 'tripline.credential.dead_by': 'revoked' as const }),
    });
  }),
  /** Options: `for <condition>, <condition>`, `from <address>`, `job <check run>`, `attempt <number>`, `as a dry run`. */
  verb('is denied {policy} in run {run} of {repository}', (said, stage) => {
    decide(said, stage, 'denied');
  }),
  /** Options as of `is denied`. */
  verb('is granted {policy} in run {run} of {repository}', (said, stage) => {
    decide(said, stage, 'granted');
  }),
  /** Whoever is named is given it. Options: `for <minutes>`; `by <login>`, who approved it; `a team` or `a role`, where the target is one. */
  verb('is given {permission} on {target} as {grant}', (said, stage) => {
    const by = said.option('by');
    const approver = by === undefined ? undefined : stage.user(by);
    tell(stage, 'dev.cdeventsx.tripline-access.granted', {
      ...{ ...rightOf(said, stage), ...ownerOf(said, stage), 'tripline.access.grant': said.the('grant') },
      'tripline.grant.permission': said.the('permission'),
      'tripline.grant.expires_at': stage.time(said.atMs + Number(said.option('for') ?? 60) * 60_000),
      ...(approver && { 'user.id': String(approver.id), 'user.name': approver.login }),
    });
  }),
  /** Option: `a team` or `a role`. */
  verb('has {grant} on {target} ended', (said, stage) => {
    const why = { 'tripline.access.end': 'by-hand' as const, 'tripline.access.grant': said.the('grant') };
    tell(stage, 'dev.cdeventsx.tripline-access.ended', { ...rightOf(said, stage), ...why });
  }),
  /** It is to be over, and could not be taken back for a minute. Options as of `has … ended`. */
  verb('keeps {grant} on {target} beyond its end', (said, stage) => {
    const why = { 'tripline.access.end': 'longest' as const, 'tripline.access.grant': said.the('grant') };
    tell(stage, 'dev.cdeventsx.tripline-access.outlived', { ...rightOf(said, stage), ...why });
  }),
  /** Options: `giving wider`, a word of `tripline.policy.change`; `refused`; `policy <name>`, one that changes. */
  verb('puts policies {sha} in force', (said, stage) => {
    const [change, refused] = [said.option('giving'), said.option('refused')];
    tell(stage, 'dev.cdeventsx.tripline-policy.changed', {
      'tripline.access.policy_sha256': said.the('sha'),
      'tripline.access.policy_revision': stage.revision(said.the('sha')),
      'tripline.policy.outcome': refused === undefined ? 'in-force' : 'refused',
      ...(change === undefined ? {} : { 'tripline.policy.change': change as 'wider' }),
    });
  }),
  /** Of the policies that came into force. Options: `from <environment>, <environment>` or `from anywhere`; without one no policy is for it any more. */
  verb('promotes to {environment} of {repository}', (said, stage) => {
    const from = said.option('from');
    const { full_name, id } = stage.repository(said.the('repository'));
    tell(stage, 'dev.cdeventsx.tripline-promotion.changed', {
      ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': 'github.com' },
      ...{ 'vcs.repository.name': full_name, 'vcs.repository.id': String(id) },
      'deployment.environment.name': said.the('environment'),
      ...(from === undefined ? {} : { 'tripline.policy.promoted_from': from === 'anywhere' ? [] : listed(from) }),
    });
  }),
  /**
   * The daily look: `sees deploy-key/74/12 stand`. Options: `unused since <date>`, `beside policy <name>`, `shared by <tier>, <tier>`,
   * `in <owner/name>`, `gone`.
   */
  verb('sees {thing} stand', (said, stage) => {
    const [since, policy, tiers, repository] = ['unused since', 'beside policy', 'shared by', 'in'].map((one) =>
      said.option(one),
    );
    const thing = said.the('thing');
    const where = repository === undefined ? undefined : stage.repository(repository);
    tell(stage, 'dev.cdeventsx.tripline-standing.observed', {
      ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': 'github.com' },
      ...{ 'tripline.standing.kind': thing.split('/')[0]!, 'tripline.standing.id': thing },
      ...(since === undefined ? {} : { 'tripline.standing.idle_since': `${since}T00:00:00Z` }),
      ...(policy === undefined ? {} : { 'tripline.standing.covered_by': policy }),
      ...(tiers === undefined ? {} : { 'tripline.standing.tiers': listed(tiers) }),
      ...(where === undefined ? {} : { 'vcs.repository.name': where.full_name, 'vcs.repository.id': String(where.id) }),
      ...(said.option('gone') === undefined ? {} : { 'tripline.standing.gone': true as const }),
    });
  }),
];

const listed = (texts: string): string[] => texts.split(',').map((one) => one.trim());

/** On a repository a collaborator's, in a team a member's, of a role its holder's, else a member's of the organisation. */
function rightOf(said: Said, stage: Stage) {
  const target = said.the('target');
  const { login, id } = stage.user(said.who);
  const [kind, targetId] = targetOf(target, said, stage);
  return {
    ...{ 'vcs.provider.name': 'github' as const, 'tripline.provider.instance': 'github.com' },
    ...{ 'tripline.grant.kind': kind, 'tripline.grant.grantee': login, 'tripline.grant.grantee_id': String(id) },
    ...{ 'tripline.grant.target': target, 'tripline.grant.target_id': String(targetId) },
    ...(kind === 'collaborator' ? { 'vcs.repository.id': String(targetId), 'vcs.repository.name': target } : {}),
  };
}

function targetOf(target: string, said: Said, stage: Stage) {
  const name = target.split('/')[1];
  if (said.option('a team') !== undefined) return ['team-member', stage.id('team', name!)] as const;
  if (said.option('a role') !== undefined) return ['org-role', stage.id('role', name!)] as const;
  if (name === undefined) return ['org-member', stage.organization(target).id] as const;
  return ['collaborator', stage.repository(target).id] as const;
}

function ownerOf(said: Said, stage: Stage) {
  const { login, id } = stage.organization(said.the('target').split('/')[0]!);
  return { 'vcs.owner.id': String(id), 'vcs.owner.name': login };
}

function tell<T extends EventType>(stage: Stage, type: T, data: EventData<T>): void {
  stage.feed(type, data, 'acme', '//tripline/acme');
}

function decide(said: Said, stage: Stage, decision: 'granted' | 'denied'): void {
  const [conditions, address] = [said.option('for') ?? 'reviewed', said.option('from')];
  tell(stage, 'dev.cdeventsx.tripline-access.decided', {
    ...{ ...jobOf(said, stage), 'tripline.access.policy': said.the('policy'), 'tripline.access.decision': decision },
    'tripline.access.reasons':
      decision === 'granted'
        ? []
        : conditions.split(',').map((condition) => ({
            ...{ condition: condition.trim(), state: 'failed', wanted: 'one', found: 'another' },
          })),
    ...(address === undefined ? {} : { 'client.address': address }),
    ...(said.option('as a dry run') === undefined ? {} : { 'tripline.access.dry_run': true }),
  });
}

function jobOf(said: Said, stage: Stage): Attributes {
  const repository = stage.repository(said.the('repository'));
  const [user, job] = [stage.user(said.who), said.option('job')];
  return {
    ...(job === undefined ? {} : { 'cicd.pipeline.task.check_run.id': job }),
    ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': 'github.com' },
    ...{ 'vcs.owner.name': repository.owner.login, 'vcs.repository.name': repository.full_name },
    ...{
      'vcs.repository.id': String(repository.id),
      'cicd.pipeline.run.id': String(runNumber(said.the('run'), stage)),
    },
    'tripline.pipeline.run.attempt': Number(said.option('attempt') ?? 1),
    ...{ 'user.name': user.login, 'user.id': String(user.id) },
  };
}

function credentialOf(said: Said) {
  const token = said.option('token');
  return {
    ...{ 'tripline.access.grant': said.the('grant'), 'tripline.credential.kind': said.option('kind') ?? 'github' },
    ...(token === undefined ? {} : { 'tripline.credential.token_hash': token }),
  };
}

const endOf = (said: Said) => ({ 'tripline.access.end': (said.option('as') ?? 'job-ended') as 'job-ended' });
