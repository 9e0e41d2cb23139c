import type { Attributes } from '@tripline/contracts/attributes';
import { factOf } from '@tripline/sources/github/fact';
import type { Stage } from '../stage.ts';
import { type Said, verb } from '../verb.ts';

/** What no webhook of GitHub's tells: its audit stream, and what an inventory found. */
export const feeds = [
  /** Options: `from <address>`, `as <client>`, `saying <field> <value>` of the record. */
  verb('clones {repository} with token {token}', (said, stage) => {
    const repository = stage.repository(said.the('repository'));
    stage.feed(
      'dev.cdeventsx.tripline-repository.read',
      {
        ...personOf(stage.user(said.who)),
        ...namesOf(repository),
        ...clientOf(said),
        'tripline.audit.action': 'git.clone',
        'tripline.credential.id': said.the('token'),
        'tripline.credential.token_hash': said.the('token'),
        ...recordOf(said.option('saying')),
      },
      repository.owner.login,
    );
  }),
  /**
   * A record of the audit log that nothing else tells: `does org.x in acme`, of an organisation or of `owner/repository`.
   * Options: `from <address>`, `as <client>`, `saying <field> <value>` of the record.
   */
  verb('does {action} in {place}', (said, stage) => {
    const place = said.the('place');
    const repository = place.includes('/') ? stage.repository(place) : undefined;
    stage.feed(
      'dev.cdeventsx.tripline-audit.recorded',
      {
        ...personOf(stage.user(said.who)),
        ...(repository === undefined ? { 'vcs.owner.name': place } : namesOf(repository)),
        ...clientOf(said),
        'tripline.audit.action': said.the('action'),
        'tripline.audit.id': `record-${said.atMs}`,
        ...recordOf(said.option('saying')),
      },
      repository === undefined ? place : repository.owner.login,
    );
  }),
  /** By the audit log: `assigns role auditor of acme to ada`. Options: `without ids`; `a team`, where it is given to one. */
  verb('assigns role {role} of {organization} to {grantee}', (said, stage) => {
    const [role, grantee] = [said.the('role'), said.the('grantee')];
    const { login, id } = stage.organization(said.the('organization'));
    const { id: userId } = stage.user(grantee);
    const hasIds = said.option('without ids') === undefined;
    const to =
      said.option('a team') === undefined ? { user: grantee, ...(hasIds && { user_id: userId }) } : { team: grantee };
    stage.feed(
      'dev.cdeventsx.tripline-audit.recorded',
      {
        ...{ ...personOf(stage.user(said.who)), 'vcs.owner.name': login, 'vcs.owner.id': String(id) },
        ...{ 'tripline.audit.action': 'organization_role.assign', 'tripline.audit.id': `record-${said.atMs}` },
        'tripline.audit.record': {
          ...{ ...to, organization_role_name: role },
          ...(hasIds && { organization_role_id: stage.id('role', role) }),
        },
      },
      login,
    );
  }),
  /**
   * A record that names a token by its hash, of an organisation or of `owner/repository`. Options: `for <action>`, `from
   * <address>`, `by client <text>`, `id <token's id>`.
   */
  verb('uses token {token} in {place}', (said, stage) => {
    const place = said.the('place');
    const repository = place.includes('/') ? stage.repository(place) : undefined;
    const [address, client, id] = [said.option('from'), said.option('by client'), said.option('id')];
    stage.feed(
      'dev.cdeventsx.tripline-audit.recorded',
      {
        ...personOf(stage.user(said.who)),
        ...(repository === undefined ? { 'vcs.owner.name': place } : namesOf(repository)),
        'tripline.audit.action': said.option('for') ?? 'api.request',
        'tripline.credential.token_hash': said.the('token'),
        ...(address === undefined ? {} : { 'client.address': address }),
        ...(client === undefined ? {} : { 'user_agent.original': client }),
        ...(id === undefined ? {} : { 'tripline.credential.id': id }),
      },
      repository === undefined ? place : repository.owner.login,
    );
  }),
  /** Option: `mfa yes` or `mfa no`; unknown without it. */
  verb('proves who they are by {method} to {organization}', (said, stage) => {
    stage.feed(
      'dev.cdeventsx.tripline-identity.authenticated',
      {
        ...personOf(stage.user(said.who)),
        'user.name': said.who,
        'vcs.owner.name': said.the('organization'),
        'tripline.identity.mfa': (said.option('mfa') ?? 'unknown') as 'yes' | 'no' | 'unknown',
        'tripline.identity.method': said.the('method'),
      },
      said.the('organization'),
    );
  }),
  /**
   * The provider hands secrets, `A,B`, to a job. Options: `of workflow <owner/name/path@ref>`, `in run <id>`, `environment <name>`.
   */
  verb('hands {secrets} to job {job} of {repository}', (said, stage) => {
    const repository = stage.repository(said.the('repository'));
    const workflow = said.option('of workflow') ?? `${repository.full_name}/.github/workflows/ci.yml@refs/heads/main`;
    const run = said.option('in run') ?? String(stage.id('run', `${stage.time()} ${said.the('job')}`));
    const environment = said.option('environment');
    stage.feed(
      'dev.cdeventsx.tripline-credential.used',
      {
        ...{ ...personOf(stage.user(said.who)), ...namesOf(repository) },
        'tripline.credential.id': `${run}/${said.the('job')}`,
        'tripline.credential.secrets': said.the('secrets').split(','),
        ...{ 'cicd.pipeline.run.id': run, 'cicd.pipeline.task.name': said.the('job') },
        ...{ 'tripline.worker.hosted': true, 'tripline.worker.labels': ['ubuntu-24.04'] },
        ...{ 'tripline.identity.subject': workflow, 'tripline.audit.action': 'workflows.prepared_workflow_job' },
        ...(environment === undefined ? {} : { 'deployment.environment.name': environment }),
      },
      repository.owner.login,
    );
  }),
  /**
   * By the audit log, with what it says of the group now. Options: `visible to <all, selected or private>`, `public <yes or no>`,
   * `restricted <yes or no>` to chosen workflows.
   */
  verb('changes runner group {group} of {organization}', (said, stage) => {
    const [name, organization] = [said.the('group'), stage.organization(said.the('organization'))];
    const [visibility, isPublic, restricted] = [
      said.option('visible to'),
      said.option('public'),
      said.option('restricted'),
    ];
    const action = visibility === undefined ? 'runner_group_updated' : 'runner_group_visiblity_updated';
    stage.feed(
      'dev.cdeventsx.tripline-control.changed',
      {
        ...personOf(stage.user(said.who)),
        ...{ 'vcs.owner.name': organization.login, 'vcs.owner.id': String(organization.id) },
        ...{
          'tripline.control.kind': 'runner-group',
          'tripline.control.action': action,
          'tripline.control.name': name,
        },
        'tripline.audit.action': `org.${action}`,
        'tripline.audit.record': {
          ...{ action: `org.${action}`, runner_group_id: stage.id('runner group', name) },
          ...(visibility === undefined ? {} : { visibility }),
          ...(isPublic === undefined ? {} : { runner_group_allow_public: isPublic === 'yes' }),
          ...(restricted === undefined ? {} : { runner_group_restricted_to_workflows: restricted === 'yes' }),
        },
      },
      organization.login,
    );
  }),
  /** Tripline's own word: a feed is silent, of which `why` is a word of `tripline.feed.silence`, or tells again (`none`). */
  verb('misses feed {feed} since {since} as {why}', (said, stage) => {
    stage.feed('dev.cdeventsx.tripline-feed.silent', {
      ...{ 'tripline.feed.name': said.the('feed'), 'tripline.feed.silence': said.the('why') as 'none' },
      'tripline.feed.silent_since': `${stage.time().slice(0, 11)}${said.the('since')}:00Z`,
    });
  }),
  verb('deletes webhook {hook} of {organization}', (said, stage) => {
    const hook = { ...{ type: 'Organization', name: 'web', active: true }, id: stage.id('hook', said.the('hook')) };
    stage.github('meta', said.who, { action: 'deleted', hook_id: hook.id, hook }, said.the('organization'));
  }),
  /** The audit log's record of the same. */
  verb('is recorded to delete webhook {hook} of {organization}', (said, stage) => {
    tellControl(said, stage, 'hook', {
      ...{ 'tripline.control.action': 'destroy', 'tripline.audit.action': 'hook.destroy' },
      'tripline.control.id': String(stage.id('hook', said.the('hook'))),
    });
  }),
  /** By the audit log alone. Option: `as <action>`, such as `config_changed`; `active_changed` without it. */
  verb('switches webhook {hook} of {organization}', (said, stage) => {
    const action = said.option('as') ?? 'active_changed';
    tellControl(said, stage, 'hook', {
      ...{ 'tripline.control.action': action, 'tripline.audit.action': `hook.${action}` },
      'tripline.control.id': String(stage.id('hook', said.the('hook'))),
    });
  }),
  verb('deletes the audit stream of {organization}', (said, stage) => {
    tellControl(said, stage, 'audit-stream', {
      ...{ 'tripline.control.action': 'destroy', 'tripline.audit.action': 'audit_log_streaming.destroy' },
    });
  }),
  /** In an organisation or `owner/repository`. Options: `in group <id>`, `for one job`. */
  verb('registers runner {runner} in {place}', (said, stage) => {
    const [group, place] = [said.option('in group'), said.the('place')];
    const repository = place.includes('/') ? stage.repository(place) : undefined;
    stage.feed(
      'dev.cdeventsx.tripline-runner.registered',
      {
        ...personOf(stage.user(said.who)),
        ...(repository === undefined ? { 'vcs.owner.name': place } : namesOf(repository)),
        ...(repository === undefined ? {} : { 'tripline.repository.visibility': repository.visibility as 'public' }),
        'cicd.worker.id': String(stage.id('runner', said.the('runner'))),
        'cicd.worker.name': said.the('runner'),
        'tripline.runner.registered_by': said.who,
        'tripline.runner.registered_at': stage.time(),
        ...(said.option('for one job') === undefined ? {} : { 'tripline.runner.single_use': true }),
        ...(group === undefined ? {} : { 'tripline.worker.group.id': group }),
      },
      repository === undefined ? place : repository.owner.login,
    );
  }),
  /**
   * A person resolves an incident about a runner: `accepts runner x7` as accepted. Options: `as false` or `as true`; `unlinked`
   * where nobody knows who they are.
   */
  verb('accepts runner {runner}', (said, stage) => {
    const as = said.option('as') ?? 'accepted';
    const proof = said.option('unlinked') === undefined ? 'os-user' : 'none';
    stage.feed('dev.cdeventsx.tripline-act.performed', {
      ...{ 'tripline.act.kind': 'incident-resolved', 'tripline.act.target': 'INC-1', 'tripline.act.via': 'cli' },
      ...{ 'tripline.act.resolution': as as 'accepted', 'tripline.act.proof': proof },
      ...{ 'tripline.act.reason': 'it is ours', 'user.name': said.who, 'user.id': said.who },
      'tripline.act.entities': [{ kind: 'runner', id: runnerKeyIn(said.the('runner'), stage) }],
    });
  }),
  verb('removes runner {runner} from {organization}', (said, stage) => {
    stage.feed(
      'dev.cdeventsx.tripline-runner.removed',
      {
        ...personOf(stage.user(said.who)),
        'vcs.owner.name': said.the('organization'),
        'cicd.worker.id': String(stage.id('runner', said.the('runner'))),
        'cicd.worker.name': said.the('runner'),
      },
      said.the('organization'),
    );
  }),
  verb('uses credential {credential} in {repository}', (said, stage) => {
    const repository = stage.repository(said.the('repository'));
    stage.feed(
      'dev.cdeventsx.tripline-credential.used',
      { ...personOf(stage.user(said.who)), ...namesOf(repository), 'tripline.credential.id': said.the('credential') },
      repository.owner.login,
    );
  }),
];

/** With what it was done, and from where. */
function clientOf(said: Said): { 'client.address'?: string; 'user_agent.original'?: string } {
  const [from, client] = [said.option('from'), said.option('as')];
  return {
    ...(from === undefined ? {} : { 'client.address': from }),
    ...(client === undefined ? {} : { 'user_agent.original': client }),
  };
}

function recordOf(saying: string | undefined): { 'tripline.audit.record'?: Record<string, string> } {
  if (saying === undefined) return {};
  const [field = '', ...value] = saying.split(' ');
  return { 'tripline.audit.record': { [field]: value.join(' ') } };
}

function tellControl(said: Said, stage: Stage, kind: 'hook' | 'audit-stream', more: Attributes) {
  const organization = said.the('organization');
  const data = {
    ...{ ...personOf(stage.user(said.who)), 'vcs.provider.name': 'github' as const, 'vcs.owner.name': organization },
    ...{ 'vcs.owner.id': String(stage.organization(organization).id), 'tripline.control.kind': kind, ...more },
    'tripline.control.action': more['tripline.control.action']!,
  };
  const fact = factOf('github-audit', 'dev.cdeventsx.tripline-control.changed', data, stage.time());
  stage.feed('dev.cdeventsx.tripline-control.changed', { ...data, ...fact }, organization);
}

/** As the fact `runners` names it. */
const runnerKeyIn = (name: string, stage: Stage) => `github:github.com:runner:${stage.id('runner', name)}:${name}`;
const personOf = ({ login, id, type }: { login: string; id: number; type: string }) => ({
  ...{ 'user.name': login, 'user.id': String(id), 'user.type': type },
});
const namesOf = ({ full_name, id, owner }: { full_name: string; id: number; owner: { login: string } }) => ({
  ...{ 'vcs.provider.name': 'github' as const, 'vcs.owner.name': owner.login, 'vcs.repository.name': full_name },
  ...{ 'vcs.repository.id': String(id), 'vcs.repository.url.full': `https://github.com/${full_name}` },
});
