import { type Act, addressOf, hashOf } from './audit-stream.ts';
import { gitOf } from './audited.ts';
import { accountOf, type Json } from './bodies.ts';
import type { Person, Repository } from './organisation.ts';
import { dayMs, hourMs, minuteMs, type World } from './world.ts';

/**
 * What the audit log tells beside what webhooks do: sign-ins, reads of repositories, credentials, secrets, settings. How often each
 * happens is invented, for an organisation of 500 people; actions and fields are documented.
 */
type Who = 'admin' | 'anybody' | 'soc' | 'release';
type Row = readonly [count: number, action: string, who: Who, where: 'repository' | 'organisation', more?: Json];

/** Acts of which only the audit log tells: so many in thirty days. */
const rows: readonly Row[] = [
  // Credentials and sign-ins.
  [40, 'org_credential_authorization.grant', 'anybody', 'organisation', { credential_type: 'personal access token' }],
  [6, 'org_credential_authorization.revoke', 'anybody', 'organisation'],
  [20, 'oauth_access.create', 'anybody', 'organisation', { oauth_application_name: 'editor' }],
  [20, 'passkey.register', 'anybody', 'organisation'],
  [15, 'two_factor_authentication.add_factor', 'anybody', 'organisation'],
  [6, 'two_factor_authentication.remove_factor', 'anybody', 'organisation'],
  [4, 'two_factor_authentication.recovery_codes_regenerated', 'anybody', 'organisation'],
  [60, 'user.failed_login', 'anybody', 'organisation'],
  // Secrets and variables of pipelines, rotated.
  [4, 'org.update_actions_secret', 'admin', 'organisation', { key: 'REGISTRY_TOKEN' }],
  [25, 'repo.update_actions_secret', 'anybody', 'repository', { key: 'NPM_TOKEN' }],
  [
    8,
    'environment.update_actions_secret',
    'anybody',
    'repository',
    { key: 'DEPLOY_KEY', environment_name: 'production' },
  ],
  [15, 'repo.create_actions_secret', 'anybody', 'repository', { key: 'CHAT_WEBHOOK' }],
  [6, 'repo.remove_actions_secret', 'anybody', 'repository', { key: 'OLD_TOKEN' }],
  [30, 'repo.update_actions_variable', 'anybody', 'repository', { key: 'NODE_VERSION' }],
  // Hooks and apps.
  [3, 'hook.create', 'anybody', 'repository', { hook_id: 501, name: 'web', events: ['push'] }],
  [3, 'hook.config_changed', 'anybody', 'repository', { hook_id: 502, name: 'web' }],
  [1, 'hook.destroy', 'anybody', 'repository', { hook_id: 503, name: 'web' }],
  [1, 'integration_installation.create', 'admin', 'organisation', { integration: 'diagrams', name: 'diagrams' }],
  [
    2,
    'integration_installation.version_updated',
    'admin',
    'organisation',
    { integration: 'renovate', name: 'renovate' },
  ],
  [
    8,
    'integration_installation.repositories_added',
    'admin',
    'organisation',
    { integration: 'renovate', name: 'renovate' },
  ],
  // Settings of repositories and environments.
  [5, 'repo.change_merge_setting', 'anybody', 'repository', { merge_method: 'squash' }],
  [20, 'repo.add_topic', 'anybody', 'repository', { topic: 'service' }],
  [1, 'repo.rename_branch', 'anybody', 'repository', { old_branch: 'develop', new_branch: 'next' }],
  [4, 'environment.create', 'anybody', 'repository', { environment_name: 'preview' }],
  [4, 'environment.add_protection_rule', 'anybody', 'repository', { environment_name: 'production' }],
  [2, 'environment.update_protection_rule', 'anybody', 'repository', { environment_name: 'production' }],
  [
    40,
    'protected_branch.rejected_ref_update',
    'anybody',
    'repository',
    {
      ...{
        branch: 'refs/heads/main',
        reasons: [{ code: 'review_policy_not_satisfied', message: 'a review is required' }],
      },
    },
  ],
  // Teams and roles.
  [2, 'team.create', 'admin', 'organisation', { team: 'acme/payments' }],
  [12, 'team.add_repository', 'admin', 'repository', { team: 'acme/developers', permission: 'write' }],
  [4, 'team.update_repository_permission', 'admin', 'repository', { team: 'acme/developers', permission: 'maintain' }],
  [3, 'team.promote_maintainer', 'admin', 'organisation', { team: 'acme/developers' }],
  [1, 'organization_role.assign', 'admin', 'organisation', { organization_role_name: 'CI/CD admin' }],
  // Security settings and alerts.
  [8, 'repository_secret_scanning.enable', 'admin', 'repository'],
  [8, 'repository_secret_scanning_push_protection.enable', 'admin', 'repository'],
  [8, 'repository_vulnerability_alerts.enable', 'admin', 'repository'],
  [8, 'repository_security_updates.enable', 'admin', 'repository'],
  [3, 'secret_scanning_push_protection.bypass', 'anybody', 'repository', { secret_type: 'test_fixture' }],
  [60, 'code_scanning.alert_created', 'anybody', 'repository'],
  [40, 'code_scanning.alert_closed_became_fixed', 'anybody', 'repository'],
  [12, 'code_scanning.alert_closed_by_user', 'anybody', 'repository'],
  // Pipelines.
  [80, 'workflows.rerun_workflow_run', 'anybody', 'repository', { workflow_run_id: 1 }],
  [40, 'workflows.cancel_workflow_run', 'anybody', 'repository', { workflow_run_id: 1 }],
  [2, 'workflows.disable_workflow', 'anybody', 'repository', { name: 'stale' }],
  [20, 'artifact.destroy', 'anybody', 'repository'],
  [30, 'actions_cache.delete', 'anybody', 'repository'],
  [30, 'repo.download_zip', 'anybody', 'repository'],
  [62, 'packages.package_version_published', 'release', 'repository', { package: 'library', version: '1.0.0' }],
  // Workplaces and talk.
  [60, 'codespaces.create', 'anybody', 'repository'],
  [40, 'codespaces.destroy', 'anybody', 'repository'],
  [5, 'copilot.cfb_seat_added', 'admin', 'organisation'],
  [200, 'issue_comment.update', 'anybody', 'repository'],
  [100, 'pull_request_review_comment.update', 'anybody', 'repository'],
  // Security operations keep copies of the log.
  [4, 'org.audit_log_export', 'soc', 'organisation'],
  [4, 'org.audit_log_git_event_export', 'soc', 'organisation'],
];

/** Everything in its number, at times at which people work. `share`: of a whole month, how much this one holds. */
export function planRecords(
  world: World,
  {
    days,
    share,
    atWork,
    isWeekend,
  }: {
    days: number;
    share: number;
    atWork: (day: number) => number;
    isWeekend: (day: number) => boolean;
  },
): void {
  const { chance, organisation } = world;
  const { people, repositories, bots } = organisation;
  const admins = people.filter(({ role }) => role === 'admin');
  const some = (count: number, what: () => void) => {
    // What a small month holds less than one of, it may hold none of.
    const whole = Math.floor(count * share);
    const times = whole + (chance.percent(100 * (count * share - whole)) ? 1 : 0);
    for (let nth = 0; nth < times; nth += 1) world.at(atWork(chance.upTo(days)), what);
  };
  const actorOf = (who: Who, where: Repository): Person =>
    who === 'admin' ? chance.pick(admins) : who === 'anybody' ? chance.pick(where.team) : bots[who];
  for (const [count, action, who, where, more] of rows)
    some(count, () => {
      const repository = chance.pick(repositories);
      const act: Act = { action, by: actorOf(who, repository), ...(more === undefined ? {} : { more }) };
      world.record(where === 'repository' ? { ...act, repository } : act);
    });

  for (let day = 0; day < days; day += 1) {
    const startMs = world.startMs + day * dayMs;
    world.at(startMs + hourMs, () => mirror(world));
    if (isWeekend(day)) continue;
    for (const person of people) if (chance.percent(90)) world.at(atWork(day), () => workday(world, person));
  }
  some(30, () => newKey(world, chance.pick(people)));
  some(24, () => askForToken(world, chance.pick(people), chance.pick(admins)));
  some(8, () => newRepository(world, chance.pick(admins)));
  some(3, () => world.tell('repository', chance.pick(admins), chance.pick(repositories), { action: 'archived' }));
  some(1, () => show(world, chance.pick(repositories.filter(({ isPublic }) => !isPublic)), chance.pick(admins)));
  some(13, () =>
    editProtection(world, chance.pick(repositories.filter(({ isProtected }) => isProtected)), chance.pick(admins)),
  );
  some(9, () => editRuleset(world, chance.pick(repositories), chance.pick(admins)));
  some(6, () => leak(world, chance.pick(repositories)));
  some(300, () => weakDependency(world, chance.pick(repositories)));
}

/** Somebody's day as the log sees it: a sign-in, and what their tools read of the code they work on. */
function workday(world: World, person: Person): void {
  const { chance, organisation } = world;
  world.record({
    action: 'org.sso_response',
    by: person,
    more: { external_identity_nameid: `${person.login}@example.com` },
  });
  const isNewDevice = chance.percent(2);
  if (isNewDevice) world.record({ action: 'user.two_factor_challenge_success', by: person });
  world.count('workdays of people');
  const own = organisation.repositories.filter(({ team }) => team.includes(person));
  const reads = Math.round(chance.spread({ p50: 3, p90: 10, max: 30 }));
  for (let nth = 0; nth < reads; nth += 1)
    world.at(world.now() + Math.floor(chance.between(0, 8 * hourMs)), () =>
      read(world, person, own.length > 0 ? chance.pick(own) : chance.pick(organisation.repositories), 'git.fetch'),
    );
  if (chance.percent(6))
    world.at(world.now() + hourMs, () => read(world, person, chance.pick(organisation.repositories), 'git.clone'));
}

const read = (world: World, by: Person, repository: Repository, action: 'git.clone' | 'git.fetch') =>
  world.record({ action, by, repository, ...gitOf(world.chance, by) });

/** All repositories are copied each night by one token, from one machine. */
function mirror(world: World): void {
  const { organisation } = world;
  const by = organisation.bots.mirror;
  const from = {
    ...{ address: '198.51.100.40', client: 'git/2.43.0', token: hashOf('token of the mirror') },
    access: 'Personal access token (fine-grained)',
  };
  for (const [nth, repository] of organisation.repositories.entries())
    world.at(world.now() + nth * 20_000, () => {
      world.record({
        ...{ action: 'git.fetch', by, repository, from },
        more: { transport_protocol: 1, transport_protocol_name: 'http' },
      });
    });
  world.count('nights in which all repositories are mirrored');
}

/** A new computer: a key for SSH, and later the old one goes. */
function newKey(world: World, by: Person): void {
  const fingerprint = (of: string) => `SHA256:${hashOf(`${of} ${by.id}`)}`;
  world.record({
    action: 'public_key.create',
    by,
    more: { title: 'laptop', fingerprint: fingerprint('new'), ...userOf(by) },
  });
  world.at(world.now() + 2 * hourMs, () => {
    world.record({
      action: 'public_key.delete',
      by,
      more: { title: 'old laptop', fingerprint: fingerprint('old'), ...userOf(by) },
    });
  });
  world.count('keys of people for SSH renewed');
}
const userOf = ({ login, id }: Person): Json => ({ user: login, user_id: id });

/** Somebody asks for a fine-grained token to be let in, and an administrator does so; most only read. */
function askForToken(world: World, owner: Person, admin: Person): void {
  const { chance } = world;
  const mayWrite = chance.percent(20);
  const repository = chance.pick(world.organisation.repositories);
  const request = {
    ...{ id: chance.serial(), owner: accountOf(owner), token_id: chance.serial(), token_name: 'local tools' },
    permissions_added: { repository: { contents: mayWrite ? 'write' : 'read', metadata: 'read' } },
    permissions_result: { repository: { contents: mayWrite ? 'write' : 'read', metadata: 'read' } },
    ...{ repository_selection: 'subset', repository_count: 1 },
    repositories: [{ id: repository.id, name: repository.name, full_name: `acme/${repository.name}` }],
    ...{ created_at: world.time(), token_expired: false },
    ...{ token_expires_at: world.time(world.now() + 60 * dayMs), token_last_used_at: null },
  };
  world.tell('personal_access_token_request', owner, null, {
    action: 'created',
    personal_access_token_request: request,
  });
  world.at(world.now() + Math.floor(chance.between(0.2, 6) * hourMs), () => {
    world.tell('personal_access_token_request', admin, null, {
      action: 'approved',
      personal_access_token_request: request,
    });
  });
  world.count(mayWrite ? 'tokens let in that may write' : 'tokens let in that may read');
}

/** A repository is made, and protected at once. */
function newRepository(world: World, by: Person): void {
  const { chance, organisation } = world;
  const made: Repository = {
    ...organisation.repositories[0]!,
    ...{ name: `service-new-${chance.serial()}`, id: chance.serial(), kind: 'squash-only', size: 'quiet' },
    ...{ isProtected: true, isPublic: false, pool: undefined, isDeployed: false, floating: undefined },
    tips: new Map([['main', chance.sha()]]),
  };
  world.tell('repository', by, made, { action: 'created' });
  world.at(world.now() + 2 * minuteMs, () =>
    world.tell('branch_protection_rule', by, made, { action: 'created', rule: protectionOf(world, made) }),
  );
  world.count('repositories made');
}

/** A repository is opened to everybody, as was decided: what nobody can undo is told all the same. */
function show(world: World, repository: Repository, by: Person): void {
  repository.isPublic = true;
  const label = 'repositories opened to everybody on purpose';
  const told = world.tell('repository', by, repository, { action: 'publicized' });
  for (const event of [...told, ...world.tell('public', by, repository, {})]) world.meant.set(event, label);
  world.count(label);
}

/** As GitHub tells of a branch's protection. */
const protectionOf = (world: World, { id }: Repository): Json => ({
  ...{ id: id * 10, repository_id: id, name: 'main', created_at: world.time(), updated_at: world.time() },
  ...{ pull_request_reviews_enforcement_level: 'everyone', required_approving_review_count: 1 },
  ...{ dismiss_stale_reviews_on_push: true, require_code_owner_review: false, admin_enforced: true },
  ...{ required_status_checks: ['ci'], required_status_checks_enforcement_level: 'everyone' },
  ...{ strict_required_status_checks_policy: false, signature_requirement_enforcement_level: 'off' },
  ...{ linear_history_requirement_enforcement_level: 'off', allow_force_pushes_enforcement_level: 'off' },
  ...{ allow_deletions_enforcement_level: 'off', merge_queue_enforcement_level: 'off' },
  ...{ authorized_actors_only: false, authorized_actor_names: [] },
});

/** Another check is demanded, or one more review: administrators tidy up. */
function editProtection(world: World, repository: Repository, by: Person): void {
  const rule = protectionOf(world, repository);
  const [changed, changes] = world.chance.percent(60)
    ? [{ required_status_checks: ['ci', 'lint'] }, { required_status_checks: { from: ['ci'] } }]
    : [{ required_approving_review_count: 2 }, { required_approving_review_count: { from: 1 } }];
  world.tell('branch_protection_rule', by, repository, { action: 'edited', rule: { ...rule, ...changed }, changes });
  world.count('protections edited by administrators');
}

function editRuleset(world: World, repository: Repository, by: Person): void {
  const { chance } = world;
  const ruleset = {
    ...{ id: chance.serial(), name: 'releases', target: 'tag', source_type: 'Repository', enforcement: 'active' },
    source: `acme/${repository.name}`,
    conditions: { ref_name: { include: ['refs/tags/v*'], exclude: [] } },
    ...{ rules: [{ type: 'deletion' }, { type: 'non_fast_forward' }], bypass_actors: [] },
    ...{ created_at: world.time(), updated_at: world.time() },
  };
  world.tell('repository_ruleset', by, repository, { action: 'created', repository_ruleset: ruleset });
  world.count('rulesets made');
}

/** Somebody pushed a secret by mistake, and it is found: that is so, and somebody must know. */
function leak(world: World, repository: Repository): void {
  const { chance } = world;
  const by = chance.pick(repository.team);
  const alert = {
    ...{ number: chance.upTo(10_000), secret_type: 'acme_test_key', validity: 'inactive', publicly_leaked: false },
    ...{ created_at: world.time(), updated_at: world.time() },
  };
  const label = 'secrets pushed by mistake';
  for (const event of world.tell('secret_scanning_alert', by, repository, { action: 'created', alert }))
    world.meant.set(event, label);
  world.at(world.now() + 3 * hourMs, () =>
    world.tell('secret_scanning_alert', by, repository, {
      action: 'resolved',
      alert: { ...alert, resolution: 'revoked', updated_at: world.time() },
    }),
  );
  world.count(label);
}

function weakDependency(world: World, repository: Repository): void {
  const { chance, organisation } = world;
  const number = chance.upTo(10_000);
  const tell = (action: string, by: Person) =>
    world.tell('dependabot_alert', by, repository, {
      action,
      alert: {
        ...{
          number,
          state: action === 'created' ? 'open' : action,
          created_at: world.time(),
          updated_at: world.time(),
        },
        security_advisory: { ghsa_id: 'GHSA-8f4m-hccc-8qph', severity: 'medium', summary: 'A weakness' },
        dependency: { package: { ecosystem: 'npm', name: 'left-pad' }, manifest_path: 'package.json' },
      },
    });
  tell('created', organisation.bots.dependabot);
  const action = chance.percent(3) ? 'dismissed' : 'fixed';
  const by = action === 'fixed' ? organisation.bots.dependabot : chance.pick(repository.team);
  world.at(world.now() + Math.floor(chance.between(4, 100) * hourMs), () => tell(action, by));
  world.count('weak dependencies found');
}

/** The machines of a pool are made anew: the old ones go, and the new ones are registered, by those who keep them. */
export function recordPool(
  world: World,
  { group, labels }: { group: { id: number; name: string }; labels: readonly string[] },
  old: readonly { id: number; name: string }[],
  fresh: readonly { id: number; name: string }[],
): void {
  const by = world.organisation.bots.runners;
  const of = ({ id, name }: { id: number; name: string }): Json => ({
    ...{ runner_id: id, runner_name: name, runner_labels: labels, runner_group_id: group.id },
    runner_group_name: group.name,
  });
  const from = { address: addressOf(world.chance, by), client: 'acme-pool-controller/2' };
  for (const runner of old) world.record({ action: 'org.remove_self_hosted_runner', by, from, more: of(runner) });
  for (const runner of fresh) world.record({ action: 'org.register_self_hosted_runner', by, from, more: of(runner) });
}
