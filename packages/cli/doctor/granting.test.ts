import { configureRule } from '@tripline/engine/settings';
import { rules } from '@tripline/rules/registry';
import { expect, test } from 'vitest';
import { checkGranting } from './granting.ts';

const granting = { grantingWorkflows: ['acme/access/.github/workflows/grant.yml'], grantingActors: ['x[bot]'] };
const configured = (settings: Record<string, Record<string, unknown>>) =>
  rules.map((rule) => configureRule(rule, settings[rule.id] ?? {}));

test('without a granting workflow it is said that grants page nobody, and what to do about it', () => {
  expect(checkGranting(configured({}))).toMatchObject([
    {
      state: 'off',
      detail: expect.stringContaining('page nobody'),
      remedy: expect.stringContaining('grantingWorkflows'),
    },
  ]);
  expect(checkGranting(configured({ 'privilege-grant-outside-job': granting }))).toMatchObject([
    { state: 'off', detail: expect.stringContaining('for grant-outlived-job:') },
  ]);
  const both = { 'privilege-grant-outside-job': granting, 'grant-outlived-job': granting };
  expect(checkGranting(configured(both))).toMatchObject([{ state: 'ok', detail: granting.grantingWorkflows[0] }]);
  expect(checkGranting([])).toMatchObject([{ state: 'off' }]);
});
