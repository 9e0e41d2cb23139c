import { type Act, addressOf, hashOf, type Place } from './audit-stream.ts';
import type { Json } from './bodies.ts';
import type { Chance } from './chance.ts';
import type { Organisation, Person, Repository } from './organisation.ts';

type Happening = {
  chance: Chance;
  organisation: Organisation;
  /** Name of the webhook's event, who did it, where, and its body without these. */
  event: string;
  by: Person;
  repository: Repository | null;
  body: Json;
};
type Teller = (told: Happening) => Act[];

const inside = (body: Json, name: string): Json => (body[name] ?? {}) as Json;

/** A person's git: by HTTPS with a token of theirs, or by SSH with a key, which the log tells no hash of. */
export function gitOf(chance: Chance, by: Person): { from: Place; more: Json } {
  const isSsh = !by.isBot && by.id % 2 === 0;
  const address = addressOf(chance, by);
  return {
    from: isSsh
      ? { address, client: '' }
      : { address, client: 'git/2.50.1', token: hashOf(`git token of ${by.id}`), access: accessOf(by) },
    more: isSsh
      ? { transport_protocol: 2, transport_protocol_name: 'ssh' }
      : { transport_protocol: 1, transport_protocol_name: 'http' },
  };
}
const accessOf = ({ isBot }: Person) =>
  isBot ? 'GitHub App server-to-server token' : 'Personal access token (classic)';

/** What jobs of a workflow are given, beside the provider's own token. */
function secretsOf(workflow: string, environment: unknown, { id }: Repository): string[] {
  if (environment !== undefined) return ['DEPLOY_KEY', 'CLOUD_ROLE'];
  if (workflow === 'release') return ['NPM_TOKEN', 'SIGNING_KEY'];
  if (workflow === 'nightly') return ['CHAT_WEBHOOK'];
  if (workflow === 'grant') return ['BROKER_KEY'];
  return id % 3 === 0 ? ['COVERAGE_TOKEN'] : [];
}

/** The App that jobs act as. */
const jobs: Person = { login: 'github-actions[bot]', id: 41_898_282, role: 'member', isPrivate: false, isBot: true };

/** A job that is prepared is given its secrets, and clones by a token of its own. */
function preparedJob({ chance, organisation, by, repository, body }: Happening): Act[] {
  if (body['action'] !== 'in_progress' || repository === null) return [];
  const job = inside(body, 'workflow_job');
  const branch = String(job['head_branch']);
  const environment = (body['deployment'] as Json | undefined)?.['environment'];
  const workflow = String(job['workflow_name']);
  const ref = /^v\d/.test(branch) ? `refs/tags/${branch}` : `refs/heads/${branch}`;
  const isHosted = job['runner_group_id'] === 0;
  const address = isHosted ? `20.${chance.upTo(200)}.${chance.upTo(250)}.${chance.upTo(250)}` : '198.51.100.20';
  return [
    {
      ...{ action: 'workflows.prepared_workflow_job', by, repository },
      more: {
        ...{ workflow_run_id: job['run_id'], job_name: job['name'], is_hosted_runner: isHosted },
        job_workflow_ref: `${organisation.login}/${repository.name}/.github/workflows/${workflow}.yml@${ref}`,
        ...{ runner_labels: job['labels'], runner_group_id: job['runner_group_id'] },
        ...(environment === undefined ? {} : { environment_name: environment }),
        secrets_passed: ['GITHUB_TOKEN', ...secretsOf(workflow, environment, repository)],
      },
    },
    {
      ...{ action: 'git.clone', by: jobs, repository },
      from: {
        ...{ address, client: 'git/2.51.0', token: hashOf(`job ${job['id']}`) },
        access: 'GitHub App server-to-server token',
      },
      more: { transport_protocol: 1, transport_protocol_name: 'http' },
    },
  ];
}

function run({ by, repository, body }: Happening): Act[] {
  const told = inside(body, 'workflow_run');
  const action = { requested: 'created', completed: 'completed' }[String(body['action'])];
  if (action === undefined) return [];
  return [
    {
      ...{ action: `workflows.${action}_workflow_run`, by, repository },
      more: {
        ...{ workflow_run_id: told['id'], name: told['name'], event: told['event'], run_number: told['run_number'] },
        ...{ head_branch: told['head_branch'], head_sha: told['head_sha'], run_attempt: told['run_attempt'] },
        started_at: told['run_started_at'],
        ...(action === 'completed' ? { conclusion: told['conclusion'], completed_at: told['updated_at'] } : {}),
      },
    },
  ];
}

function change({ by, repository, body }: Happening): Act[] {
  const told = inside(body, 'pull_request');
  const action = { opened: 'create', closed: told['merged'] ? 'merge' : 'close' }[String(body['action'])];
  if (action === undefined) return [];
  const more = { pull_request_id: told['id'], pull_request_title: told['title'], pull_request_url: told['html_url'] };
  return [{ action: `pull_request.${action}`, by, repository, more }];
}

const ofUser = (account: unknown): Json => {
  const { login, id } = account as { login: string; id: number };
  return { user: login, user_id: id };
};

function people({ by, body }: Happening): Act[] {
  const action = String(body['action']);
  if (action === 'member_invited') return [{ action: 'org.invite_member', by, more: ofUser(body['user']) }];
  const user = ofUser(inside(body, 'membership')['user']);
  if (action === 'member_added') return [{ action: 'org.add_member', by, more: { ...user, permission: 'read' } }];
  return action === 'member_removed' ? [{ action: 'org.remove_member', by, more: user }] : [];
}

function repositoryAct({ by, repository, body }: Happening): Act[] {
  const action = String(body['action']);
  if (repository === null) return [];
  const visibility = repository.isPublic ? 'public' : 'private';
  const of = { by, repository };
  if (action === 'created') return [{ ...of, action: 'repo.create', more: { visibility } }];
  if (action === 'archived') return [{ ...of, action: 'repo.archived', more: { visibility } }];
  if (action === 'publicized' || action === 'privatized') {
    const previous_visibility = repository.isPublic ? 'private' : 'public';
    return [{ ...of, action: 'repo.access', more: { visibility, previous_visibility } }];
  }
  const from = (inside(inside(inside(body, 'changes'), 'repository'), 'name') as { from?: string }).from;
  return action === 'renamed' ? [{ ...of, action: 'repo.rename', more: { old_name: from } }] : [];
}

/** Under which action a setting's change is told, where that is not called like it. */
const settingActions: Readonly<Record<string, string>> = { required_status_checks: 'required_status_check.create' };

/** The setting of a protection that changed, one a record. */
function protection({ by, repository, body }: Happening): Act[] {
  const rule = inside(body, 'rule');
  const more = { name: rule['name'], branch_protection_rule_id: rule['id'] };
  const action = String(body['action']);
  if (action === 'created') return [{ action: 'protected_branch.create', by, repository, more }];
  if (action === 'deleted') return [{ action: 'protected_branch.destroy', by, repository, more }];
  return Object.keys(inside(body, 'changes')).map((setting) => ({
    ...{ action: settingActions[setting] ?? `protected_branch.update_${setting}`, by, repository },
    more: { ...more, [setting]: rule[setting] },
  }));
}

const tellers: Readonly<Record<string, Teller>> = {
  branch_protection_rule: protection,
  dependabot_alert: ({ by, repository, body }) => {
    const action = { created: 'create', fixed: 'resolve', dismissed: 'dismiss' }[String(body['action'])];
    const more = { alert_number: inside(body, 'alert')['number'] };
    return action === undefined ? [] : [{ action: `repository_vulnerability_alert.${action}`, by, repository, more }];
  },
  deploy_key: ({ by, repository, body }) => {
    const key = inside(body, 'key');
    const action = body['action'] === 'created' ? 'public_key.create' : 'public_key.delete';
    const fingerprint = `SHA256:${hashOf(`key ${key['id']}`)}`;
    return [
      { action, by, repository, more: { title: key['title'], read_only: String(key['read_only']), fingerprint } },
    ];
  },
  deployment_review: ({ by, repository, body }) => {
    if (body['action'] !== 'approved') return [];
    const more = { workflow_run_id: inside(body, 'workflow_run')['id'], environment_name: body['environment'] };
    return [{ action: 'workflows.approve_workflow_job', by, repository, more }];
  },
  member: ({ by, repository, body }) => {
    const action = body['action'] === 'added' ? 'repo.add_member' : 'repo.remove_member';
    const permission = (inside(inside(body, 'changes'), 'permission') as { to?: string }).to;
    const more = { ...ofUser(body['member']), ...(permission === undefined ? {} : { permission }) };
    return [{ action, by, repository, more }];
  },
  membership: ({ by, organisation, body }) => {
    const action = body['action'] === 'added' ? 'team.add_member' : 'team.remove_member';
    const team = `${organisation.login}/${inside(body, 'team')['slug']}`;
    return [{ action, by, more: { ...ofUser(body['member']), team } }];
  },
  organization: people,
  personal_access_token_request: ({ by, body }) => {
    const request = inside(body, 'personal_access_token_request');
    const isAsked = body['action'] === 'created';
    const more = {
      ...{ user_programmatic_access_request_id: request['id'], user_programmatic_access_id: request['token_id'] },
      ...{ user_programmatic_access_name: request['token_name'], token_expiration: request['token_expires_at'] },
      ...ofUser(request['owner']),
    };
    return [{ action: `personal_access_token.${isAsked ? 'request_created' : 'access_granted'}`, by, more }];
  },
  pull_request: change,
  pull_request_review: ({ by, repository, body }) => {
    const more = { pull_request_url: inside(body, 'pull_request')['html_url'] };
    return [{ action: 'pull_request_review.submit', by, repository, more }];
  },
  push: ({ chance, by, repository }) => [{ action: 'git.push', by, repository, ...gitOf(chance, by) }],
  repository: repositoryAct,
  repository_ruleset: ({ by, repository, body }) => {
    const { id, name, enforcement } = inside(body, 'repository_ruleset');
    const action = { created: 'create', edited: 'update', deleted: 'destroy' }[String(body['action'])];
    const more = { ruleset_id: id, ruleset_name: name, ruleset_enforcement: enforcement };
    return action === undefined ? [] : [{ action: `repository_ruleset.${action}`, by, repository, more }];
  },
  secret_scanning_alert: ({ by, repository, body }) => {
    const action = { created: 'create', resolved: 'resolve' }[String(body['action'])];
    const { number, secret_type } = inside(body, 'alert');
    const more = { number, secret_type };
    return action === undefined ? [] : [{ action: `secret_scanning_alert.${action}`, by, repository, more }];
  },
  workflow_job: preparedJob,
  workflow_run: run,
};

/** What the audit log tells of an act of which a webhook tells: the same fact by another feed. */
export const actsOf = (told: Happening): Act[] =>
  Object.hasOwn(tellers, told.event) ? tellers[told.event]!(told) : [];
