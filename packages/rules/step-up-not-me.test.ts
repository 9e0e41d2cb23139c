import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './step-up-not-me.ts';

test('whoever is asked says that it was not they: once an attempt, and the account is named', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  starts run 7 of release.yml in acme/api at c1
    09:02  ada  says that run 7 is not theirs               ← FOUND acme/api#7 [high/high]
    09:03  ada  says that run 7 is not theirs (attempt 2)   ← FOUND acme/api#7
    `,
  );
  expect(findings[0]).toMatchObject({
    title: 'ada did not set acme/api#7 off',
    response: [{ action: 'stop-run' }],
    entities: expect.arrayContaining([
      expect.objectContaining({ kind: 'run', key: expect.stringContaining('#') }),
      expect.objectContaining({ kind: 'user', id: 'ada', key: expect.stringContaining(':user:') }),
    ]),
  });
});

test('an owner says so of a bot’s run: the finding is about the bot, and not about the owner', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  helper[bot]  starts run 7 of release.yml in acme/api at c1
    09:02  grace        says that run 7 is not theirs (as an owner)    ← FOUND acme/api#7
    `,
  );
  expect(findings[0]!.entities).toContainEqual(expect.objectContaining({ kind: 'user', id: 'helper[bot]' }));
  expect(findings[0]!.entities).not.toContainEqual(expect.objectContaining({ id: 'grace' }));
});

test('runs that nobody denies are work', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  starts run 7 of release.yml in acme/api at c1
    09:05  ada  finishes run 7
    `,
  );
});
