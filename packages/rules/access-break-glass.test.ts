import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './access-break-glass.ts';

test('who approved their own right is found, each time', () => {
  const { findings } = expectTimeline(
    rule,
    `
    02:00  grace  is given write on acme/app as a1 (for 30; by grace)   ← FOUND access:a1 [critical/high]
    03:00  grace  is given maintainer on ops as a2 (a team; by grace)   ← FOUND access:a2
    `,
  );
  expect(findings[0]).toMatchObject({
    title: 'grace approved write on acme/app alone',
    entities: expect.arrayContaining([
      expect.objectContaining({ kind: 'user', id: 'grace', key: expect.stringContaining(':user:') }),
      expect.objectContaining({ kind: 'repository', id: 'acme/app' }),
    ]),
  });
});

test('what another approved is silent, and what needs nobody’s word', () => {
  expectTimeline(
    rule,
    `
    09:00  grace  is given write on acme/app as a1 (for 30; by linus)
    09:10  grace  is given read on acme/app as a2
    `,
  );
});
