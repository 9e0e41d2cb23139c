import { confidences, severities } from '@tripline/contracts/finding';
import { type Intent, intentNames } from '@tripline/contracts/response';
import type { Action } from '@tripline/integrations/github/actions/action';
import { actionOf } from '@tripline/integrations/github/resolve';
import { keyIntent } from '@tripline/testing/intents';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GuardFacts, guard, protectedBy, touched } from './guard.ts';

const name = fc.constantFrom('acme/app', 'mallory', 'deploy-bot', 'runner-1', 'acme/web');
const place = { provider: fc.constant('github'), instance: fc.constant('github.com') };
const step: fc.Arbitrary<Intent> = fc.oneof(
  fc.record({
    ...place,
    action: fc.constant('stop-run' as const),
    repository: fc.constantFrom('acme/app', 'acme/web'),
    runId: fc.constant('7'),
  }),
  fc.record({
    ...place,
    action: fc.constant('isolate-runner' as const),
    organization: fc.constant('acme'),
    runnerId: fc.constant('9'),
    runnerName: name,
  }),
  fc.record({
    ...place,
    action: fc.constant('revoke-grant' as const),
    grant: fc.constant('collaborator' as const),
    repository: fc.constant('acme/app'),
    user: name,
  }),
  fc.record({
    ...place,
    action: fc.constant('revoke-credential' as const),
    credential: fc.constant('deploy-key' as const),
    repository: fc.constant('acme/app'),
    credentialId: fc.constant('3'),
  }),
);
const anyCase = fc.boolean().chain((upper) => name.map((text) => (upper ? text.toUpperCase() : text)));
const account = fc.constantFrom('11', '12');
const numbered = fc.record({
  login: fc.option(anyCase, { nil: undefined }),
  id: fc.option(account, { nil: undefined }),
});
const resolution = fc.constantFrom(null, null, null, { as: 'false', by: 'ada' });

const facts: fc.Arbitrary<GuardFacts> = fc
  .record({
    settings: fc.record({
      policy: fc.array(
        fc.record({
          rule: fc.constantFrom('a-rule', 'another-rule'),
          minSeverity: fc.constantFrom(...severities),
          minConfidence: fc.constantFrom(...confidences),
          actions: fc.uniqueArray(fc.constantFrom(...intentNames), {
            minLength: 1,
          }),
        }),
        { maxLength: 4 },
      ),
      protected: fc.record({
        users: fc.array(numbered, { maxLength: 2 }),
        repositories: fc.array(anyCase, { maxLength: 1 }),
        runners: fc.array(
          anyCase.map((text) => ({ name: text, id: undefined })),
          { maxLength: 1 },
        ),
      }),
      maxPerHour: fc.integer({ min: 1, max: 20 }),
    }),
    mode: fc.constantFrom('dry-run', 'live'),
    drill: fc.boolean(),
    notReady: fc.constantFrom(null, 'No App is configured'),
    owner: fc.boolean().map((isOurs) => ({ name: 'acme', isOurs, remedy: 'name it' })),
    finding: fc.record({
      rule: fc.constantFrom('a-rule', 'another-rule', 'a-third'),
      severity: fc.constantFrom(...severities),
      confidence: fc.constantFrom(...confidences),
      entities: fc.array(fc.record({ kind: fc.constantFrom('user', 'repository', 'runner'), id: name }), {
        maxLength: 3,
      }),
      silenced: fc.boolean(),
      retracted: fc.boolean(),
      doubt: fc.constantFrom(null, null, 'GitHub does not list it'),
      resolved: resolution,
    }),
    ...{
      action: fc.constant('stop-run' as const),
      byHand: fc.constantFrom(null, null, null, 'Press the button'),
      targets: fc.constant({ people: [], runners: [], repositories: [] }),
    },
    stopped: fc.boolean(),
    load: fc.record({
      sent: fc.integer({ min: 0, max: 25 }),
      begun: fc.integer({ min: 0, max: 250 }),
      ahead: fc.integer({ min: 0, max: 5 }),
    }),
  })
  .chain((any) => step.map((of) => ({ ...any, action: of.action, targets: actionOf(of)!.targets(of) })))
  .chain((any) =>
    // Drawn freely, one set in ten thousand is let through: half of them have nothing against them but what is looked at below.
    fc.boolean().map((free) => {
      if (free) return any;
      const { finding, settings, action } = any;
      const entry = {
        rule: finding.rule,
        minSeverity: 'low' as const,
        minConfidence: 'low' as const,
        actions: [action],
      };
      return {
        ...any,
        ...{
          mode: 'live' as const,
          drill: false,
          notReady: null,
          owner: { name: 'acme', isOurs: true, remedy: '' },
          stopped: false,
        },
        byHand: null,
        settings: { ...settings, policy: [...settings.policy, entry], maxPerHour: 20 },
        finding: { ...finding, silenced: false, retracted: false, doubt: null, resolved: null },
      };
    }),
  );

const nobody = { users: [], repositories: [], runners: [] };
const login = (of: string) => ({ login: of, id: undefined });

/** A set of facts under which the guard lets the step through. */
const clear: GuardFacts = {
  settings: {
    policy: [{ rule: 'a-rule', minSeverity: 'high', minConfidence: 'medium', actions: ['revoke-credential'] }],
    protected: nobody,
    maxPerHour: 2,
  },
  mode: 'live',
  drill: false,
  notReady: null,
  owner: { name: 'acme', isOurs: true, remedy: 'name it' },
  finding: {
    ...{ rule: 'a-rule', severity: 'high', confidence: 'medium', entities: [] },
    ...{ silenced: false, retracted: false, doubt: null, resolved: null },
  },
  action: 'revoke-credential',
  byHand: null,
  targets: { people: [], runners: [], repositories: ['acme/app'] },
  stopped: false,
  load: { sent: 1, begun: 3, ahead: 0 },
};

describe('the guard', () => {
  test('acts when nothing speaks against it', () => {
    expect(guard(clear).verdict).toBe('act');
  });

  const stops: [string, (facts: GuardFacts) => GuardFacts, string][] = [
    ['the finding was withdrawn', (f) => ({ ...f, finding: { ...f.finding, retracted: true } }), 'withdrawn'],
    ['it is a dry run', (f) => ({ ...f, mode: 'dry-run' }), 'dry-run'],
    ['it is a drill', (f) => ({ ...f, drill: true }), 'dry-run'],
    ['the kill switch is thrown', (f) => ({ ...f, stopped: true }), 'kill-switch'],
    ['the finding is silenced', (f) => ({ ...f, finding: { ...f.finding, silenced: true } }), 'not-in-policy'],
    ['the target is not ours', (f) => ({ ...f, owner: { ...f.owner, isOurs: false } }), 'not-configured'],
    ['no policy is set', (f) => ({ ...f, settings: { ...f.settings, policy: [] } }), 'not-in-policy'],
    ['the rule is another', (f) => ({ ...f, finding: { ...f.finding, rule: 'b-rule' } }), 'not-in-policy'],
    ['it is not grave enough', (f) => ({ ...f, finding: { ...f.finding, severity: 'medium' } }), 'not-in-policy'],
    ['it is not sure enough', (f) => ({ ...f, finding: { ...f.finding, confidence: 'low' } }), 'not-in-policy'],
    ['no App is configured', (f) => ({ ...f, notReady: 'No App is configured' }), 'not-configured'],
    [
      'the finding is unproven',
      (f) => ({ ...f, finding: { ...f.finding, doubt: 'GitHub does not list it' } }),
      'unproven',
    ],
    [
      'the finding is unproven, in a dry run',
      (f) => ({ ...f, mode: 'dry-run', finding: { ...f.finding, doubt: 'GitHub does not list it' } }),
      'unproven',
    ],
    [
      'a person resolved the incident',
      (f) => ({ ...f, finding: { ...f.finding, resolved: { as: 'accepted', by: 'ada' } } }),
      'resolved',
    ],
    ['the cap is reached', (f) => ({ ...f, load: { ...f.load, sent: 2 } }), 'rate-capped'],
    ['those that wait before it take the places', (f) => ({ ...f, load: { ...f.load, ahead: 1 } }), 'rate-capped'],
    ['GitHub was asked too often', (f) => ({ ...f, load: { ...f.load, begun: 500 } }), 'rate-capped'],
    [
      'the repository is spared',
      (f) => ({ ...f, settings: { ...f.settings, protected: { ...nobody, repositories: ['ACME/App'] } } }),
      'protected',
    ],
    [
      'a person of the finding is spared',
      (f) => ({
        ...f,
        settings: { ...f.settings, protected: { ...nobody, users: [login('Deploy-Bot')] } },
        finding: { ...f.finding, entities: [{ kind: 'user', id: 'deploy-bot' }] },
      }),
      'protected',
    ],
    [
      'the repository of a run of the finding is spared',
      (f) => ({
        ...f,
        settings: { ...f.settings, protected: { ...nobody, repositories: ['acme/web'] } },
        finding: { ...f.finding, entities: [{ kind: 'run', id: 'acme/web#12' }] },
      }),
      'protected',
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
        expect(any).toMatchObject({
          mode: 'live',
          drill: false,
          notReady: null,
          owner: { isOurs: true },
          stopped: false,
        });
        expect(finding).toMatchObject({ silenced: false, retracted: false, doubt: null, resolved: null });
        expect(any.load.sent + any.load.ahead).toBeLessThan(settings.maxPerHour);
        const { users, runners, repositories } = settings.protected;
        const of = (kind: string) => finding.entities.filter((entity) => entity.kind === kind).map(({ id }) => id);
        const spared = (names: (string | undefined)[], touches: (string | undefined)[]) =>
          names.filter((one) =>
            touches.some((other) => one !== undefined && one.toLowerCase() === other?.toLowerCase()),
          );
        const people = [...any.targets.people.map((person) => person.login), ...of('user')];
        expect(
          spared(
            users.map((user) => user.login),
            people,
          ),
        ).toEqual([]);
        expect(
          spared(
            runners.map((one) => one.name),
            [...any.targets.runners.map((one) => one.name), ...of('runner')],
          ),
        ).toEqual([]);
        expect(spared(repositories, [...any.targets.repositories, ...of('repository')])).toEqual([]);
        expect(settings.policy.map(({ rule }) => rule)).toContain(finding.rule);
      }),
      { numRuns: 20_000 },
    );
    // The property says nothing about a guard that never acts.
    expect(acted).toBeGreaterThan(0);
  });
});

describe('whom nothing may touch', () => {
  const ada = { users: [{ login: 'ada', id: '11' }], repositories: [], runners: [] };
  const people = (...refs: { login?: string; id?: string }[]) => ({ people: refs, runners: [], repositories: [] });

  test('is compared kind by kind: a runner that is named like a protected person is none', () => {
    const step: Intent = {
      action: 'isolate-runner',
      provider: 'github',
      instance: 'github.com',
      organization: 'acme',
      runnerId: '9',
      runnerName: 'ada',
    };
    const targets = actionOf(step)!.targets(step);
    expect(targets.runners).toEqual([{ id: '9', name: 'ada' }]);
    expect(protectedBy(ada, targets)).toBeUndefined();
    expect(
      protectedBy(ada, touched({ entities: [{ kind: 'runner', id: 'github:github.com:runner:9:ada' }] })),
    ).toBeUndefined();
    const settings = { ...clear.settings, protected: ada };
    const policy = settings.policy.map((entry) => ({ ...entry, actions: ['isolate-runner' as const] }));
    expect(guard({ ...clear, settings: { ...settings, policy }, action: 'isolate-runner', targets }).verdict).toBe(
      'act',
    );
  });

  test('is a person whom a finding knows by id, under any login; not whoever took the login over', () => {
    const list = { ...nobody, users: [{ login: 'ada', id: '41' }] };
    const person = (id: string, key: string) => touched({ entities: [{ kind: 'user', id, key }] });
    expect(protectedBy(list, person('ada-new', 'github:github.com:user:41'))).toBe('ada');
    expect(protectedBy(list, person('ada', 'github:github.com:user:42'))).toBeUndefined();
    expect(protectedBy(list, touched({ entities: [{ kind: 'user', id: 'ada' }] }))).toBe('ada');
  });

  test('is a runner of the list, by its name or number, wherever it is named', () => {
    const list = {
      ...nobody,
      runners: [
        { name: 'Build-1', id: undefined },
        { name: undefined, id: '7' },
      ],
    };
    const runner = (entity: string) => touched({ entities: [{ kind: 'runner', id: entity }] });
    expect(protectedBy(list, runner('github:github.com:runner:9:build-1'))).toBe('runner Build-1');
    expect(protectedBy(list, runner('github:github.com:runner:7:other'))).toBe('runner 7');
    expect(protectedBy(list, runner('github:github.com:runner:9:7'))).toBeUndefined();
    expect(protectedBy(list, people({ login: 'build-1' }))).toBeUndefined();
  });

  test('is a person by number where that is known, else by login', () => {
    expect(protectedBy(ada, people({ login: 'renamed', id: '11' }))).toBe('ada');
    expect(protectedBy(ada, people({ login: 'ADA' }))).toBe('ada');
    expect(protectedBy(ada, people({ login: 'ada', id: '12' }))).toBeUndefined();
    expect(protectedBy({ ...nobody, users: [login('ada')] }, people({ login: 'ada', id: '12' }))).toBe('ada');
    expect(
      protectedBy({ ...nobody, users: [{ login: undefined, id: '11' }] }, people({ login: 'ada' })),
    ).toBeUndefined();
  });

  test('cannot be slipped past by a new action: one that does not say whom it touches does not compile', () => {
    const { targets: _, ...rest } = actionOf(keyIntent)!;
    // @ts-expect-error targets is missing
    const forgetful: Action = rest;
    expect(forgetful).not.toHaveProperty('targets');
  });
});
