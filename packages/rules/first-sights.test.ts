import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { describe, expect, test } from 'vitest';
import { rules } from './first-sights.ts';

const ruleOf = (id: string) => rules.find((rule) => rule.id === id)!;

describe('off until they are asked for, these find', () => {
  const cases: readonly [id: string, timeline: string][] = [
    [
      'first-user-of-private-repository',
      `
      09:00         ada  clones acme/app with token t1
      day 2   09:00 ada  clones acme/lib with token t1
      day 40  09:00 ada  clones acme/lib with token t2
      day 40  09:10 ada  clones acme/vault with token t1     ← FOUND ada acme/vault [low/high]
      `,
    ],
    [
      'first-address-of-repository',
      `
      09:00         ada  clones acme/app with token t1 (from 198.51.100.7)
      day 40  09:00 bob  clones acme/app with token t2 (from 198.51.100.7)
      day 40  09:10 bob  clones acme/app with token t2 (from 203.0.113.9)     ← FOUND acme/app 203.0.113.9 [low/high]
      day 40  09:20 bob  clones acme/app with token t2
      `,
    ],
    [
      'first-address-of-token',
      `
      09:00         ada  clones acme/app with token t1 (from 198.51.100.7)
      day 40  09:00 ada  clones acme/app with token t1 (from 203.0.113.9)     ← FOUND t1 203.0.113.9 [low/high]
      day 40  09:10 ada  clones acme/app with token t2 (from 203.0.113.9)
      `,
    ],
    [
      'first-address-of-user',
      `
      09:00         ada  clones acme/app with token t1 (from 198.51.100.7)
      day 40  09:00 ada  clones acme/app with token t2 (from 203.0.113.9)     ← FOUND ada 203.0.113.9 [low/high]
      day 40  09:10 eve  clones acme/app with token t3 (from 203.0.113.9)
      `,
    ],
    [
      'first-client-of-token',
      `
      09:00         ada  clones acme/app with token t1 (as git/2.39.0)
      day 40  09:00 ada  clones acme/app with token t1 (as git/2.45.1 (Linux))
      day 40  09:10 ada  clones acme/app with token t1 (as python-requests/2.31)     ← FOUND t1 python-requests [low/high]
      `,
    ],
    [
      'first-token-of-user',
      `
      09:00         ada  clones acme/app with token t1
      day 40  09:00 ada  clones acme/app with token t1
      day 40  09:10 ada  clones acme/app with token t2     ← FOUND ada t2 [low/high]
      `,
    ],
    [
      'first-runner-registrar',
      `
      09:00         ada      does org.register_self_hosted_runner in acme (from 198.51.100.7)
      day 40  09:00 ada      does org.register_self_hosted_runner in acme (from 198.51.100.7)
      day 40  09:10 ada      does org.remove_self_hosted_runner in acme (from 203.0.113.9)
      day 40  09:20 mallory  does repo.register_self_hosted_runner in acme/app (from 203.0.113.9)     ← FOUND acme mallory from 203.0.113.9 [low/high]
      `,
    ],
  ];

  test.each(cases)('%s', (id, timeline) => {
    expectTimeline(ruleOf(id), timeline);
    expect(ruleOf(id).offByDefault).toBeDefined();
  });

  test('each has its timeline', () => {
    expect(cases.map(([id]) => id)).toEqual(rules.map(({ id }) => id));
  });
});

test('a public repository is nobody’s secret, and a flood of strangers to it is none', () => {
  const rule = ruleOf('first-user-of-private-repository');
  expectTimeline(
    rule,
    `
    09:00         ada  does git.fetch in acme/app
    day 40  09:00 ada  does git.fetch in acme/site (saying repository_public true)
    day 40  09:10 ada  does git.push in acme/vault     ← FOUND ada acme/vault
    `,
  );
});
