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
  expect(eventOf(access)).toEqual({
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
      'tripline.audit.action': 'repo.access',
      'tripline.audit.id': 'dGVzdC1kb2N1bWVudA',
      'tripline.audit.record': access,
    },
  });
});

test('a clone, a fetch and a download are reads of a repository', () => {
  for (const action of ['git.clone', 'git.fetch', 'repo.download_zip'])
    expect(eventOf({ ...access, action }).type).toBe('dev.cdeventsx.tripline-repository.read');
  const { repo: _, ...nowhere } = access;
  expect(eventOf({ ...nowhere, action: 'git.clone' }).type).toBe('dev.cdeventsx.tripline-audit.recorded');
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
  expect(eventOfRecord({}, context)).toEqual({ ignored: 'unexpected-shape' });
  expect(eventOfRecord({ action: 5 }, context)).toEqual({ ignored: 'unexpected-shape' });
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
  const action = fc.constantFrom('git.clone', 'org.add_member', 'x');
  fc.assert(
    fc.property(record, action, (given, action) => {
      const told = eventOfRecord({ ...given, action }, context);
      if (!('ignored' in told)) parseEvent(JSON.parse(JSON.stringify(told)));
    }),
    { numRuns: 300 },
  );
});
