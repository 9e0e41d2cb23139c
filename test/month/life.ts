import { accountOf, pushBody, zeroSha } from './bodies.ts';
import { landByChange, pushMain } from './landings.ts';
import type { Person, Pool, Repository } from './organisation.ts';
import { recordPool } from './records.ts';
import { build } from './runs.ts';
import { hourMs, minuteMs, type World } from './world.ts';

/** A release: a tag on what stands on main, the run that publishes, and where others use it so, the floating tag moved to it. */
export function release(world: World, repository: Repository): void {
  const { chance, organisation } = world;
  const by = chance.percent(60) ? organisation.bots.release : chance.pick(repository.team);
  repository.release += 1;
  const tag = `v1.${repository.release}.0`;
  const sha = repository.tips.get('main')!;
  const tell = (name: string, before: string, forced: boolean) => {
    world.tell(
      'push',
      by,
      repository,
      pushBody({ ref: `refs/tags/${name}`, before, commits: [], after: sha, by, forced }, world.time()),
    );
    repository.tips.set(name, sha);
  };
  tell(tag, zeroSha, false);
  world.tell('create', by, repository, { ref: tag, ref_type: 'tag', master_branch: 'main', pusher_type: 'user' });
  build(world, repository, { workflow: 'release', trigger: 'push', branch: tag, sha, by, jobs: 2 });
  world.at(world.now() + 6 * minuteMs, () => {
    const told = {
      id: chance.serial(),
      tag_name: tag,
      target_commitish: 'main',
      name: tag,
      draft: false,
      prerelease: false,
      author: accountOf(by),
      html_url: `https://github.com/release/${tag}`,
    };
    world.tell('release', by, repository, {
      action: 'published',
      release: { ...told, published_at: world.time(), created_at: world.time() },
    });
    if (repository.floating !== undefined) {
      const before = repository.tips.get(repository.floating);
      tell(repository.floating, before ?? zeroSha, before !== undefined);
      world.count('floating tags moved');
    }
  });
  world.count('releases');
}

/** The night is broken: somebody pushes the mending straight to main, and has it reviewed by a change afterwards. */
export function hotfix(world: World, repository: Repository): void {
  const by = world.organisation.people.find(({ role }) => role === 'admin')!;
  const made = {
    id: world.chance.sha(),
    author: by,
    committer: by,
    message: 'Hotfix: put the limit back',
    files: ['src/limit.ts'],
  };
  world.commits.set(made.id, { commit: made, parents: [repository.tips.get('main')!], repository, changes: [] });
  pushMain(world, repository, [made], by);
  const override = world.record({
    ...{ action: 'protected_branch.policy_override', by, repository },
    more: { branch: 'refs/heads/main', overridden_codes: ['review_policy_not_satisfied'] },
  });
  if (override !== undefined) world.meant.set(override, 'hotfixes pushed straight to main');
  world.count('hotfixes pushed straight to main');
  const reviewer = repository.team.find(({ login }) => login !== by.login)!;
  const landing = {
    style: 'squash',
    author: by,
    reviewer,
    merger: reviewer,
    leadMs: 2 * hourMs,
    restMs: hourMs,
    commits: 1,
    touchesCi: false,
    isUpdated: false,
  } as const;
  landByChange(world, repository, world.now() + 5 * hourMs, landing);
}

const membershipOf = (member: Person, state: string) => ({
  membership: { state, role: 'member', user: accountOf(member) },
});

/** Somebody joins: the identity provider's app invites them, they accept, and come into a team. */
export function join(world: World, team: { id: number; slug: string }): void {
  const { chance, organisation } = world;
  const newcomer: Person = {
    login: `joiner-${chance.serial()}`,
    id: chance.serial(),
    role: 'member',
    isPrivate: true,
    isBot: false,
  };
  const by = organisation.bots.provisioning;
  world.tell('organization', by, null, {
    action: 'member_invited',
    invitation: {
      id: chance.serial(),
      login: newcomer.login,
      role: 'direct_member',
      created_at: world.time(),
      inviter: accountOf(by),
      team_count: 1,
    },
    user: accountOf(newcomer),
  });
  world.at(world.now() + 3 * hourMs, () => {
    world.tell('organization', newcomer, null, { action: 'member_added', ...membershipOf(newcomer, 'active') });
    world.at(world.now() + minuteMs, () =>
      world.tell('membership', by, null, {
        action: 'added',
        scope: 'team',
        member: accountOf(newcomer),
        team: { ...team, name: team.slug, permission: 'push' },
      }),
    );
    organisation.people.push(newcomer);
    world.record({ action: 'two_factor_authentication.enabled', by: newcomer });
  });
  world.record({ action: 'external_identity.provision', by });
  world.count('joiners');
}

/** Somebody leaves: out of the team, then out of the organisation. */
export function leave(world: World, leaver: Person, team: { id: number; slug: string }): void {
  const by = world.organisation.bots.provisioning;
  world.tell('membership', by, null, {
    action: 'removed',
    scope: 'team',
    member: accountOf(leaver),
    team: { ...team, name: team.slug, permission: 'push' },
  });
  world.at(world.now() + minuteMs, () =>
    world.tell('organization', by, null, { action: 'member_removed', ...membershipOf(leaver, 'inactive') }),
  );
  for (const { team: members } of world.organisation.repositories) {
    const at = (members as Person[]).indexOf(leaver);
    if (at >= 0 && members.length > 2) (members as Person[]).splice(at, 1);
  }
  world.record({ action: 'external_identity.deprovision', by });
  world.count('leavers');
}

/** The machines of a pool are made anew: the same names, numbers that nobody knows. */
export function rebuildPool(world: World, pool: Pool): void {
  const old = pool.runners.map((runner) => ({ ...runner }));
  for (const runner of pool.runners) runner.id = world.chance.serial();
  recordPool(world, pool, old, pool.runners);
  world.count('runner pools rebuilt');
}

/** Who is on call has access to production given by a workflow, for as long as its job runs. */
export function grantOnCall(world: World, repository: Repository, access: Repository): void {
  const { chance, organisation } = world;
  const person = chance.pick(repository.team);
  const { broker } = organisation.bots;
  const [run, job] = [chance.serial(), chance.serial()];
  const sha = access.tips.get('main')!;
  const here = { id: access.id, full_name: `${organisation.login}/${access.name}` };
  const path = '.github/workflows/grant.yml';
  const tellRun = (action: string) =>
    world.tell('workflow_run', person, access, {
      action,
      workflow: { id: 1, name: 'grant', path },
      workflow_run: {
        id: run,
        name: 'grant',
        path,
        event: 'workflow_dispatch',
        run_attempt: 1,
        head_branch: 'main',
        head_sha: sha,
        head_repository: here,
        repository: here,
        status: action,
        conclusion: action === 'completed' ? 'success' : null,
        created_at: world.time(),
        run_started_at: world.time(),
        updated_at: world.time(),
        actor: accountOf(person),
        triggering_actor: accountOf(person),
        referenced_workflows: [],
        pull_requests: [],
        html_url: 'https://github.com/run',
      },
    });
  const createdAt = world.time();
  let startedAt = createdAt;
  const tellJob = (action: string) =>
    world.tell('workflow_job', person, access, {
      action,
      workflow_job: {
        id: job,
        run_id: run,
        run_attempt: 1,
        workflow_name: 'grant',
        name: 'grant',
        head_branch: 'main',
        head_sha: sha,
        status: action,
        conclusion: action === 'completed' ? 'success' : null,
        created_at: createdAt,
        started_at: startedAt,
        completed_at: action === 'completed' ? world.time() : null,
        labels: ['ubuntu-latest'],
        runner_id: 7,
        runner_name: 'GitHub Actions 7',
        runner_group_id: 0,
        runner_group_name: 'GitHub Actions',
        steps: [],
      },
    });
  const tellMember = (action: string, changes: object) =>
    world.tell('member', broker, repository, { action, member: accountOf(person), changes });
  tellRun('requested');
  tellJob('queued');
  world.at(world.now() + 5000, () => {
    startedAt = world.time();
    tellRun('in_progress');
    tellJob('in_progress');
  });
  world.at(world.now() + 20_000, () =>
    tellMember('added', { permission: { to: 'write' }, role_name: { to: 'write' } }),
  );
  const endMs = world.now() + (1 + chance.upTo(3)) * hourMs;
  world.at(endMs - 10_000, () => tellMember('removed', {}));
  world.at(endMs, () => {
    tellJob('completed');
    tellRun('completed');
  });
  world.count('on-call grants through the granting workflow');
}

/** A repository gets another name, and keeps its number. */
export function rename(world: World, repository: Repository): void {
  const from = repository.name;
  repository.name = `${from}-renamed`;
  const by = world.organisation.people.find(({ role }) => role === 'admin')!;
  world.tell('repository', by, repository, { action: 'renamed', changes: { repository: { name: { from } } } });
  world.count('repositories renamed');
}

/** What is on main is built every night. */
export function nightly(world: World, repository: Repository): void {
  const by = repository.team[0]!;
  build(world, repository, {
    workflow: 'nightly',
    trigger: 'schedule',
    branch: 'main',
    sha: repository.tips.get('main')!,
    by,
    jobs: 2,
  });
  world.count('nightly builds');
}

/** A key that reads is replaced: rotation. */
export function rotateDeployKey(world: World, repository: Repository): void {
  const by = world.organisation.people.find(({ role }) => role === 'admin')!;
  const key = (id: number) => ({
    key: { id, title: 'mirror', read_only: true, created_at: world.time(), added_by: by.login },
  });
  world.tell('deploy_key', by, repository, { action: 'created', ...key(world.chance.serial()) });
  world.at(world.now() + 5 * minuteMs, () =>
    world.tell('deploy_key', by, repository, { action: 'deleted', ...key(world.chance.serial()) }),
  );
  world.count('deploy keys rotated');
}
