import { configureRule } from '@tripline/engine/settings';
import { rules } from '@tripline/rules/registry';
import { expect, test } from 'vitest';
import { exampleLock, examplePolicies } from './access.example.ts';
import { askedOf } from './asked-of.ts';
import { houseOf, overridesOf } from './house.ts';
import { readingRuns, readsRuns } from './known-run.ts';
import { readLock } from './lock.ts';
import { readPolicies } from './policy.ts';

const reader = readingRuns(() => {});
const ruleOf = (id: string) => rules.find((rule) => rule.id === id)!;

test('reviews and machines are to policies what rules are set to, in a workspace as its overrides say', () => {
  const reviews = configureRule(ruleOf('build-from-unreviewed-commit'), {
    exemptActors: ['release[bot]'],
    exemptRefs: ['gh-pages'],
  });
  const runners = configureRule(ruleOf('credential-new-runner'), { registrars: ['ops:7'] });
  const other = configureRule(ruleOf('deployment-gate-bypassed'));
  expect(houseOf([reviews, runners, other])).toEqual({ exemptActors: ['release[bot]'], registrars: ['ops:7'] });
  const overrides = overridesOf([
    { rule: 'build-from-unreviewed-commit', workspace: 'beta', settings: { exemptActors: ['b:1'], exemptRefs: ['x'] } },
    { rule: 'deployment-gate-bypassed', workspace: 'beta', settings: { exemptActors: ['c:2'] } },
    // What holds everywhere stands in the rule's own settings already.
    { rule: 'credential-new-runner', settings: { registrars: ['d:3'] } },
  ]);
  expect(overrides).toEqual([{ rule: readsRuns, workspace: 'beta', settings: { exemptActors: ['b:1'] } }]);
  const configured = configureRule(reader, houseOf([reviews, runners]), overrides);
  expect(configured.byWorkspace!.get('beta')).toMatchObject({ exemptActors: ['b:1'], registrars: ['ops:7'] });
});

test('policies ask about the repositories that are pinned, and the files whose jobs ask', () => {
  const file = readPolicies(examplePolicies);
  const asked = { repositories: ['74'], workflows: ['.github/workflows/release.yml'] };
  expect(askedOf({ file, lock: readLock(exampleLock) })).toEqual(asked);
  expect(askedOf({ file, lock: readLock('github: {}') }).repositories).toEqual([]);
});
