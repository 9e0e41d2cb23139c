import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './access-right-left-alive.ts';

test('a right that could not be taken back is found, and stands when it was at last', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  grace  is given write on acme/app as a1 (for 30)
    09:31  grace  keeps a1 on acme/app beyond its end           ← FOUND access:a1 [high/high]
    09:40  grace  has a1 on acme/app ended
    `,
  );
  expect(findings[0]).toMatchObject({
    title: 'write on acme/app of grace could not be taken back for a minute',
    summary: expect.stringContaining('It was taken back by'),
  });
});

test('what ended in time is silent, and another right of theirs too', () => {
  expectTimeline(
    rule,
    `
    09:00  grace  is given write on acme/app as a1 (for 30)
    09:10  grace  is given maintainer on acme/ops as a2 (a team; for 30)
    09:30  grace  has a1 on acme/app ended
    09:40  grace  has a2 on acme/ops ended (a team)
    `,
  );
});
