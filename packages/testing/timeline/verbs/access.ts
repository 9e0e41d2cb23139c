import type { Json, Stage } from '../stage.ts';
import { type Said, verb } from '../verb.ts';

/** Who may do what: people, teams, deploy keys, apps, personal access tokens. */
export const access = [
  /** Option: `formerly <permission>`. */
  verb('gives {person} {permission} on {repository}', (said, stage) => {
    const permission = said.the('permission');
    const formerly = said.option('formerly');
    const from = formerly === undefined ? {} : { from: formerly };
    stage.github('member', said.who, {
      action: formerly === undefined ? 'added' : 'edited',
      member: stage.user(said.the('person')),
      changes: { permission: { ...from, to: permission }, role_name: { to: permission } },
      repository: stage.repository(said.the('repository')),
    });
  }),
  verb('takes {person} off {repository}', (said, stage) => {
    const repository = stage.repository(said.the('repository'));
    stage.github('member', said.who, { action: 'removed', member: stage.user(said.the('person')), repository });
  }),
  /** Option: `as <role>`; direct_member without it. */
  verb('invites {person} to {organization}', (said, stage) => {
    const person = said.the('person');
    const invitation = {
      ...{ id: stage.id('invitation', person), login: person, email: null, role: said.option('as') ?? 'direct_member' },
      ...{ created_at: stage.time(), inviter: stage.user(said.who), team_count: 0 },
    };
    const body = { action: 'member_invited', invitation, user: stage.user(person) };
    stage.github('organization', said.who, body, said.the('organization'));
  }),
  verb('joins {organization}', (said, stage) => {
    tellMember(said, stage, 'member_added', said.who);
  }),
  verb('removes {person} from {organization}', (said, stage) => {
    tellMember(said, stage, 'member_removed', said.the('person'));
  }),
  /** Option: `permission <of the team>`. */
  verb('adds {person} to team {team} of {organization}', (said, stage) => {
    tellTeamMember(said, stage, 'added');
  }),
  verb('removes {person} from team {team} of {organization}', (said, stage) => {
    tellTeamMember(said, stage, 'removed');
  }),
  verb('gives team {team} {permission} on {repository}', (said, stage) => {
    const permission = said.the('permission');
    const rights = Object.fromEntries(ranks.map((name, rank) => [name, rank <= ranks.indexOf(permission)]));
    stage.github('team', said.who, {
      action: 'added_to_repository',
      team: teamOf(said, stage, permission),
      repository: { ...stage.repository(said.the('repository')), permissions: rights, role_name: permission },
    });
  }),
  verb('takes team {team} off {repository}', (said, stage) => {
    stage.github('team', said.who, {
      action: 'removed_from_repository',
      team: teamOf(said, stage),
      repository: stage.repository(said.the('repository')),
    });
  }),
  /** Options: `read-only`, `id <id>` where another key has the same title. */
  verb('adds deploy key {title} to {repository}', (said, stage) => {
    tellDeployKey(said, stage, 'created');
  }),
  verb('removes deploy key {title} from {repository}', (said, stage) => {
    tellDeployKey(said, stage, 'deleted');
  }),
  /** Options: `on <owner/name>, <owner/name>`, `to <permission>, <permission>` that it may write. */
  verb('installs app {app} on {organization}', (said, stage) => {
    tellInstallation(said, stage, 'created');
  }),
  verb('removes app {app} from {organization}', (said, stage) => {
    tellInstallation(said, stage, 'deleted');
  }),
  verb('asks for token {token} on {organization}', (said, stage) => {
    tellToken(said, stage, 'created', said.who);
  }),
  verb('approves token {token} of {person} on {organization}', (said, stage) => {
    tellToken(said, stage, 'approved', said.the('person'));
  }),
  verb('renames account {person} to {login}', (said, stage) => {
    stage.rename('user', said.the('person'), said.the('login'));
  }),
];

const ranks = ['pull', 'triage', 'push', 'maintain', 'admin'];

function tellMember(said: Said, stage: Stage, action: string, person: string): void {
  const organization = said.the('organization');
  const membership = { state: 'active', role: said.option('as') ?? 'member', user: stage.user(person) };
  const url = `https://api.github.com/orgs/${organization}/memberships/${person}`;
  stage.github('organization', said.who, { action, membership: { ...membership, url } }, organization);
}

function tellTeamMember(said: Said, stage: Stage, action: string): void {
  const body = { action, scope: 'team', member: stage.user(said.the('person')), team: teamOf(said, stage) };
  stage.github('membership', said.who, body, said.the('organization'));
}

function teamOf(said: Said, stage: Stage, permission = said.option('permission') ?? 'pull'): Json {
  const slug = said.the('team');
  return { id: stage.id('team', slug), name: slug, slug, permission, privacy: 'closed' };
}

function tellDeployKey(said: Said, stage: Stage, action: string): void {
  const repository = said.the('repository');
  const title = said.the('title');
  const number = Number(said.option('id') ?? stage.id('deploy key', `${repository} ${title}`));
  const place = `deploy key ${number} reads`;
  if (action === 'created') stage.keep(place, said.option('read-only') !== undefined);
  stage.github('deploy_key', said.who, {
    action,
    key: {
      ...{
        id: number,
        title,
        key: 'ssh-ed25519 AAAA',
        url: `https://api.github.com/repos/${repository}/keys/${number}`,
      },
      ...{
        verified: true,
        created_at: stage.time(),
        read_only: stage.kept<boolean>(place) ?? false,
        added_by: said.who,
      },
    },
    repository: stage.repository(repository),
  });
}

function tellInstallation(said: Said, stage: Stage, action: string): void {
  const organization = said.the('organization');
  const app = said.the('app');
  const list = (text: string | undefined) => text?.split(',').map((one) => one.trim()) ?? [];
  const on = list(said.option('on'));
  const body = {
    action,
    installation: {
      ...{ id: stage.id('installation', app), app_id: stage.id('app', app), app_slug: app },
      account: { ...stage.organization(organization), type: 'Organization' },
      permissions: Object.fromEntries(list(said.option('to')).map((permission) => [permission, 'write'])),
      repository_selection: on.length === 0 ? 'all' : 'selected',
      created_at: stage.time(),
    },
    repositories: on.map((fullName) => ({ full_name: fullName, name: fullName.split('/')[1] })),
  };
  stage.github('installation', said.who, body, organization);
}

function tellToken(said: Said, stage: Stage, action: string, owner: string): void {
  const token = said.the('token');
  const write = said.option('to');
  const body = {
    action,
    personal_access_token_request: {
      ...{ id: stage.id('token request', token), token_id: stage.id('token', token), owner: stage.user(owner) },
      permissions_result: { repository: write === undefined ? { contents: 'read' } : { [write]: 'write' } },
      ...{ repository_selection: 'all', created_at: stage.time(), token_expires_at: null },
    },
  };
  stage.github('personal_access_token_request', said.who, body, said.the('organization'));
}
