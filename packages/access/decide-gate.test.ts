import { describe, expect, test } from 'vitest';
import { exampleLock, examplePolicies } from './access.example.ts';
import { decideAtGate, decideUnheard, type WaitingJob } from './decide-gate.ts';
import { readLock } from './lock.ts';
import { type Case, readPolicies } from './policy.ts';
import { suppose } from './suppose.ts';

const version = { file: readPolicies(examplePolicies), lock: readLock(exampleLock) };
const policy = version.file.policies['deploy-api']!;

/** As the policy asks for in everything, but for what only its token will tell, and `change`. */
function decided(change: Partial<Case> = {}, of = version, more: Partial<WaitingJob> = {}) {
  const { job, known } = suppose(
    policy,
    { tiers: version.file.tiers, lock: version.lock },
    { job: {}, known: {}, expect: 'granted', ...change },
  );
  const waiting = {
    ...job,
    workflow: { ref: '', sha: '' },
    runnerEnvironment: 'github-hosted',
    checkRunId: null,
    ...more,
  } as WaitingJob;
  return decideAtGate(waiting, () => ({ ...known, job: 'unknown', runner: undefined, address: undefined }), of);
}

describe('a job that waits', () => {
  test('is let through without what its token and machine will tell', () => {
    expect(decided()).toMatchObject({
      decision: 'granted',
      reasons: [],
      tier: 'production',
      policy: { name: 'deploy-api' },
    });
    expect(decided().held).toEqual([
      'repository',
      'caller',
      'event',
      'ref',
      'environment',
      'fork',
      'reviewed',
      'promoted',
      'incident',
      'mfa',
    ]);
  });

  test.each<[string, Partial<Case>]>([
    ['caller', { job: { caller: 'acme/api/.github/workflows/other.yml@refs/heads/main' } }],
    ['event', { job: { event: 'pull_request_target' } }],
    ['ref', { job: { ref: 'refs/heads/main-evil' } }],
    ['fork', { job: { fork: true } }],
    ['reviewed', { known: { reviewed: false } }],
    ['reviewed', { known: { reviewed: 'unknown' } }],
    ['promoted', { known: { promoted: false } }],
    ['incident', { known: { incident: 'critical' } }],
  ])('is not by %s alone', (condition, change) => {
    const { decision, reasons, held } = decided(change);
    expect(decision).toBe('denied');
    expect(reasons.map((reason) => reason.condition)).toEqual([condition]);
    expect(held).not.toContain(condition);
  });

  test('waits for a person alone', () => {
    expect(decided({ known: { mfa: false } })).toMatchObject({
      decision: 'pending',
      reasons: [{ condition: 'mfa', state: 'waiting' }],
    });
  });

  test('is let through by any policy of the tier and repository, and held against the nearest', () => {
    const more = readPolicies(
      examplePolicies.replace(
        'policies:\n',
        `policies:\n${examplePolicies.slice(examplePolicies.indexOf('  deploy-api:')).replace('deploy-api:', 'migrate:').replaceAll('release.yml', 'migrate.yml')}`,
      ),
    );
    const both = { ...version, file: more };
    const caller = 'acme/api/.github/workflows/migrate.yml@refs/heads/main';
    expect(decided({ job: { caller } }, both)).toMatchObject({ decision: 'granted', policy: { name: 'migrate' } });
    expect(decided({ job: { caller, event: 'schedule' } }, both)).toMatchObject({
      decision: 'denied',
      policy: { name: 'migrate' },
      reasons: [{ condition: 'event' }],
    });
  });

  test('is no policy’s by a namesake, another tier, or an environment of none', () => {
    const namesake = { repository: { id: '75', name: 'acme/api' } };
    expect(decided({}, version, namesake)).toMatchObject({
      decision: 'denied',
      policy: undefined,
      reasons: [{ condition: 'policy' }],
    });
    expect(decided({}, version, { environment: 'staging' })).toMatchObject({
      decision: 'denied',
      reasons: [{ condition: 'policy' }],
    });
    expect(decided({}, version, { environment: 'elsewhere' })).toMatchObject({
      decision: 'denied',
      tier: undefined,
      reasons: [{ condition: 'tier' }],
    });
    // GitHub's environments are the same in any capitals.
    expect(decided({}, version, { environment: 'Production' }).decision).toBe('granted');
    const kube = { ...version, file: { ...version.file, tiers: { ...version.file.tiers, production: ['kube'] } } };
    expect(decided({}, kube, { environment: 'KUBE' }).tier).toBe('production');
    // The sign of Kelvin is no k: it is an environment of its own, which nobody protects.
    expect(decided({}, kube, { environment: '\u212Aube' })).toMatchObject({ decision: 'denied', tier: undefined });
  });

  test('of a run that nobody told of is unknown, unless no policy could let it through', () => {
    const of = { environment: 'production', repository: { id: '74', name: 'acme/api' } };
    expect(decideUnheard(of, version)).toMatchObject({
      decision: 'denied',
      reasons: [{ condition: 'job', state: 'unknown' }],
    });
    expect(decideUnheard({ ...of, repository: { id: '75', name: 'acme/api' } }, version)).toMatchObject({
      reasons: [{ condition: 'policy', state: 'failed' }],
    });
  });
});
