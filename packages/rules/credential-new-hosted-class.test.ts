import type { Attributes } from '@tripline/contracts/attributes';
import { at, type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './credential-new-hosted-class.ts';

const startMs = Date.parse('2026-03-11T09:00:00Z');
const dayMs = 86_400_000;
const inventory = at(startMs, 'dev.cdeventsx.tripline-inventory.observed', {
  ...{ 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1 },
  'tripline.inventory.credential_uses': [{ credential: 'token:abc=', runner: 'hosted:0:ubuntu-latest' }],
});
const used = (atMs: number, number: string, more: Attributes = {}) =>
  at(startMs + atMs, 'dev.cdeventsx.tripline-credential.used', {
    ...{ 'vcs.repository.name': 'acme/app', 'vcs.owner.name': 'acme', 'cicd.pipeline.run.id': number },
    ...{ 'tripline.credential.id': 'x', 'tripline.credential.token_hash': 'abc=', 'cicd.worker.id': number },
    ...{ 'tripline.worker.hosted': true, 'tripline.worker.group.id': '0', 'tripline.worker.labels': ['ubuntu-latest'] },
    ...more,
  });
const windows = { 'tripline.worker.labels': ['windows-latest'] };
const play = (events: readonly LoggedEventInput[], learningDays = 0) =>
  playTimeline({ rules: [rule], events, learningDays, untilMs: startMs + 40 * dayMs }).all;

test('new machines of a usual class are quiet, a new class is not, and none is isolated', () => {
  expect(play([inventory, used(1000, '5'), used(2000, '6')])).toEqual([]);
  const found = play([inventory, used(1000, '5', windows), used(2000, '6', windows)]);
  expect(found).toMatchObject([
    { severity: 'medium', confidence: 'low', subject: 'hosted:0:windows-latest', response: [] },
  ]);
});

test('of a credential that is usual nowhere, nothing is unusual', () => {
  expect(play([inventory, used(1000, '5', { 'tripline.credential.token_hash': 'other=' })])).toEqual([]);
});

test('what was used while the workspace was learned is usual, and nothing later is', () => {
  const [windowsLater, windowsAgain] = [used(20 * dayMs, '6', windows), used(30 * dayMs, '7', windows)];
  expect(play([used(1000, '5'), used(2000, '5', windows), windowsLater], 14)).toEqual([]);
  expect(play([used(1000, '5'), windowsLater, windowsAgain], 14)).toHaveLength(1);
});

test('labels are compared without case and in any order, one twice being one, as GitHub does', () => {
  const written = (...labels: string[]) => ({ 'tripline.worker.labels': labels });
  expect(play([inventory, used(1000, '5', written('Ubuntu-Latest')), used(2000, '6', windows)])).toHaveLength(1);
  expect(play([inventory, used(1000, '5', written('UBUNTU-latest', 'ubuntu-latest'))])).toEqual([]);
  const learned = [used(1000, '5', written('gpu', 'Large')), used(20 * dayMs, '6', written('LARGE', 'GPU'))];
  expect(play(learned, 14)).toEqual([]);
});
