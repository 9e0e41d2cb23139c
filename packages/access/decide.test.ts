import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exampleLock, examplePolicies } from './access.example.ts';
import { decide } from './decide.ts';
import { readLock } from './lock.ts';
import { type Case, type Policy, readPolicies } from './policy.ts';
import { suppose } from './suppose.ts';
import type { AskingJob } from './who-asks.ts';
import { whoStands } from './who-stands.ts';

const file = readPolicies(examplePolicies);
const lock = readLock(exampleLock);
const house = { tiers: file.tiers, lock };
const policy = file.policies['deploy-api']!;
const asIs: Case = { job: {}, known: {}, expect: 'granted' };
const decided = (change: Partial<Case>, of: Policy = policy, within = house) => {
  const { job, known } = suppose(of, within, { ...asIs, ...change });
  return decide(job, known, of, within);
};
const conditionsOf = (change: Partial<Case>, of?: Policy) =>
  decided(change, of).reasons.map(({ condition }) => condition);
const policyOf = (who: string, more = '') =>
  readPolicies(
    `audience: https://b.example\ntiers: { production: [production], dev: [preview] }\npolicies:\n  one:\n    tier: production\n    who: ${who}\n    give: [{ vault: { role: r, for: 5m } }]\n${more}`,
  ).policies['one']!;

describe('decide', () => {
  it('grants what is as the policy asks for in everything', () => {
    expect(decided({})).toEqual({ decision: 'granted', reasons: [] });
  });

  // Each condition alone turns the decision.
  it.each<[string, Partial<Case>]>([
    ['repository', { job: { repository: 'acme/other' } }],
    ['caller', { job: { caller: 'acme/api/.github/workflows/other.yml@refs/heads/main' } }],
    ['caller', { job: { caller: 'acme/api/.github/workflows/release.yml@refs/heads/mine' } }],
    ['workflow', { job: { workflow: 'acme/deploy/.github/workflows/deploy.yml@refs/heads/mine' } }],
    ['event', { job: { event: 'pull_request_target' } }],
    ['ref', { job: { ref: 'refs/heads/main-evil' } }],
    ['fork', { job: { fork: true } }],
    ['runner', { job: { runner: 'default' } }],
    ['network', { job: { network: '198.51.100.7' } }],
    ['job', { known: { ended: true } }],
    ['reviewed', { known: { reviewed: false } }],
    ['promoted', { known: { promoted: false } }],
    ['known-runner', { known: { runner: false } }],
    ['incident', { known: { incident: 'critical' } }],
  ])('denies by %s alone', (condition, change) => {
    const { decision, reasons } = decided(change);
    expect(decision).toBe('denied');
    expect(reasons.map((reason) => reason.condition)).toEqual([condition]);
    expect(reasons[0]).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('wanted is'),
      help: expect.stringMatching(/\.$/),
    });
  });

  it('says every condition that fails, not only the first', () => {
    expect(
      conditionsOf({ job: { event: 'issue_comment', ref: 'refs/heads/x', fork: true }, known: { reviewed: false } }),
    ).toEqual([...['event', 'ref', 'fork', 'reviewed']]);
  });

  it('takes an environment of another tier for another tier’s, and one of none for none', () => {
    expect(conditionsOf({ job: { environment: 'staging' } })).toEqual(['environment', 'tier']);
    expect(conditionsOf({ job: { environment: 'elsewhere' } })).toEqual(['environment', 'tier']);
    const anywhere = policyOf(
      '{ github: { repository: acme/api, caller: w.yml@refs/heads/main, events: [push], ref: refs/heads/main } }',
    );
    expect(conditionsOf({ job: { environment: 'preview' } }, anywhere)).toContain('tier');
  });

  it('lets what is unknown be no, and says that it is unknown', () => {
    const { decision, reasons } = decided({ known: { reviewed: 'unknown' } });
    expect(decision).toBe('denied');
    expect(reasons).toMatchObject([{ condition: 'reviewed', state: 'unknown' }]);
    const { job, known } = suppose(policy, house, asIs);
    const unknowing = { ...known, job: 'unknown' as const, fork: undefined, runner: undefined, deployedTo: [] };
    expect(decide(job, unknowing, policy, house).reasons).toMatchObject([
      { condition: 'fork', state: 'unknown' },
      { condition: 'runner', state: 'unknown' },
      { condition: 'job', state: 'unknown' },
      { condition: 'promoted', state: 'failed' },
      { condition: 'known-runner', state: 'unknown' },
    ]);
  });

  it('waits for a second factor alone, one that is fresh and resists phishing', () => {
    expect(decided({ known: { mfa: false } }).decision).toBe('pending');
    expect(decided({ known: { mfa: 16 * 60_000 } }).decision).toBe('pending');
    expect(decided({ known: { mfa: 14 * 60_000 } }).decision).toBe('granted');
    expect(decided({ known: { mfa: 'phishable' } }).decision).toBe('pending');
    expect(decided({ known: { mfa: false, reviewed: false } }).decision).toBe('denied');
  });

  it('denies what somebody says was not they, whatever else', () => {
    expect(decided({ known: { mfa: 'refused' } })).toMatchObject({
      decision: 'denied',
      reasons: [{ condition: 'mfa', state: 'failed', found: expect.stringContaining('was not they') }],
    });
  });

  it('asks owners of what a schedule or a bot set off, by pinned ids, and says where there are none', () => {
    const { job, known } = suppose(policy, house, { ...asIs, known: { mfa: false } });
    if (job.provider !== 'github') throw new Error('a job of GitHub’s');
    const of = (owners: string[] | undefined, change: object, people = {}) => {
      const mfa = { ...policy.needs.mfa!, ...(owners === undefined ? {} : { owners }) };
      const lock = { ...house.lock, people };
      const asking = { ...job, ...change };
      const { decision } = decide(asking, known, { ...policy, needs: { mfa } }, { ...house, lock });
      return [decision, whoStands(mfa, asking, lock)];
    };
    const bot = { actor: { id: '5', name: 'helper[bot]' } };
    expect(of(undefined, {})).toEqual(['pending', { of: 'trigger', people: [{ id: '3', name: 'somebody' }] }]);
    expect(of(undefined, bot)).toEqual(['denied', { of: 'owners', people: [] }]);
    expect(of(['grace'], bot)).toEqual(['denied', { of: 'owners', people: [] }]);
    expect(of(['grace'], bot, { grace: { id: '7' } })).toEqual([
      'pending',
      { of: 'owners', people: [{ id: '7', name: 'grace' }] },
    ]);
    const [, scheduled] = of(['grace'], { event: 'schedule' }, { grace: { id: '7' } });
    expect(scheduled).toMatchObject({ of: 'owners' });
  });

  it('knows a repository by its id: a namesake is another one, and a renamed one is the same', () => {
    const { job, known } = suppose(policy, house, asIs);
    if (job.provider !== 'github') throw new Error('a job of GitHub’s');
    const of = (repository: AskingJob & { provider: 'github' }) => decide(repository, known, policy, house).reasons;
    expect(of({ ...job, repository: { id: '75', name: 'acme/api' } })).toMatchObject([
      { condition: 'repository', help: expect.stringContaining('Another one bears the name') },
    ]);
    expect(of({ ...job, owner: { id: '66', name: 'acme' } })).toMatchObject([{ condition: 'owner' }]);
    const renamed = { id: '74', name: 'acme/api-2' };
    const caller = { ref: 'acme/api-2/.github/workflows/release.yml@refs/heads/main', sha: null };
    expect(of({ ...job, repository: renamed, caller })).toEqual([]);
  });

  it('gives nobody anything by a name that is not pinned', () => {
    const unpinned = { ...house, lock: readLock('{}') };
    expect(decided({}, policy, unpinned).reasons).toMatchObject([
      { condition: 'repository', help: expect.stringContaining('tripline access lock') },
      { condition: 'owner' },
    ]);
  });

  it('pins the caller too where a workflow of another repository is called', () => {
    const { job, known } = suppose(policy, house, asIs);
    if (job.provider !== 'github') throw new Error('a job of GitHub’s');
    const elsewhere = { ref: 'mallory/api/.github/workflows/release.yml@refs/heads/main', sha: null };
    expect(decide({ ...job, caller: elsewhere }, known, policy, house).reasons).toMatchObject([
      { condition: 'caller' },
    ]);
  });

  it('takes a job of one issuer for none of another', () => {
    const { known } = suppose(policy, house, asIs);
    const buildkite = policyOf('{ buildkite: { organization: acme, pipeline: deploy, ref: refs/heads/main } }');
    const { job } = suppose(buildkite, house, asIs);
    expect(decide(job, known, policy, house).reasons).toMatchObject([{ condition: 'issuer' }]);
  });

  it('denies what tokens of other issuers caution against, unless the policy says otherwise', () => {
    const circle = (more: string) =>
      policyOf(
        `{ circleci: { organization: 2f1e0a3b-0d1c-4d5e-8f90-123456789abc, project: 3f1e0a3b-0d1c-4d5e-8f90-123456789abc, origin: github.com/acme/api, ref: refs/heads/main${more} } }`,
      );
    expect(conditionsOf({ job: { sshRerun: true } }, circle(''))).toEqual(['ssh-rerun']);
    // A fork's change of the same branch, where the project gives forks its secrets.
    expect(conditionsOf({ job: { origin: 'github.com/mallory/api' } }, circle(''))).toEqual(['origin']);
    expect(conditionsOf({ job: { sshRerun: true } }, circle(', sshReruns: true'))).toEqual([]);
    const gitlab = (more: string) =>
      policyOf(
        `{ gitlab: { repository: acme/api, workflow: gitlab.com/acme/api//.gitlab-ci.yml@refs/heads/main, events: [push], ref: refs/heads/main${more} } }`,
      );
    const pinned = { ...house, lock: readLock("gitlab: { acme/api: { id: '7', owner: '6' } }") };
    expect(
      decided({ job: { protected: false } }, gitlab(''), pinned).reasons.map(({ condition }) => condition),
    ).toEqual(['protected']);
    expect(decided({ job: { protected: false } }, gitlab(', unprotected: true'), pinned).decision).toBe('granted');
  });

  it('takes no child pipeline of a merge request for one of a branch', () => {
    const gitlab = (events: string) =>
      policyOf(
        `{ gitlab: { repository: acme/api, workflow: gitlab.com/acme/api//.gitlab-ci.yml@refs/heads/main, events: [${events}], ref: { prefix: refs/ }, unprotected: true } }`,
      );
    const pinned = { ...house, lock: readLock("gitlab: { acme/api: { id: '7', owner: '6' } }") };
    const decidedFor = (events: string) => {
      const one = gitlab(events);
      const { job, known } = suppose(one, pinned, asIs);
      const child = { event: 'parent_pipeline', ref: 'refs/merge-requests/7/head' };
      const cautions = [{ kind: 'merge-request' as const, claim: 'ref_path' }];
      return decide({ ...job, ...child, cautions } as typeof job, known, one, pinned);
    };
    expect(decidedFor('push, parent_pipeline').reasons).toMatchObject([{ condition: 'event' }]);
    expect(decidedFor('push').reasons).toMatchObject([{ condition: 'event' }]);
    expect(decidedFor('parent_pipeline, merge_request_event').decision).toBe('granted');
  });

  it('gives a job of no environment nothing that is for one, not even for one called none', () => {
    if (!('github' in policy.who)) throw new Error('a policy for jobs of GitHub’s');
    const none: Policy = { ...policy, who: { github: { ...policy.who.github, environment: ['none', 'production'] } } };
    const { job, known } = suppose(none, house, asIs);
    expect(decide({ ...job, environment: null } as typeof job, known, none, house).reasons).toMatchObject([
      { condition: 'environment', found: 'none' },
    ]);
  });

  it('property: what is wanted in addition never lets anybody in', () => {
    const extra = fc.record(
      {
        reviewed: fc.constant(true as const),
        promotedFrom: fc.constant('staging'),
        knownRunner: fc.constant(true as const),
        noIncident: fc.constantFrom('low' as const, 'high' as const),
        mfa: fc.record({
          of: fc.constant('trigger' as const),
          within: fc.integer({ min: 1, max: 10_000_000 }),
          phishingResistant: fc.boolean(),
        }),
      },
      { requiredKeys: [] },
    );
    const asked = fc.record({
      job: fc.record(
        {
          ref: fc.constantFrom('refs/heads/main', 'refs/heads/x'),
          event: fc.constantFrom('push', 'pull_request'),
          runner: fc.constantFrom('hosted', 'prod-deployers'),
        },
        { requiredKeys: [] },
      ),
      known: fc.record(
        {
          reviewed: fc.boolean(),
          promoted: fc.boolean(),
          runner: fc.boolean(),
          mfa: fc.constantFrom(false as const, 'phishable' as const, 60_000),
          incident: fc.constantFrom('low' as const, 'critical' as const),
        },
        { requiredKeys: [] },
      ),
    });
    fc.assert(
      fc.property(extra, extra, asked, (needs, more, change) => {
        const loose = { ...policy, needs };
        const strict = { ...policy, needs: { ...more, ...needs } };
        const { job, known } = suppose(policy, house, { ...asIs, ...change });
        const [wide, narrow] = [decide(job, known, loose, house), decide(job, known, strict, house)];
        if (narrow.decision === 'granted') expect(wide.decision).toBe('granted');
        if (wide.decision === 'denied') expect(narrow.decision).toBe('denied');
      }),
    );
  });
});
