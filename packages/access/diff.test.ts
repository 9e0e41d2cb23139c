import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exampleLock, examplePolicies } from './access.example.ts';
import { decide } from './decide.ts';
import { diff } from './diff.ts';
import { readLock } from './lock.ts';
import { type Policy, readPolicies } from './policy.ts';
import { suppose } from './suppose.ts';

const lock = readLock(exampleLock);
const versionOf = (text: string) => ({ file: readPolicies(text), lock });
const changed = (from: string, to: string) =>
  diff(versionOf(examplePolicies), versionOf(examplePolicies.replace(from, to)));

describe('diff', () => {
  it.each<[string, string, string, string]>([
    ['wider', 'ref', 'ref: refs/heads/main', 'ref: [refs/heads/main, refs/heads/next]'],
    ['wider', 'ref', 'ref: refs/heads/main', 'ref: { prefix: refs/heads/ }'],
    ['other', 'ref', 'ref: refs/heads/main', 'ref: refs/heads/next'],
    ['narrower', 'events', 'events: [push, workflow_dispatch]', 'events: [push]'],
    ['wider', 'environment', '        environment: production\n', ''],
    ['wider', 'runner', '        runner: { group: prod-deployers, network: [203.0.113.0/24] }\n', ''],
    ['wider', 'runner.network', ', network: [203.0.113.0/24]', ''],
    ['wider', 'forks', 'ref: refs/heads/main\n', 'ref: refs/heads/main\n        forks: true\n'],
    ['other', 'repository', 'repository: acme/api\n', 'repository: acme/other\n'],
    ['wider', 'needs.reviewed', '      reviewed: true\n', ''],
    ['wider', 'needs.noIncident', 'noIncident: high', 'noIncident: critical'],
    ['narrower', 'needs.noIncident', 'noIncident: high', 'noIncident: low'],
    ['wider', 'needs.mfa.within', 'within: 15m', 'within: 30m'],
    ['wider', 'needs.mfa.phishingResistant', 'within: 15m }', 'within: 15m, phishingResistant: false }'],
    ['wider', 'needs.mfa.owners', 'within: 15m }', 'within: 15m, owners: [grace] }'],
    ['wider', 'give github acme/api contents', 'contents: read', 'contents: write'],
    ['narrower', 'give github acme/api deployments', ', deployments: write', ''],
    ['wider', 'give aws arn:aws:iam::111122223333:role/deploy-api', 'for: 30m', 'for: 45m'],
    ['other', 'give aws arn:aws:iam::111122223333:role/deploy-api', ', policy: aws/deploy-api.json', ''],
    ['narrower', 'max', 'max: 45m', 'max: 40m'],
    ['wider', 'until', 'max: 45m', 'max: 45m\n    until: run'],
    ['wider', 'onIncident', 'max: 45m', 'max: 45m\n    onIncident: afterJob'],
    ['wider', 'sts', 'max: 45m', 'max: 45m\n    sts: [{ scope: acme/api, identity: deploy }]'],
    ['wider', 'tiers.staging', 'staging: [staging]', 'staging: [staging, sandbox]'],
    ['other', 'workflow', '        workflow: acme/deploy/.github/workflows/deploy.yml@refs/heads/main\n', ''],
  ])('says %s of %s', (is, field, from, to) => {
    expect(examplePolicies).toContain(from);
    expect(changed(from, to)).toContainEqual(expect.objectContaining({ is, field, policy: 'deploy-api' }));
  });

  it('says that a file which narrows a role has another text', () => {
    const versionWith = (text: string) => ({ ...versionOf(examplePolicies), files: { 'aws/deploy-api.json': text } });
    expect(diff(versionWith('{}'), versionWith('{}'))).toEqual([]);
    expect(diff(versionWith('{}'), versionWith('{"Version":"2012-10-17"}'))).toMatchObject([
      {
        is: 'other',
        field: 'give aws arn:aws:iam::111122223333:role/deploy-api',
        from: expect.stringContaining('SHA-256'),
      },
    ]);
  });

  it('says nothing of what stays, and of tests', () => {
    expect(changed('expect: granted', 'expect: granted, because: []')).toEqual([]);
  });

  it('says that a policy is new or gone, that a name means another id, and who tokens are for', () => {
    const none = versionOf(
      examplePolicies.slice(0, examplePolicies.indexOf('  deploy-api')).replace('policies:', 'policies: {}'),
    );
    expect(diff(none, versionOf(examplePolicies))).toMatchObject([{ is: 'wider', field: 'policy' }]);
    expect(diff(versionOf(examplePolicies), none)).toMatchObject([{ is: 'narrower', field: 'policy' }]);
    const moved = { ...versionOf(examplePolicies), lock: readLock("github: { acme/api: { id: '99', owner: '65' } }") };
    expect(diff(versionOf(examplePolicies), moved)).toMatchObject([{ is: 'other', field: 'lock' }]);
    expect(changed('https://access.acme.example', 'https://access.evil.example')).toMatchObject([
      { is: 'other', field: 'audience' },
    ]);
  });

  it('property: where it says neither wider nor other, whoever gets it now got it before', () => {
    const refs = ['refs/heads/main', 'refs/heads/mainline', 'refs/heads/rel/1', 'refs/tags/v1'];
    const set = fc.array(
      fc.oneof(
        fc.constantFrom(...refs),
        fc
          .constantFrom('refs/heads/', 'refs/heads/main', 'refs/heads/rel/', 'refs/tags/v')
          .map((prefix) => ({ prefix })),
      ),
      { minLength: 1, maxLength: 3 },
    );
    const events = ['push', 'schedule', 'pull_request'];
    const policies = fc.record({
      ref: set,
      events: fc.uniqueArray(fc.constantFrom(...events), { minLength: 1 }),
      environment: fc.option(fc.uniqueArray(fc.constantFrom('production', 'staging'), { minLength: 1 }), {
        nil: undefined,
      }),
      runner: fc.constantFrom(
        undefined,
        'hosted' as const,
        { group: ['a'] },
        { group: ['a', 'b'] },
        { group: ['a'], network: ['10.0.0.0/8'] },
      ),
      forks: fc.constantFrom(undefined, true as const),
      needs: fc.record(
        {
          reviewed: fc.constant(true as const),
          knownRunner: fc.constant(true as const),
          promotedFrom: fc.constantFrom('staging', 'dev'),
          noIncident: fc.constantFrom('low' as const, 'medium' as const, 'high' as const),
          mfa: fc.record({
            of: fc.constantFrom('trigger' as const, 'owners' as const),
            within: fc.constantFrom(60_000, 900_000),
            phishingResistant: fc.boolean(),
          }),
        },
        { requiredKeys: [] },
      ),
      tier: fc.constantFrom('production', 'staging'),
    });
    type Field = 'ref' | 'events' | 'environment' | 'runner' | 'forks' | 'needs' | 'tier';
    const fields: Field[] = ['ref', 'events', 'environment', 'runner', 'forks', 'needs', 'tier'];
    const base = versionOf(examplePolicies);
    const tiers = { production: ['production'], staging: ['staging'], dev: ['preview'] };
    const policyFrom = ({
      ref,
      events,
      environment,
      runner,
      forks,
      needs,
      tier,
    }: typeof policies extends fc.Arbitrary<infer T> ? T : never): Policy => {
      const {
        environment: _,
        runner: __,
        ...github
      } = (base.file.policies['deploy-api']!.who as { github: Record<string, unknown> }).github;
      return {
        ...base.file.policies['deploy-api']!,
        ...{ tier, needs },
        who: {
          github: {
            ...github,
            ref,
            events,
            ...(environment && { environment }),
            ...(runner && { runner }),
            ...(forks && { forks }),
          },
        },
      } as unknown as Policy;
    };
    const asked = fc.record({
      job: fc.record({
        ref: fc.constantFrom(...refs, 'refs/heads/rel/2', 'refs/tags/v1.2'),
        event: fc.constantFrom(...events),
        environment: fc.constantFrom('production', 'staging', 'preview'),
        runner: fc.constantFrom('hosted', 'a', 'b'),
        network: fc.constantFrom('10.1.2.3', '192.0.2.1'),
        fork: fc.boolean(),
      }),
      known: fc.record(
        {
          reviewed: fc.boolean(),
          runner: fc.boolean(),
          incident: fc.constantFrom('low' as const, 'medium' as const, 'high' as const),
          mfa: fc.constantFrom(false as const, 'phishable' as const, 30_000, 600_000),
        },
        { requiredKeys: ['reviewed', 'runner'] },
      ),
      deployedTo: fc.subarray(['staging', 'preview']),
    });
    let granted = 0;
    fc.assert(
      fc.property(
        policies,
        policies,
        fc.subarray(fields, { maxLength: 2 }),
        fc.array(asked, { minLength: 20, maxLength: 20 }),
        (one, other, differing, jobs) => {
          const mixed = { ...one, ...Object.fromEntries(differing.map((field) => [field, other[field]])) };
          const [before, after] = [policyFrom(one), policyFrom(mixed)];
          const file = (policy: Policy) => ({ file: { ...base.file, tiers, policies: { p: policy } }, lock });
          const grows = diff(file(before), file(after)).some(({ is }) => is !== 'narrower');
          if (grows) return;
          for (const { deployedTo, ...change } of jobs) {
            const { job, known } = suppose(before, { tiers, lock }, { ...change, expect: 'granted' });
            const now = decide(job, { ...known, deployedTo }, after, { tiers, lock });
            if (now.decision !== 'granted') continue;
            granted += 1;
            expect(decide(job, { ...known, deployedTo }, before, { tiers, lock }).decision).toBe('granted');
          }
        },
      ),
      { numRuns: 3000 },
    );
    expect(granted).toBeGreaterThan(0);
  });
});
