import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './canary-credential-used.ts';

const settings = {
  'canary-credential-used': { tokens: ['h4sh'], ids: ['41'], secrets: ['acme/app/AWS_BACKUP_KEY', 'OLD_ADMIN'] },
};

test('a canary token is used, by its hash or by its id, whatever the act', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  mallory  uses token h4sh in acme/app (for git.clone; from 203.0.113.7)   ← FOUND h4sh [critical/high]
    09:01  mallory  uses token h4sh in acme (for org.list)
    09:02  eve      uses token other in acme (id 41)                                ← FOUND 41 [critical/high]
    day 2 09:00  mallory  uses token h4sh in acme/lib                               ← FOUND h4sh
    `,
    { settings },
  );
  expect(findings[0]).toMatchObject({
    title: 'A canary token was used',
    entities: expect.arrayContaining([{ kind: 'address', id: '203.0.113.7' }]),
  });
});

test('a clone with it', () => {
  expectTimeline(rule, '09:00  mallory  clones acme/app with token h4sh  ← FOUND h4sh [critical/high]', { settings });
});

test('a job is handed a canary secret: its run is to be stopped', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  mallory  hands NPM_TOKEN,aws_backup_key to job build of Acme/app (in run 7)   ← FOUND secret:Acme/app/aws_backup_key [critical/high]
    09:05  mallory  hands OLD_ADMIN to job build of acme/lib (in run 8)                  ← FOUND secret:acme/lib/OLD_ADMIN
    `,
    { settings },
  );
  expect(findings[0]!.response).toMatchObject([{ action: 'stop-run', runId: '7' }]);
});

test('another’s secret of that name, other tokens, a request for a token of that id, and all without canaries, are work', () => {
  const text = `
    09:00  ada  uses token h1 in acme/app
    09:01  ada  clones acme/app with token h2
    09:02  ada  hands AWS_BACKUP_KEY,NPM_TOKEN to job build of acme/lib
    09:03  ada  approves token 41 of bob on acme
    `;
  expectTimeline(rule, text, { settings });
  expectTimeline(rule, '09:00  mallory  uses token h4sh in acme/app');
});

test('who uses it all day is one finding, whatever else they flood the log with', () => {
  const noise = Array.from({ length: 60 }, (_, nth) => {
    const time = `09:${String(nth).padStart(2, '0')}`;
    return `${time}  mallory  uses token ${nth === 30 ? 'h4sh' : `n${nth}`} in acme/app${nth === 30 ? '  ← FOUND h4sh' : ''}`;
  });
  expectTimeline(rule, [...noise, '11:00  mallory  uses token h4sh in acme/app'].join('\n'), { settings });
});
