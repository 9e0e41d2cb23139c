import { confidences, severities } from '@tripline/contracts/finding';
import { type ResponseStep, responseActions } from '@tripline/contracts/response';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GuardFacts, guard } from './guard.ts';

const name = fc.constantFrom('acme/app', 'mallory', 'deploy-bot', 'runner-1', 'acme/web');
const step: fc.Arbitrary<ResponseStep> = fc.oneof(
  fc.record({
    action: fc.constant('cancel-run' as const),
    repository: fc.constantFrom('acme/app', 'acme/web'),
    runId: fc.constant('7'),
  }),
  fc.record({
    action: fc.constant('remove-runner' as const),
    organization: fc.constant('acme'),
    runnerId: fc.constant('9'),
    runnerName: name,
  }),
  fc.record({
    action: fc.constant('withdraw-grant' as const),
    grant: fc.constant('collaborator' as const),
    repository: fc.constant('acme/app'),
    user: name,
  }),
  fc.record({
    action: fc.constant('delete-deploy-key' as const),
    repository: fc.constant('acme/app'),
    keyId: fc.constant('3'),
  }),
);
const facts: fc.Arbitrary<GuardFacts> = fc.record({
  settings: fc.record({
    policy: fc.array(
      fc.record({
        rule: fc.constantFrom('a-rule', 'another-rule'),
        minSeverity: fc.constantFrom(...severities),
        minConfidence: fc.constantFrom(...confidences),
        actions: fc.uniqueArray(fc.constantFrom(...(Object.keys(responseActions) as ResponseStep['action'][])), {
          minLength: 1,
        }),
      }),
      { maxLength: 4 },
    ),
    breakGlass: fc.array(
      name.map((text) => text.toUpperCase()),
      { maxLength: 2 },
    ),
    maxPerHour: fc.integer({ min: 1, max: 20 }),
  }),
  mode: fc.constantFrom('dry-run', 'live'),
  drill: fc.boolean(),
  configured: fc.boolean(),
  targetIsOurs: fc.boolean(),
  finding: fc.record({
    rule: fc.constantFrom('a-rule', 'another-rule', 'a-third'),
    severity: fc.constantFrom(...severities),
    confidence: fc.constantFrom(...confidences),
    entities: fc.array(fc.record({ kind: fc.constantFrom('user', 'repository', 'runner'), id: name }), {
      maxLength: 3,
    }),
    silenced: fc.boolean(),
    withdrawn: fc.boolean(),
  }),
  step,
  stopped: fc.boolean(),
  begunLastHour: fc.integer({ min: 0, max: 25 }),
});

/** A set of facts under which the guard lets the step through. */
const clear: GuardFacts = {
  settings: {
    policy: [{ rule: 'a-rule', minSeverity: 'high', minConfidence: 'medium', actions: ['delete-deploy-key'] }],
    breakGlass: [],
    maxPerHour: 2,
  },
  mode: 'live',
  drill: false,
  configured: true,
  targetIsOurs: true,
  finding: { rule: 'a-rule', severity: 'high', confidence: 'medium', entities: [], silenced: false, withdrawn: false },
  step: { action: 'delete-deploy-key', repository: 'acme/app', keyId: '3' },
  stopped: false,
  begunLastHour: 1,
};

describe('the guard', () => {
  test('acts when nothing speaks against it', () => {
    expect(guard(clear).verdict).toBe('act');
  });

  const stops: [string, (facts: GuardFacts) => GuardFacts, string][] = [
    ['the finding was withdrawn', (f) => ({ ...f, finding: { ...f.finding, withdrawn: true } }), 'withdrawn'],
    ['it is a dry run', (f) => ({ ...f, mode: 'dry-run' }), 'dry-run'],
    ['it is a drill', (f) => ({ ...f, drill: true }), 'dry-run'],
    ['the kill switch is thrown', (f) => ({ ...f, stopped: true }), 'kill-switch'],
    ['the finding is silenced', (f) => ({ ...f, finding: { ...f.finding, silenced: true } }), 'not-in-policy'],
    ['the target is not ours', (f) => ({ ...f, targetIsOurs: false }), 'not-in-policy'],
    ['no policy is set', (f) => ({ ...f, settings: { ...f.settings, policy: [] } }), 'not-in-policy'],
    ['the rule is another', (f) => ({ ...f, finding: { ...f.finding, rule: 'b-rule' } }), 'not-in-policy'],
    ['it is not grave enough', (f) => ({ ...f, finding: { ...f.finding, severity: 'medium' } }), 'not-in-policy'],
    ['it is not sure enough', (f) => ({ ...f, finding: { ...f.finding, confidence: 'low' } }), 'not-in-policy'],
    ['no App is configured', (f) => ({ ...f, configured: false }), 'not-configured'],
    ['the cap is reached', (f) => ({ ...f, begunLastHour: 2 }), 'rate-capped'],
    [
      'the repository is spared',
      (f) => ({ ...f, settings: { ...f.settings, breakGlass: ['ACME/App'] } }),
      'break-glass',
    ],
    [
      'a person of the finding is spared',
      (f) => ({
        ...f,
        settings: { ...f.settings, breakGlass: ['Deploy-Bot'] },
        finding: { ...f.finding, entities: [{ kind: 'user', id: 'deploy-bot' }] },
      }),
      'break-glass',
    ],
    [
      'the repository of a run of the finding is spared',
      (f) => ({
        ...f,
        settings: { ...f.settings, breakGlass: ['acme/web'] },
        finding: { ...f.finding, entities: [{ kind: 'run', id: 'acme/web#12' }] },
      }),
      'break-glass',
    ],
  ];
  test.each(stops)('does not act when %s', (_when, stop, verdict) => {
    expect(guard(stop(clear)).verdict).toBe(verdict);
  });

  test('acts only on a live, configured, named, unspared step under the cap', () => {
    let acted = 0;
    fc.assert(
      fc.property(facts, (any) => {
        if (guard(any).verdict !== 'act') return;
        acted += 1;
        const { finding, settings } = any;
        expect(any).toMatchObject({ mode: 'live', drill: false, configured: true, targetIsOurs: true, stopped: false });
        expect(finding).toMatchObject({ silenced: false, withdrawn: false });
        expect(any.begunLastHour).toBeLessThan(settings.maxPerHour);
        const spared = settings.breakGlass.map((entry) => entry.toLowerCase());
        const touched = [...(Object.values(any.step) as string[]), ...finding.entities.map(({ id }) => id)].map((id) =>
          id.toLowerCase(),
        );
        expect(touched.filter((id) => spared.includes(id))).toEqual([]);
        expect(settings.policy.map(({ rule }) => rule)).toContain(finding.rule);
      }),
      { numRuns: 20_000 },
    );
    // The property says nothing about a guard that never acts.
    expect(acted).toBeGreaterThan(0);
  });
});
