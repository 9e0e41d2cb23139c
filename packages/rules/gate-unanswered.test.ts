import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './gate-unanswered.ts';

test('nobody answers for ten minutes: one finding an environment, however many wait', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada     starts run 7 of release in acme/app at c1
    09:01  github  asks the gate about run 7 for production
    09:12  ada     pushes c2 to acme/other main                ← FOUND acme/app@production [medium/high]
    09:13  ada     starts run 8 of release in acme/app at c2
    09:14  github  asks the gate about run 8 for production
    09:30  ada     pushes c3 to acme/other main
    `,
  );
  expect(findings[0]!.title).toBe('2 deployments of acme/app to production wait for Tripline’s answer');
});

test('an answer takes it back, also one that says what is waited for', () => {
  expectTimeline(
    rule,
    `
    09:00  ada     starts run 7 of release in acme/app at c1
    09:01  github  asks the gate about run 7 for production
    09:12  ada     pushes c2 to acme/other main                                ← FOUND acme/app@production
    09:40  broker  answers the gate about run 7 for production with pending    ← RETRACTED acme/app@production
    `,
  );
});

test('honest work: answered in time, in a dry run, and what waits for a person', () => {
  expectTimeline(
    rule,
    `
    09:00  ada     starts run 7 of release in acme/app at c1
    09:01  github  asks the gate about run 7 for production
    09:01  broker  answers the gate about run 7 for production with granted
    09:02  github  asks the gate about run 7 for staging
    09:02  broker  answers the gate about run 7 for staging with pending
    09:03  github  asks the gate about run 7 for preview (without a deployment)
    09:03  broker  answers the gate about run 7 for preview with denied (in a dry run)
    10:30  ada     pushes c2 to acme/other main
    `,
  );
});

test('a flood of questions that are answered leaves what is found standing', () => {
  const many = Array.from({ length: 70 }, (_, at) => {
    const time = `${10 + Math.floor(at / 60)}:${String(at % 60).padStart(2, '0')}`;
    return `    ${time}  eve     starts run ${100 + at} of release in acme/app at c1
    ${time}  github  asks the gate about run ${100 + at} for production
    ${time}  broker  answers the gate about run ${100 + at} for production with denied`;
  });
  expectTimeline(
    rule,
    `
    09:00  ada     starts run 7 of release in acme/app at c1
    09:01  github  asks the gate about run 7 for production
    09:12  ada     pushes c2 to acme/other main                ← FOUND acme/app@production
${many.join('\n')}
    `,
    { anyOrder: false },
  );
});
