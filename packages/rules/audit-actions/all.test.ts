import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding, severities } from '@tripline/contracts/finding';
import { eventOfRecord } from '@tripline/sources/github-audit/record';
import { type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rowId, valuesOf } from '../builders/table.ts';
import { rules as allRules } from '../registry.ts';
import { rules, tables } from './all.ts';

const linesOf = (path: string) =>
  readFileSync(join(import.meta.dirname, path), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
const documented = new Set(linesOf('fixtures/documented-actions.txt'));
const rows = tables.flatMap(([table, those]) => those.map((row) => ({ id: rowId(table, row), table, row })));

/**
 * What a row is to find and to pass over, written apart from it: under which actions, how grave, and what records of them say beside
 * what all say. `at`: where they are of; an organisation unless told otherwise.
 */
type Case = {
  rule: string;
  severity: Finding['severity'];
  actions: readonly string[];
  at?: keyof typeof places;
  fires?: Readonly<Record<string, unknown>>;
  quiet: AuditRecord;
};
type AuditRecord = Readonly<Record<string, unknown>> & { action: string };
const cases = linesOf('fixtures/records.jsonl').map((line) => JSON.parse(line) as Case);

/** What records of each kind of place say, by the documentation's fields; values are invented. */
const places = {
  org: { org: 'acme', org_id: 77 },
  repo: { org: 'acme', org_id: 77, repo: 'acme/app', repo_id: 4711, public_repo: false },
  business: { business: 'acme-group', business_id: 9 },
  user: { user: 'mallory', user_id: 666, org: 'acme', org_id: 77 },
} as const;
const subjects = { org: 'acme', repo: 'acme/app', business: 'acme-group', user: 'acme' } as const;
const common = {
  ...{ '@timestamp': 1_790_000_000_000, created_at: 1_790_000_000_000, _document_id: 'Zm9vYmFyMTIzNDU2Nzg5MA' },
  ...{ actor: 'mallory', actor_id: 666, actor_is_bot: false, actor_ip: '203.0.113.7' },
  ...{ operation_type: 'modify', request_id: '1A2B:3C4D:5E6F', user_agent: 'Mozilla/5.0' },
};

/** As the feed reads it, whatever type of event it makes of it. */
function eventOf(record: AuditRecord): LoggedEventInput {
  const whose = () => ({ workspace: 'acme' });
  const event = eventOfRecord(record, { receivedAtMs: common['@timestamp'], trust: 'high', whose });
  if ('ignored' in event) throw new Error(`${record.action}: ${event.ignored}`);
  return { atMs: common['@timestamp'], ...event } as LoggedEventInput;
}

const found = (id: string, record: AuditRecord): Finding[] => {
  const rule = rules.find((one) => one.id === id)!;
  const { findings, poison } = playTimeline({
    rules: [rule],
    events: [eventOf(record)],
    untilMs: common['@timestamp'],
  });
  expect(poison).toEqual([]);
  return findings;
};

test('each row has one case, under all of its actions, and each case a row', () => {
  const told = cases.map(({ rule, actions }) => `${rule}: ${[...actions].sort().join(' ')}`).sort();
  expect(told).toEqual(rows.map(({ id, row }) => `${id}: ${valuesOf(row).sort().join(' ')}`).sort());
});

describe.each(cases.map((one) => [one.rule, one] as const))('%s', (id, one) => {
  const { severity, actions, at = 'org', ...of }: Case = one;
  test('finds its act by each of its names, and says who, where and which record', () => {
    for (const action of actions) {
      const [finding, ...more] = found(id, { ...common, ...places[at], ...of.fires, action });
      expect(finding, action).toMatchObject({
        severity,
        confidence: 'high',
        subject: subjects[at],
      });
      expect(finding!.title).toMatch(/: acme\S*, by \S+$/);
      expect(finding!.evidence[0]!.what).toContain(`record ${common._document_id}`);
      expect(more).toEqual([]);
    }
  });

  test('passes its honest twin over', () => {
    expect(found(id, { ...common, ...places[at], ...of.quiet })).toEqual([]);
  });
});

describe('responses', () => {
  const steps = (id: string, more: Record<string, unknown>) =>
    found(id, { ...common, ...places.org, action: 'org.update_member', ...more })[0]!.response;
  const bob = { user: 'bob', user_id: 8 };
  const named = { organization: 'acme', organizationId: '77', user: 'bob', userId: '8' };

  test('an owner is a member again, and one who was added is out again', () => {
    expect(steps('audit-org-update-member-to-owner', { ...bob, permission: 'admin' })).toMatchObject([
      { action: 'restore-permission', grant: 'org-member', formerPermission: 'member', ...named },
    ]);
    const added = { action: 'org.add_member', ...bob, permission: 'admin' };
    expect(steps('audit-org-add-member-as-owner', added)).toMatchObject([
      { action: 'revoke-grant', grant: 'org-member', ...named },
    ]);
  });

  test('whom or what a record does not say is left to people', () => {
    expect(steps('audit-org-update-member-to-owner', { permission: 'admin' })).toEqual([]);
  });
});

describe('names', () => {
  test('make events of types that the tables read, whichever of the documented it is', () => {
    const read = new Set(rules[0]!.reads);
    const places = { org: 'acme', org_id: 77, repo: 'acme/app', repo_id: 4711 };
    const types = [...documented].map((action) => eventOf({ ...common, ...places, action }).type);
    expect([...new Set(types)].filter((type) => !read.has(type))).toEqual([]);
  });

  test('are those of the documentation, or marked as used without it', () => {
    const wrong = rows.flatMap(({ row }) => {
      const undocumented = row[3]?.undocumented ?? [];
      return valuesOf(row).filter((value) => documented.has(value) === undocumented.includes(value));
    });
    expect(wrong).toEqual([]);
  });

  test('of one act make one row: two rows share a name only where what the record says tells them apart', () => {
    const byName = Map.groupBy(
      rows.flatMap(({ id, row }) => valuesOf(row).map((name) => ({ id, name, more: row[3] ?? {} }))),
      ({ name }) => name,
    );
    const shared = [...byName.values()].filter((those) => those.length > 1);
    const apart = ({ more }: { more: object }) => 'says' in more || 'unless' in more;
    expect(shared.filter((those) => !those.every(apart)).map(([{ name } = { name: '' }]) => name)).toEqual([]);
  });
});

describe('severities', () => {
  /** By action, what public rule sets give. */
  const given = (
    JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/public-severities.json'), 'utf8')) as {
      actions: Record<string, Record<string, Finding['severity']>>;
    }
  ).actions;
  const rank = (severity: Finding['severity']) => severities.indexOf(severity);

  test('are given for every act that a public rule set judges by itself', () => {
    /** What other rules count, or see for the first time: by itself it is daily work. */
    const counted = ['git.clone', 'git.push', 'pull_request.close', 'workflows.completed_workflow_run'];
    const covered = new Set([...rows.flatMap(({ row }) => valuesOf(row)), ...counted]);
    expect(Object.keys(given).filter((action) => !covered.has(action))).toEqual([]);
  });

  test('lie within what public rule sets give, at most one step beside, or are low for a reason', () => {
    const wrong = rows.flatMap(({ id, row }) => {
      const [, , severity, more = {}] = row;
      const ranks = valuesOf(row).flatMap((value) => Object.values(given[value] ?? {}).map(rank));
      if (ranks.length === 0) return [];
      const [least, most] = [Math.min(...ranks), Math.max(...ranks)];
      const isReasoned = (more.better ?? more.tightens ?? more.ordinary) !== undefined;
      // What the record says may make of a name that tells little an act that tells much.
      const highest = more.says === undefined && more.unless === undefined ? most : most + 1;
      const isFair = rank(severity) <= highest && (rank(severity) >= least - 1 || isReasoned);
      return isFair ? [] : [`${id}: ${severity}, given ${ranks.map((one) => severities[one]).join(', ')}`];
    });
    expect(wrong).toEqual([]);
  });

  test('of what another rule judges by more than its name are low, and that rule is there', () => {
    const better = rows.flatMap(({ row }) => row[3]?.better ?? []);
    expect(better.filter((id) => !allRules.some((rule) => rule.id === id))).toEqual([]);
  });
});

describe('beside other rules', () => {
  test('a rule that reads the same event speaks for the row: one finding is reported of one act', () => {
    const action = 'repo.access';
    const record = { ...common, ...places.repo, action, visibility: 'public', previous_visibility: 'private' };
    const { findings, superseded } = playTimeline({
      rules: allRules,
      events: [eventOf(record)],
      untilMs: common['@timestamp'],
    });
    const reported = findings.filter(({ id }) => !superseded.has(id)).map(({ rule }) => rule);
    expect(reported).toEqual(['repository-exposed']);
    expect(findings.map(({ rule }) => rule)).toContain('audit-repo-access-to-public');
  });

  /** What the broker tells before it gives bob something, a second before GitHub's record. */
  const given = (kind: string, target: string, targetId: string, permission: string) => {
    const atMs = common['@timestamp'] - 1000;
    return {
      ...{ atMs, id: `access:request:ask-1:${kind}`, source: '//tripline/acme', workspace: 'acme', trust: 'high' },
      ...{ type: 'dev.cdeventsx.tripline-access.granted', time: new Date(atMs).toISOString() },
      data: {
        ...{ 'vcs.provider.name': 'github', 'tripline.provider.instance': 'github.com', 'tripline.grant.kind': kind },
        ...{ 'tripline.grant.grantee': 'bob', 'tripline.grant.grantee_id': '8', 'tripline.grant.target': target },
        ...{ 'tripline.grant.target_id': targetId, 'tripline.grant.permission': permission },
        ...{ 'vcs.owner.id': '77', 'vcs.owner.name': 'acme', 'tripline.access.grant': 'ask-1' },
        'tripline.grant.expires_at': new Date(atMs + 3_600_000).toISOString(),
      },
    } as unknown as LoggedEventInput;
  };
  const role = { organization_role_name: 'security_manager', organization_role_id: 8136 };
  test.each([
    [
      'a right on a repository',
      given('collaborator', 'acme/app', '4711', 'write'),
      places.repo,
      'repo.add_member',
      { permission: 'write' },
      'privilege-grant-outside-job',
    ],
    [
      'a role',
      given('org-role', 'acme/security_manager', '8136', 'holder'),
      places.org,
      'organization_role.assign',
      role,
      'organization-role-given',
    ],
    [
      'a place in a team',
      given('team-member', 'acme/ops', '9', 'member'),
      places.org,
      'team.add_member',
      { team: 'acme/ops' },
      undefined,
    ],
  ] as const)(
    '%s that the broker gave is found by no rule that runs by default; given to another it is',
    (_, told, place, action, says, by) => {
      const on = allRules.filter(({ offByDefault }) => offByDefault === undefined);
      const foundOf = (user: string, user_id: number) => {
        const record = eventOf({
          ...common,
          ...place,
          ...says,
          action,
          actor: 'people-app[bot]',
          actor_id: 9,
          user,
          user_id,
        });
        const { findings } = playTimeline({
          rules: on,
          events: [told, record],
          untilMs: common['@timestamp'] + 3_600_000,
        });
        return findings.map(({ rule }) => rule);
      };
      expect(foundOf('bob', 8)).toEqual([]);
      if (by !== undefined) expect(foundOf('eve', 13)).toEqual([by]);
    },
  );

  test('rows keep nothing, and are found by the act’s name: hundreds cost an event that has none nothing', () => {
    expect(rules.length).toBeGreaterThan(150);
    for (const rule of rules) {
      expect(rule.where?.attribute).toBe('tripline.audit.action');
      expect([rule.keys, rule.state, rule.concludes]).toEqual([undefined, undefined, undefined]);
    }
    // Jobs are passed over unparsed where no rule reads them.
    const read = new Set(rules.flatMap(({ reads }) => reads));
    expect([...read].filter((type) => type.includes('taskrun') || type.includes('ref.pushed'))).toEqual([]);
  });
});

test('a row that differs in nothing from its table is one line, as CONTRIBUTING.md shows it', () => {
  const lines = ['sign-in.ts', 'audit-log.ts'].flatMap(linesOf);
  const shown = linesOf('../../../CONTRIBUTING.md').find((line) => line.startsWith("['two_factor"));
  expect(lines).toContain(shown);
});
