import { createHash } from 'node:crypto';
import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import { surerOf } from '@tripline/contracts/finding';
import { eventOfRecord } from '@tripline/sources/github-audit/record';
import { organization, repository, startMs, told, user } from '@tripline/testing/deliveries';
import { eventsOf } from '@tripline/testing/timeline/in-words';
import { at, type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rules, rulesByDefault } from './registry.ts';

/**
 * One act, two feeds: GitHub's own webhook and the record of its audit log, through both normalisers and all rules. Whichever
 * comes, in whatever order and however late, one finding is reported, as sure as the surer of the two.
 */
const hour = 3600;
const latest = 80 * hour;
const by = 'mallory';
const app = repository('app');
const inRepository = { org: 'acme', org_id: organization.id, repo: app.full_name, repo_id: app.id };
const inOrganization = { org: 'acme', org_id: organization.id };
const timeOf = (s: number) => new Date(startMs + s * 1000).toISOString();

let records = 0;
/** A record of the audit log on what `by` did `s` seconds after the start, received `lateS` seconds after that. */
function recorded(s: number, fields: { action: string } & Record<string, unknown>, lateS = 2): LoggedEventInput {
  records += 1;
  const ms = startMs + s * 1000;
  const { id: actor_id, login: actor } = user(by);
  const common = { '@timestamp': ms, created_at: ms, _document_id: `record-${records}`, actor, actor_id };
  const whose = () => ({ workspace: 'acme' });
  const event = eventOfRecord({ ...common, ...fields }, { receivedAtMs: ms, trust: 'medium', whose });
  if ('ignored' in event) throw new Error(event.ignored);
  return { ...event, atMs: ms + lateS * 1000 } as LoggedEventInput;
}

type Act = {
  /** As the webhook tells it; `lateS` after it was done, in seconds. Absent where none does. */
  webhook?: (s: number, lateS: number) => LoggedEventInput;
  record: { action: string } & Record<string, unknown>;
  /** Another record of the same act. */
  besides?: { action: string } & Record<string, unknown>;
  /** What is reported by the webhook alone, by the record alone, and by both. */
  alone?: string;
  audit: string | undefined;
  both?: string;
};
const blob = Buffer.from('\0\0\0\u000bssh-ed25519 some bytes of a key').toString('base64');
const fingerprint = `SHA256:${createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replaceAll('=', '')}`;
const installation = {
  ...{ id: 5, app_id: 9, app_slug: 'ci-helper', account: { ...organization, type: 'Organization' } },
  permissions: { administration: 'write', contents: 'write' },
  repository_selection: 'all',
};
const grant = 'privilege-grant-outside-job';
const protection = { id: 3, name: 'main', required_approving_review_count: 1 };

const acts: Readonly<Record<string, Act>> = {
  'repository made public': {
    webhook: (s, lateS) =>
      told(s + lateS, 'repository', by, { action: 'publicized', repository: { ...app, private: false } }),
    record: { action: 'repo.access', ...inRepository, visibility: 'public', previous_visibility: 'private' },
    ...{ alone: 'repository-exposed', audit: 'repository-exposed', both: 'repository-exposed' },
  },
  'repository made public, by its other webhook': {
    webhook: (s, lateS) => told(s + lateS, 'public', by, { repository: { ...app, private: false } }),
    record: { action: 'repo.access', ...inRepository, visibility: 'public', previous_visibility: 'private' },
    ...{ alone: 'repository-exposed', audit: 'repository-exposed', both: 'repository-exposed' },
  },
  'public repository made, called as worms call it': {
    webhook: (s, lateS) =>
      told(s + lateS, 'repository', by, {
        action: 'created',
        repository: { ...app, private: false, description: 'Sha1-Hulud: The Second Coming.' },
      }),
    record: { action: 'repo.create', ...inRepository, visibility: 'public', public_repo: true },
    ...{ alone: 'repository-exposed', audit: 'audit-repo-create-public', both: 'repository-exposed' },
  },
  'webhook deleted': {
    webhook: (s, lateS) => {
      const hook = { type: 'Organization', name: 'web', id: 42 };
      return told(s + lateS, 'meta', by, { action: 'deleted', hook_id: 42, hook });
    },
    record: { action: 'hook.destroy', ...inOrganization, hook_id: 42 },
    ...{ alone: 'control-disabled-or-audit-silenced', audit: 'control-disabled-or-audit-silenced' },
    both: 'control-disabled-or-audit-silenced',
  },
  'collaborator added': {
    webhook: (s, lateS) =>
      told(s + lateS, 'member', by, {
        ...{ action: 'added', member: user('eve'), repository: app },
        changes: { permission: { to: 'admin' }, role_name: { to: 'admin' } },
      }),
    record: { action: 'repo.add_member', ...inRepository, user: 'eve', user_id: user('eve').id, permission: 'admin' },
    ...{ alone: grant, audit: grant, both: grant },
  },
  'outsider added': {
    webhook: (s, lateS) =>
      told(s + lateS, 'member', by, {
        ...{ action: 'added', member: user('eve'), repository: app },
        changes: { permission: { to: 'write' }, role_name: { to: 'write' } },
      }),
    record: {
      ...{ action: 'org.add_outside_collaborator', ...inRepository, user: 'eve', user_id: user('eve').id },
      ...{ invitee: 'eve', permission: 'write' },
    },
    besides: { action: 'repo.add_member', ...inRepository, user: 'eve', user_id: user('eve').id, permission: 'write' },
    ...{ alone: grant, audit: 'audit-org-add-outside-collaborator', both: grant },
  },
  'collaborator given another right': {
    webhook: (s, lateS) =>
      told(s + lateS, 'member', by, {
        ...{ action: 'edited', member: user('eve'), repository: app },
        changes: { permission: { from: 'read', to: 'admin' } },
      }),
    record: {
      ...{ action: 'repo.update_member', ...inRepository, user: 'eve', user_id: user('eve').id },
      ...{ old_repo_permission: 'read', new_repo_permission: 'admin' },
    },
    ...{ alone: grant, audit: grant, both: grant },
  },
  'member of a team added': {
    webhook: (s, lateS) =>
      told(s + lateS, 'membership', by, {
        ...{ action: 'added', scope: 'team', member: user('eve') },
        team: { id: 8, name: 'Admins', slug: 'admins' },
      }),
    record: { action: 'team.add_member', ...inOrganization, team: 'acme/admins', user: 'eve', user_id: user('eve').id },
    ...{ alone: grant, audit: undefined, both: grant },
  },
  'team given a repository': {
    webhook: (s, lateS) =>
      told(s + lateS, 'team', by, {
        action: 'added_to_repository',
        team: { id: 8, name: 'Admins', slug: 'admins' },
        repository: { ...app, permissions: { admin: true, push: true, pull: true } },
      }),
    record: { action: 'team.add_repository', ...inRepository, team: 'acme/admins' },
    ...{ alone: grant, audit: undefined, both: grant },
  },
  'app given other permissions': {
    webhook: (s, lateS) => told(s + lateS, 'installation', by, { action: 'new_permissions_accepted', installation }),
    record: { action: 'integration_installation.version_updated', ...inOrganization, integration: 'CI Helper' },
    alone: 'app-permission-escalated',
    ...{ audit: 'audit-integration-installation-version-updated', both: 'app-permission-escalated' },
  },
  'secret seen in a repository': {
    webhook: (s, lateS) =>
      told(s + lateS, 'secret_scanning_alert', by, {
        ...{ action: 'created', repository: app },
        alert: { number: 4, secret_type: 'npm_token', updated_at: timeOf(s) },
      }),
    record: { action: 'secret_scanning_alert.create', ...inRepository, number: 4 },
    ...{ audit: 'audit-secret-scanning-alert-create', both: 'audit-secret-scanning-alert-create' },
  },
  'ruleset relaxed': {
    webhook: (s, lateS) =>
      told(s + lateS, 'repository_ruleset', by, {
        ...{ action: 'edited', repository: app, changes: { enforcement: { from: 'active' } } },
        repository_ruleset: { id: 6, name: 'main', enforcement: 'disabled', conditions: { ref_name: { include: [] } } },
      }),
    record: { action: 'repository_ruleset.update', ...inRepository, ruleset_id: 6, ruleset_name: 'main' },
    ...{ audit: 'audit-repository-ruleset-update', both: 'audit-repository-ruleset-update' },
  },
  'owner added': {
    webhook: (s, lateS) =>
      told(s + lateS, 'organization', by, {
        ...{ action: 'member_added', membership: { role: 'admin', state: 'active', user: user('eve') } },
      }),
    record: { action: 'org.add_member', ...inOrganization, user: 'eve', user_id: user('eve').id, permission: 'admin' },
    // The graver of the two, where no workflow is configured that may grant.
    ...{ alone: grant, audit: 'audit-org-add-member-as-owner', both: 'audit-org-add-member-as-owner' },
  },
  'member made an owner': {
    record: {
      ...{ action: 'org.update_member', ...inOrganization, user: 'eve', user_id: user('eve').id },
      ...{ permission: 'admin', old_permission: 'read' },
    },
    audit: 'audit-org-update-member-to-owner',
  },
  'deploy key added': {
    webhook: (s, lateS) =>
      told(s + lateS, 'deploy_key', by, {
        action: 'created',
        key: { id: 31, key: `ssh-ed25519 ${blob}`, title: 'ci', read_only: false, created_at: timeOf(s) },
        repository: app,
      }),
    record: { action: 'public_key.create', ...inRepository, title: 'ci', read_only: 'false', fingerprint },
    ...{ alone: 'deploy-key-write-added', audit: 'audit-public-key-create-may-write', both: 'deploy-key-write-added' },
  },
  'team put beneath another': {
    webhook: (s, lateS) =>
      told(s + lateS, 'team', by, {
        action: 'edited',
        team: { id: 8, name: 'Guests', slug: 'guests', parent: { id: 2, name: 'Admins', slug: 'admins' } },
        changes: { parent: { from: null } },
      }),
    record: { action: 'team.change_parent_team', ...inOrganization, team: 'acme/guests' },
    ...{ alone: grant, audit: 'audit-team-change-parent-team', both: grant },
  },
  'app installed': {
    webhook: (s, lateS) => told(s + lateS, 'installation', by, { action: 'created', installation }),
    record: { action: 'integration_installation.create', ...inOrganization, integration: 'CI Helper' },
    alone: 'app-permission-escalated',
    ...{ audit: 'audit-integration-installation-create', both: 'app-permission-escalated' },
  },
  'app given more repositories': {
    webhook: (s, lateS) =>
      told(s + lateS, 'installation_repositories', by, {
        ...{ action: 'added', installation, repository_selection: 'all' },
        ...{ repositories_added: [app], repositories_removed: [] },
      }),
    record: { action: 'integration_installation.repositories_added', ...inOrganization, name: 'ci-helper' },
    alone: 'app-permission-escalated',
    ...{ audit: undefined, both: 'app-permission-escalated' },
  },
  'token let in': {
    webhook: (s, lateS) =>
      told(s + lateS, 'personal_access_token_request', by, {
        action: 'approved',
        personal_access_token_request: {
          ...{ id: 12, owner: user('eve'), repository_selection: 'all', token_id: 99 },
          permissions_result: { repository: { contents: 'write' } },
        },
      }),
    record: {
      ...{ action: 'personal_access_token.access_granted', ...inOrganization, user: 'eve', user_id: user('eve').id },
      ...{ user_programmatic_access_request_id: 12, user_programmatic_access_id: 99 },
    },
    ...{ alone: 'high-scope-token-approved', audit: undefined, both: 'high-scope-token-approved' },
  },
  'secret seen in public': {
    webhook: (s, lateS) =>
      told(s + lateS, 'secret_scanning_alert', by, {
        ...{ action: 'publicly_leaked', repository: app },
        alert: { number: 4, secret_type: 'npm_token', updated_at: timeOf(s), publicly_leaked: true },
      }),
    record: { action: 'secret_scanning_alert.public_leak', ...inRepository, number: 4 },
    ...{ alone: 'secret-leaked', audit: 'audit-secret-scanning-alert-public-leak', both: 'secret-leaked' },
  },
  'branch protection deleted': {
    webhook: (s, lateS) =>
      told(s + lateS, 'branch_protection_rule', by, { action: 'deleted', rule: protection, repository: app }),
    record: { action: 'protected_branch.destroy', ...inRepository, name: 'main' },
    ...{ audit: 'audit-protected-branch-destroy', both: 'audit-protected-branch-destroy' },
  },
  'ruleset deleted': {
    webhook: (s, lateS) =>
      told(s + lateS, 'repository_ruleset', by, {
        ...{ action: 'deleted', repository: app },
        repository_ruleset: { id: 6, name: 'main', enforcement: 'active', conditions: { ref_name: { include: [] } } },
      }),
    record: { action: 'repository_ruleset.destroy', ...inRepository, ruleset_id: 6, ruleset_name: 'main' },
    ...{ audit: 'audit-repository-ruleset-destroy', both: 'audit-repository-ruleset-destroy' },
  },
};

/** What is reported, each with its confidence: what another finding stands for is not. */
function reported(events: LoggedEventInput[], of = rulesByDefault, more: { restartAfterEach?: boolean } = {}) {
  const timeline = { rules: of, events, untilMs: startMs + latest * 1000, ...more };
  const { findings, superseded, changes, poison } = playTimeline(timeline);
  expect(poison).toEqual([]);
  return findings
    .filter(({ id }) => !superseded.has(id))
    .map(({ id, rule, confidence }) => {
      const grown = changes.flatMap((one) => (one.findingId === id && one.confidence ? [one.confidence] : []));
      return [rule, [confidence, ...grown].reduce(surerOf)] as const;
    });
}
const rulesIn = (found: ReturnType<typeof reported>) => found.map(([rule]) => rule);
const one = (rule: string | undefined) => (rule === undefined ? [] : [rule]);
const doneAt = 100;

const all = Object.entries(acts).map(([name, act]) => ({ name, ...act }));
const twiceTold = all.flatMap(({ webhook, ...act }) => (webhook === undefined ? [] : [{ ...act, webhook }]));

test.each(all)('$name: found by the audit log alone', ({ record, audit }) => {
  expect(rulesIn(reported([recorded(doneAt, record)]))).toEqual(one(audit));
});

test.each(twiceTold)('$name: found by the webhook alone, also where it comes late', ({ webhook, alone }) => {
  for (const lateS of [1, 50 * hour]) expect(rulesIn(reported([webhook(doneAt, lateS)]))).toEqual(one(alone));
});

test.each(twiceTold)(
  '$name: one finding by both, in any order and however late, restarted between',
  ({ webhook, record, besides, both }) => {
    // Seconds after the act until the webhook, and until the record, are received.
    for (const [webhookS, recordS] of [
      [1, 5],
      [5, 1],
      [1, 20 * 60],
      [1, 60 * hour],
      [5 * hour, 2],
      [70 * hour, 30],
      [30 * hour, 40 * hour],
    ] as const) {
      const events = [webhook(doneAt, webhookS), recorded(doneAt, record, recordS)];
      if (besides !== undefined) events.push(recorded(doneAt, besides, recordS + 1));
      for (const restartAfterEach of [false, true]) {
        const found = reported(events, rulesByDefault, { restartAfterEach });
        expect([webhookS, recordS, ...rulesIn(found)]).toEqual([webhookS, recordS, ...one(both)]);
      }
    }
  },
);

test.each(twiceTold.filter(({ alone, both }) => alone !== undefined && alone === both))(
  '$name: as sure as the surer feed says, whichever came first',
  ({ webhook, record }) => {
    const surest = reported([webhook(doneAt, 1)]);
    for (const [webhookS, recordS] of [
      [1, 5],
      [5, 1],
      [5 * hour, 2],
    ] as const)
      expect(reported([webhook(doneAt, webhookS), recorded(doneAt, record, recordS)])).toEqual(surest);
  },
);

test.each(all)(
  '$name: no more with every row of the table switched on',
  ({ webhook, record, besides, both, audit }) => {
    const events = [...(webhook === undefined ? [] : [webhook(doneAt, 1)]), recorded(doneAt, record)];
    if (besides !== undefined) events.push(recorded(doneAt, besides));
    const found = rulesIn(reported(events, rules)).filter((rule) => rule.startsWith('audit-'));
    expect(found).toHaveLength((both ?? audit)?.startsWith('audit-') ? 1 : 0);
  },
);

test('done twice by one person, as each feed tells, it is two, however late webhooks come', () => {
  const { webhook, record } = acts['collaborator added']!;
  const twice = [doneAt, doneAt + 2 * hour];
  for (const lates of [
    [1, 1],
    [5 * hour, 1],
    [5 * hour, 6 * hour],
  ]) {
    const events = twice.flatMap((s, nth) => [webhook!(s, lates[nth]!), recorded(s, record, 30 * hour * nth + 2)]);
    expect(rulesIn(reported(events))).toEqual([grant, grant]);
  }
});

test('the like of another account is another act', () => {
  const { webhook, record } = acts['collaborator added']!;
  const events = [recorded(doneAt, { ...record, actor: 'zoe', actor_id: 1 }), webhook!(doneAt, 5 * hour)];
  expect(rulesIn(reported(events))).toEqual([grant, grant]);
});

describe('what rests on an act speaks for it', () => {
  const push = (s: number) =>
    told(s, 'push', by, {
      ...{ ref: 'refs/heads/main', before: 'a'.repeat(40), after: 'b'.repeat(40), created: false, deleted: false },
      ...{ forced: false, commits: [], pusher: { name: by }, repository: { ...app, pushed_at: startMs / 1000 + s } },
    });

  test.each(['branch protection deleted', 'ruleset deleted'])('%s, and pushed meanwhile', (act) => {
    const { webhook, record } = acts[act]!;
    const first =
      act === 'ruleset deleted'
        ? []
        : [told(1, 'branch_protection_rule', 'ada', { action: 'created', rule: protection, repository: app })];
    for (const recordS of [2, 2 * hour]) {
      const events = [...first, webhook!(doneAt, 1), recorded(doneAt, record, recordS), push(doneAt + 600)];
      const found = rulesIn(reported(events));
      expect(found.filter((rule) => rule.startsWith('audit-'))).toEqual(
        found.includes('protection-weakened-then-push') ? [] : one(acts[act]!.audit),
      );
      if (act !== 'ruleset deleted') expect(found).toContain('protection-weakened-then-push');
    }
  });

  test.each([
    ['org.disable_two_factor_requirement', 'audit-org-disable-two-factor-requirement'],
    ['org.disable_saml', 'audit-org-disable-saml'],
    ['audit_log_streaming.destroy', 'audit-audit-log-streaming-destroy'],
  ])('%s, and a feed fell silent', (action, row) => {
    const act = recorded(doneAt, { action, ...inOrganization });
    expect(rulesIn(reported([act]))).toEqual([row]);
    const silent = at(startMs + 3 * hour * 1000, 'dev.cdeventsx.tripline-feed.silent', {
      ...{ 'tripline.feed.name': 'github-audit', 'tripline.feed.silence': 'below-usual' },
      'tripline.feed.silent_since': timeOf(hour),
    });
    for (const events of [
      [act, silent],
      [silent, { ...act, atMs: silent.atMs + 60_000 }],
    ])
      expect(rulesIn(reported(events))).toEqual(['control-disabled-or-audit-silenced']);
  });

  /** Webhooks of a timeline, and a record of the act that one of them, of `type`, shows the outcome of. */
  function withRecord(
    type: EventType,
    text: string,
    recordOf: (data: Attributes) => { action: string } & Record<string, unknown>,
  ) {
    const shown = eventsOf(text);
    const { data, atMs } = shown.findLast((event) => event.type === type)!;
    const { 'vcs.repository.name': repo, 'vcs.repository.id': repo_id, 'user.id': actor_id } = data as Attributes;
    const record = { org: 'acme', org_id: organization.id, repo, repo_id, actor_id, ...recordOf(data as Attributes) };
    const doneS = (atMs - startMs) / 1000;
    return [2, 50 * hour].map((lateS) => ({ shown, record: recorded(doneS, record, lateS) }));
  }
  const reportedAll = (events: readonly LoggedEventInput[]) =>
    rulesIn(reported(events.map((event, nth) => ({ ...event, id: event.id ?? `shown-${nth}` }))));

  test('a gate passed by force, and the job that began behind it', () => {
    const text = `
      09:00  mallory  starts run 7 of release in acme/app at c1
      09:01  mallory  requests review of run 7 for production
      09:02  mallory  starts job deploy of run 7 (to production)`;
    for (const { shown, record } of withRecord('dev.cdevents.taskrun.started', text, (data) => ({
      action: 'workflows.bypass_protection_rules',
      workflow_run_id: Number(data['cicd.pipeline.run.id']),
    }))) {
      expect(reportedAll([record])).toEqual(['audit-workflows-bypass-protection-rules']);
      expect(reportedAll(shown)).toEqual(['deployment-gate-bypassed']);
      expect(reportedAll([...shown, record])).toEqual(['deployment-gate-bypassed']);
    }
  });

  const built = '09:01  mallory  starts run 7 of ci in acme/app at c2';
  test.each([
    ['', '', ['protected-branch-unreviewed'], true],
    ['', '', ['protected-branch-unreviewed'], false],
    // What lands is one thing, and what is built of it another, of one incident.
    ['', built, ['build-from-unreviewed-commit', 'protected-branch-unreviewed'], true],
    ['', built, ['build-from-unreviewed-commit', 'protected-branch-unreviewed'], false],
    [' (touching .github/workflows/ci.yml)', '', ['workflow-changed-unreviewed'], true],
    [' (touching .github/workflows/ci.yml)', '', ['workflow-changed-unreviewed'], false],
  ])('a protection overridden by a push%s %s, found by %s, the commit told: %s', (touching, run, found, isTold) => {
    const text = `
      08:00  ada      creates protection main of acme/app
      09:00  mallory  pushes c2 to acme/app main${touching}
      ${run}`;
    for (const { shown, record } of withRecord('dev.cdeventsx.tripline-ref.pushed', text, (data) => ({
      action: 'protected_branch.policy_override',
      branch: 'refs/heads/main',
      ...(isTold ? { after: data['vcs.ref.head.revision'] } : {}),
    }))) {
      expect(reportedAll([record])).toEqual(['audit-protected-branch-policy-override']);
      expect(reportedAll(shown).sort()).toEqual(found);
      expect(reportedAll([...shown, record]).sort()).toEqual(found);
    }
  });

  test('a runner registered by somebody who never did', () => {
    const of = { runner_id: 7, runner_name: 'box', runner_labels: ['linux'] };
    const known = at(startMs, 'dev.cdeventsx.tripline-audit.recorded', {
      'tripline.audit.action': 'org.update_actions_settings',
    });
    const act = recorded(doneAt, { action: 'org.register_self_hosted_runner', ...inOrganization, ...of });
    const row = rules.filter(
      ({ id }) => id === 'audit-org-register-self-hosted-runner' || id === 'rogue-runner-registered',
    );
    expect(rulesIn(reported([known, act], row))).toEqual(['rogue-runner-registered']);
  });
});
