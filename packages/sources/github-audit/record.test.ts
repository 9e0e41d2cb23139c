import { parseEvent } from '@tripline/contracts/event';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventOfRecord, type RecordContext } from './record.ts';

const receivedAtMs = Date.parse('2026-11-28T04:00:00Z');
const context: RecordContext = {
  receivedAtMs,
  trust: 'medium',
  whose: ([owner]) => (owner === undefined ? { ignored: 'no-workspace' } : { workspace: owner.login.toLowerCase() }),
};
/** As the stream sends it, by the documented fields. */
const access = {
  '@timestamp': 1_795_838_399_123,
  _document_id: 'dGVzdC1kb2N1bWVudA',
  action: 'repo.access',
  actor: 'mona',
  actor_id: 2001,
  actor_ip: '203.0.113.7',
  actor_is_bot: false,
  business: 'acme-inc',
  business_id: 5,
  created_at: 1_795_838_399_123,
  hashed_token: 'BdOOzRUsjQMUp0wJbXJ7Ocw9ve2KhPn1JHkqmrVGqjk=',
  org: 'acme',
  org_id: 77,
  previous_visibility: 'private',
  repo: 'acme/app',
  repo_id: 1001,
  token_id: 99,
  user_agent: 'Mozilla/5.0',
  visibility: 'public',
};
const eventOf = (record: Record<string, unknown>) => {
  const told = eventOfRecord(record, context);
  if ('ignored' in told) throw new Error(`ignored: ${told.ignored}`);
  return parseEvent(told);
};

test('a record is an event with its own words, whoever did it, from where and with what', () => {
  const archived = { ...access, action: 'repo.archived' };
  expect(eventOf(archived)).toEqual({
    id: 'github-audit:dGVzdC1kb2N1bWVudA',
    source: '//github.com/acme',
    type: 'dev.cdeventsx.tripline-audit.recorded',
    time: '2026-11-28T03:59:59.123Z',
    workspace: 'acme',
    trust: 'medium',
    data: {
      'user.id': '2001',
      'user.name': 'mona',
      'vcs.provider.name': 'github',
      'vcs.owner.name': 'acme',
      'vcs.owner.id': '77',
      'vcs.repository.name': 'acme/app',
      'vcs.repository.id': '1001',
      'tripline.repository.visibility': 'public',
      'client.address': '203.0.113.7',
      'user_agent.original': 'Mozilla/5.0',
      'tripline.credential.token_hash': access.hashed_token,
      'tripline.credential.id': '99',
      'tripline.audit.action': 'repo.archived',
      'tripline.audit.id': 'dGVzdC1kb2N1bWVudA',
      'tripline.audit.record': archived,
    },
  });
});

test('a clone, a fetch and a download are reads of a repository', () => {
  for (const action of ['git.clone', 'git.fetch', 'repo.download_zip'])
    expect(eventOf({ ...access, action }).type).toBe('dev.cdeventsx.tripline-repository.read');
  const { repo: _, ...nowhere } = access;
  expect(eventOf({ ...nowhere, action: 'git.clone' }).type).toBe('dev.cdeventsx.tripline-audit.recorded');
});

const about = { ...access, user: 'eve', user_id: 2003 };
const typeOf = (record: Record<string, unknown>) =>
  eventOf(record).type.replace(/^dev\.cdevents(?:x\.tripline-)?\.?/, '');

test('a right that somebody was given is the grant that a webhook would tell, by the ids of both', () => {
  const { type, data } = eventOf({ ...about, action: 'repo.add_member', permission: 'write' });
  expect(type).toBe('dev.cdeventsx.tripline-grant.added');
  expect(data).toMatchObject({
    ...{ 'tripline.grant.kind': 'collaborator', 'tripline.grant.permission': 'write', 'user.name': 'mona' },
    ...{ 'tripline.grant.grantee': 'eve', 'tripline.grant.grantee_id': '2003' },
    ...{ 'tripline.grant.target': 'acme/app', 'tripline.grant.target_id': '1001' },
    ...{ 'tripline.fact.id': 'fact:added:collaborator:1001:2003@2026-11-28T03:59Z' },
    ...{ 'tripline.fact.teller': 'github-audit', 'tripline.audit.action': 'repo.add_member' },
  });
  const raised = { action: 'org.update_member', old_permission: 'read', permission: 'admin' };
  expect(eventOf({ ...about, ...raised }).data).toMatchObject({
    ...{ 'tripline.grant.kind': 'org-member', 'tripline.grant.target': 'acme', 'tripline.grant.target_id': '77' },
    ...{ 'tripline.grant.permission': 'admin', 'tripline.grant.permission_before': 'member' },
  });
  const moved = { action: 'repo.update_member', old_repo_permission: 'read', new_repo_permission: 'admin' };
  expect(eventOf({ ...about, ...moved }).data).toMatchObject({
    ...{ 'tripline.grant.permission': 'admin', 'tripline.grant.permission_before': 'read' },
  });
  expect(eventOf({ ...about, action: 'business.add_admin' }).data).toMatchObject({
    ...{ 'tripline.grant.kind': 'enterprise-admin', 'tripline.grant.target': 'acme-inc' },
    'tripline.grant.target_id': '5',
  });
});

test('what would be another grant than a webhook’s, or says less than rules must know, stays a record', () => {
  const { user_id: _, ...nameless } = about;
  const { repo_id: __, ...placeless } = about;
  for (const [record, action] of [
    [nameless, 'repo.add_member'],
    [placeless, 'repo.add_member'],
    // Whoever joins accepts an invitation; the record does not say whose.
    [{ ...about, actor: 'eve', actor_id: 2003 }, 'org.add_member'],
    // To what, and from what, is not told.
    [about, 'org.update_member'],
    [about, 'repo.update_member'],
    [about, 'team.add_member'],
    [about, 'org.invite_member'],
    [{ ...about, fingerprint: 'SHA256:x', title: 'ci' }, 'public_key.create'],
    [about, 'personal_access_token.access_granted'],
    [about, 'integration_installation.create'],
    [about, 'protected_branch.destroy'],
    [about, 'repository_ruleset.destroy'],
    [about, 'workflows.created_workflow_run'],
    [about, 'git.push'],
    [about, 'user.failed_login'],
    [about, 'toString'],
  ] as const)
    expect([action, typeOf({ ...record, action })]).toEqual([action, 'audit.recorded']);
});

test('secrets that were handed to a job are its credentials, by name; the token of who set it off is not', () => {
  const job = {
    ...{ action: 'workflows.prepared_workflow_job', workflow_run_id: 30433642, job_name: 'deploy', job_id: 'deploy' },
    ...{ secrets_passed: ['DEPLOY_KEY', 'GITHUB_TOKEN', 'system.github.token'], runner_labels: ['ubuntu-24.04'] },
    ...{ is_hosted_runner: true, environment_name: 'production' },
    job_workflow_ref: 'acme/app/.github/workflows/deploy.yml@refs/heads/main',
  };
  const { type, data } = eventOf({ ...access, ...job });
  expect(type).toBe('dev.cdeventsx.tripline-credential.used');
  expect(data).toMatchObject({
    ...{ 'cicd.pipeline.run.id': '30433642', 'cicd.pipeline.task.name': 'deploy' },
    ...{ 'tripline.credential.id': '30433642/deploy', 'tripline.credential.secrets': ['DEPLOY_KEY'] },
    ...{ 'tripline.worker.labels': ['ubuntu-24.04'], 'tripline.worker.hosted': true },
    ...{ 'deployment.environment.name': 'production', 'tripline.identity.subject': job.job_workflow_ref },
  });
  expect(data).not.toHaveProperty(['tripline.credential.token_hash']);
  expect(data).not.toHaveProperty(['tripline.pipeline.run.attempt']);
  for (const secrets_passed of [[], ['GITHUB_TOKEN'], undefined, 'github_token'])
    expect(typeOf({ ...access, ...job, secrets_passed })).toBe('audit.recorded');
});

test('a runner is registered and removed by its number and its name', () => {
  const runner = { runner_id: 21, runner_name: 'build-1', runner_labels: ['self-hosted', 'linux'] };
  const { type, data } = eventOf({ ...access, ...runner, action: 'org.register_self_hosted_runner' });
  expect(type).toBe('dev.cdeventsx.tripline-runner.registered');
  expect(data).toMatchObject({
    ...{ 'cicd.worker.id': '21', 'cicd.worker.name': 'build-1', 'tripline.worker.labels': runner.runner_labels },
    ...{ 'user.name': 'mona', 'user.id': '2001' },
  });
  expect(typeOf({ ...access, ...runner, action: 'repo.remove_self_hosted_runner' })).toBe('runner.removed');
  // Configured just in time, it takes one job.
  const once = eventOf({ ...access, ...runner, action: 'org.configure_self_hosted_jit_runner' });
  expect(once.data['tripline.runner.single_use']).toBe(true);
  expect(data['tripline.runner.single_use']).toBeUndefined();
  expect(typeOf({ ...access, runner_id: 21, action: 'org.register_self_hosted_runner' })).toBe('audit.recorded');
});

test('a control that was changed is told by its kind, with what its fields were', () => {
  const { type, data } = eventOf({
    ...{ ...access, action: 'org.set_default_workflow_permissions' },
    ...{ old_permission: 'read', new_permission: 'write', previous_visibility: null },
  });
  expect(type).toBe('dev.cdeventsx.tripline-control.changed');
  expect(data).toMatchObject({
    ...{ 'tripline.control.kind': 'actions-policy', 'tripline.control.action': 'set_default_workflow_permissions' },
    'tripline.control.changes': { permission: 'read' },
  });
  const kindOf = (action: string) => eventOf({ ...access, action }).data['tripline.control.kind'];
  expect(kindOf('org.disable_two_factor_requirement')).toBe('two-factor');
  expect(kindOf('audit_log_streaming.destroy')).toBe('audit-stream');
  expect(kindOf('org.create_actions_secret')).toBe('secret');
  expect(kindOf('hook.config_changed')).toBe('hook');
  expect(eventOf(access).data).toMatchObject({
    ...{ 'tripline.control.kind': 'visibility', 'tripline.control.action': 'publicized' },
    ...{ 'tripline.control.changes': { visibility: 'private' } },
    'tripline.fact.id': 'fact:visibility:publicized:1001@2026-11-28T03:59Z',
  });
});

test('a proof of who somebody is says whether a second factor was given, and what was issued says nothing of what did it', () => {
  const mfaOf = (action: string) => eventOf({ ...access, action }).data['tripline.identity.mfa'];
  expect(mfaOf('user.login')).toBe('unknown');
  expect(mfaOf('user.two_factor_challenge_success')).toBe('yes');
  expect(mfaOf('two_factor_authentication.disabled')).toBe('no');
  expect(mfaOf('passkey.register')).toBe('unknown');
  const issued = eventOf({ ...access, action: 'oauth_access.create', scopes: ['repo', 'admin:org'] });
  expect(issued).toMatchObject({
    type: 'dev.cdeventsx.tripline-credential.issued',
    data: { 'tripline.credential.kind': 'oauth-access', 'tripline.credential.scopes': ['repo', 'admin:org'] },
  });
  expect(issued.data).not.toHaveProperty(['tripline.credential.token_hash']);
  const key = { action: 'public_key.create', title: 'laptop', fingerprint: 'SHA256:abc', repo: null, repository: null };
  expect(eventOf({ ...access, ...key }).data).toMatchObject({
    ...{ 'tripline.grant.kind': 'ssh-key', 'tripline.grant.grantee': 'laptop', 'tripline.grant.id': 'SHA256:abc' },
    ...{ 'tripline.grant.target': 'mona', 'tripline.grant.target_id': '2001' },
  });
});

test('without an id of its own, a record is known by what it says, in whatever order', () => {
  const { _document_id: _, ...rest } = access;
  const turned = Object.fromEntries(Object.entries(rest).reverse());
  expect(eventOf(rest).id).toMatch(/^github-audit:sha256:[0-9a-f]{64}$/);
  expect(eventOf(turned).id).toBe(eventOf(rest).id);
  expect(eventOf({ ...rest, actor: 'eve' }).id).not.toBe(eventOf(rest).id);
  expect(eventOf({ ...rest, _document_id: 'not one of GitHub’s' }).id).toMatch(/sha256:/);
});

test('a time that is missing or impossible is the time of receipt, and says so', () => {
  const { '@timestamp': _, ...rest } = access;
  expect(eventOf({ ...rest, created_at: 1_795_838_000_000 }).time).toBe('2026-11-28T03:53:20.000Z');
  for (const created_at of [undefined, -5, 9e99, 'yesterday', {}]) {
    const event = eventOf({ ...rest, created_at });
    expect(event.time).toBe('2026-11-28T04:00:00.000Z');
    expect(event.data['tripline.time.received']).toBe(true);
  }
});

test('a record belongs to its organisation, else to its repository’s owner, else to the enterprise', () => {
  const { org: _, org_id: __, ...rest } = access;
  const { repo: ___, ...ofEnterprise } = rest;
  expect(eventOf(rest).workspace).toBe('acme');
  expect(eventOf(ofEnterprise)).toMatchObject({ workspace: 'acme-inc', source: '//github.com' });
  expect(eventOf({ ...ofEnterprise, org: ['a', 'b'] }).workspace).toBe('acme-inc');
  expect(eventOf({ ...ofEnterprise, org: ['a'], org_id: [3] })).toMatchObject({
    ...{ workspace: 'a', data: { 'vcs.owner.id': '3' } },
  });
  const { business: ____, ...nobodys } = ofEnterprise;
  expect(eventOfRecord(nobodys, context)).toEqual({ ignored: 'no-workspace' });
});

test('a record of an organisation for which the sender does not speak is left out', () => {
  const refusing: RecordContext = {
    ...context,
    whose: () => ({ refusal: { status: 401, reason: 'wrong-organization', message: '' } }),
  };
  expect(eventOfRecord(access, refusing)).toEqual({ ignored: 'unknown-organization', organization: 'acme' });
});

test('what is no record, and what names an impossible repository, is ignored by name', () => {
  for (const content of [{}, { action: 5 }])
    expect(eventOfRecord(content, context)).toMatchObject({ ignored: 'unexpected-shape', unread: { content } });
  expect(eventOfRecord({ ...access, repo: '../..' }, context)).toMatchObject({ ignored: 'impossible-name' });
});

test('a field of another form is left out, and the rest is read', () => {
  const { data } = eventOf({ ...access, actor_id: {}, actor_ip: 5, user_agent: null, repo_id: [] });
  expect(data).toMatchObject({ 'user.name': 'mona', 'vcs.repository.name': 'acme/app' });
  for (const name of ['user.id', 'client.address', 'user_agent.original', 'vcs.repository.id'])
    expect(data).not.toHaveProperty([name]);
});

test('the record is kept flat, bounded, and without credentials', () => {
  const token = `ghp_${'a1'.repeat(18)}`;
  const { data } = eventOf({
    ...access,
    config: { url: `https://ci.example/hook?token=abc123&x=1`, secret: 'hunter2', deep: { er: true } },
    note: token,
    password: { is: 'hunter2' },
    secret_name: 'DEPLOY_KEY',
    secrets_passed: ['DEPLOY_KEY', token],
    events: [{ name: 'push', token: 'hunter2' }, 5],
    [token]: 1,
  });
  const record = data['tripline.audit.record']!;
  expect(record).toMatchObject({
    'config.url': 'https://ci.example/hook?token=[redacted]&x=1',
    'config.secret': '[redacted]',
    'config.deep.er': true,
    password: '[redacted]',
    secret_name: 'DEPLOY_KEY',
    events: ['{"name":"push","token":"[redacted]"}', '5'],
    hashed_token: access.hashed_token,
  });
  expect(record['note']).toMatch(/^\[github-token sha256:/);
  expect(JSON.stringify(data)).not.toMatch(/hunter2|ghp_|abc123/);
});

test('a record of many and of long fields stays small, and keeps who did what', () => {
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, nth) => [`field${nth}`, 'x'.repeat(5000)]));
  const lists = { lists: Array.from({ length: 5000 }, () => 'y'.repeat(5000)) };
  const { data } = eventOf({ ...lists, ...access, ...many });
  expect(JSON.stringify(data).length).toBeLessThan(60_000);
  expect(data['tripline.audit.record']).toMatchObject({ action: 'repo.access', actor: 'mona' });
});

test('whatever JSON comes, it is an event of the contract or ignored, and never throws', () => {
  const keys = fc.constantFrom(...Object.keys(access), '__proto__', 'constructor', 'toString', 'x');
  const record = fc.dictionary(keys, fc.jsonValue({ maxDepth: 4 }));
  const action = fc.constantFrom('git.clone', 'org.add_member', 'hook.create', 'workflows.prepared_workflow_job', 'x');
  fc.assert(
    fc.property(record, action, (given, action) => {
      const told = eventOfRecord({ ...given, action }, context);
      if (!('ignored' in told)) parseEvent(JSON.parse(JSON.stringify(told)));
    }),
    { numRuns: 300 },
  );
});
