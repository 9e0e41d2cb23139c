import { eventOfRecord } from '@tripline/sources/github-audit/record';
import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './organization-role-given.ts';

test('a role that the broker gave is excused for this account, role and time, and for nothing else', () => {
  expectTimeline(
    rule,
    `
    09:00  ada          is given holder on acme/auditor as g1 (for 60; by grace; a role)
    09:01  broker[bot]  assigns role auditor of acme to ada
    09:02  broker[bot]  assigns role auditor of acme to mallory     ← FOUND acme [medium/high]
    09:30  broker[bot]  assigns role admin of acme to ada           ← FOUND acme [medium/high]
    10:02  broker[bot]  assigns role auditor of acme to ada         ← FOUND acme [medium/high]
    `,
  );
});

test('nothing is given any more once the right has ended, and a role of another organisation was never given', () => {
  expectTimeline(
    rule,
    `
    09:00  ada      is given holder on acme/auditor as g1 (for 60; by grace; a role)
    09:01  eve      assigns role auditor of other to ada            ← FOUND other
    09:10  ada      has g1 on acme/auditor ended (a role)
    09:12  mallory  assigns role auditor of acme to ada             ← FOUND acme
    `,
  );
});

test('what names no ids, or a team, is excused by nothing; a person’s role can be taken back', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada      is given holder on acme/auditor as g1 (for 60; by grace; a role)
    09:01  mallory  assigns role auditor of acme to ada (without ids)    ← FOUND acme
    09:02  mallory  assigns role auditor of acme to ops (a team)         ← FOUND acme
    09:03  mallory  assigns role auditor of acme to bob                  ← FOUND acme
    `,
  );
  const steps = findings.map(({ response }) => response.map(({ action }) => action));
  expect(steps.toSorted((a, b) => a.length - b.length)).toEqual([[], ['revoke-grant'], ['revoke-grant']]);
  expect(findings.flatMap(({ response }) => response)).toContainEqual(
    expect.objectContaining({ grant: 'org-role', role: 'auditor', user: 'bob', userId: expect.any(String) }),
  );
});

test('a record as GitHub sends it', () => {
  const atMs = 1_790_000_000_000;
  const record = {
    ...{
      '@timestamp': atMs,
      created_at: atMs,
      _document_id: 'Zm9vYmFyMTIzNDU2Nzg5MA',
      action: 'organization_role.assign',
    },
    ...{ actor: 'mallory', actor_id: 666, actor_is_bot: false, actor_ip: '203.0.113.7', org: 'acme', org_id: 77 },
    ...{ user: 'bob', user_id: 8, organization_role_name: 'security_manager', organization_role_id: 8136 },
    ...{ operation_type: 'create', request_id: '1A2B:3C4D:5E6F', user_agent: 'Mozilla/5.0' },
  };
  const event = eventOfRecord(record, { receivedAtMs: atMs, trust: 'high', whose: () => ({ workspace: 'acme' }) });
  const told = (id: string, organizationId: string) => ({
    ...{ atMs: atMs - 1000, id, source: '//tripline/acme', type: 'dev.cdeventsx.tripline-access.granted' as const },
    ...{ time: new Date(atMs - 1000).toISOString(), workspace: 'acme', trust: 'high' as const },
    data: {
      ...{
        'vcs.provider.name': 'github',
        'tripline.provider.instance': 'github.com',
        'tripline.grant.kind': 'org-role',
      },
      ...{ 'tripline.grant.grantee': 'bob', 'tripline.grant.grantee_id': '8', 'tripline.grant.target_id': '8136' },
      ...{ 'tripline.grant.target': 'acme/security_manager', 'tripline.grant.permission': 'holder' },
      ...{ 'vcs.owner.id': organizationId, 'vcs.owner.name': 'acme', 'tripline.access.grant': id },
      'tripline.grant.expires_at': new Date(atMs + 3_600_000).toISOString(),
    },
  });
  const play = (...before: object[]) =>
    playTimeline({
      rules: [rule],
      events: [...before, { atMs, ...event }] as LoggedEventInput[],
      untilMs: atMs,
    }).findings;
  expect(play(told('ask-1', '77'))).toEqual([]);
  expect(play(told('ask-1', '78'))).toHaveLength(1);
  expect(play()).toMatchObject([
    {
      title: expect.stringMatching(/^mallory gave bob the role security_manager in acme/),
      response: [
        {
          action: 'revoke-grant',
          grant: 'org-role',
          role: 'security_manager',
          roleId: '8136',
          organizationId: '77',
          userId: '8',
        },
      ],
    },
  ]);
});
