import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './credential-context-drift.ts';

const use = (day: string, address: string, client: string, who = 'ada') =>
  `day ${day}  ${who}  uses token h1 in acme/app (from ${address}; by client ${client})`;

test('a new network with a new client; of a token used in one place alone it is medium', () => {
  const { findings } = expectTimeline(
    rule,
    `
    ${use('1 09:00', '192.0.2.4', 'git/2.40')}
    ${use('15 09:00', '192.0.2.9', 'gh/2.1')}
    ${use('20 09:00', '203.0.113.7', 'python-requests/2.3')}    ← FOUND h1 [medium/high]
    ${use('20 09:05', '203.0.113.7', 'curl/8')}
    ${use('20 09:06', '198.51.100.7', 'go-http-client/1')}
    `,
  );
  expect(findings[0]!.summary).toContain('from 203.0.113.0/24 with python-requests');
  expect(findings[0]!.entities).toContainEqual({ kind: 'address', id: '203.0.113.7' });
});

test('of one that travels it is low', () => {
  expectTimeline(
    rule,
    `
    ${use('1 09:00', '192.0.2.4', 'git/2.40')}
    ${use('2 09:00', '198.51.100.1', 'git/2.40')}
    ${use('30 09:00', '203.0.113.7', 'curl/8')}    ← FOUND h1 [low/high]
    `,
  );
});

test('travel, an upgrade, a new tool, the first weeks, a machine without an address and an app are work', () => {
  expectTimeline(
    rule,
    `
    ${use('1 09:00', '192.0.2.4', 'git/2.40')}
    ${use('9 09:00', '198.51.100.4', 'curl/8')}
    ${use('20 09:00', '203.0.113.7', 'git/2.41')}
    ${use('21 09:00', '192.0.2.4', 'gh/2.1')}
    day 22 09:00  ada  uses token h1 in acme/app (by client wget/1)
    day 1 09:00   app[bot]  uses token h2 in acme/app (from 192.0.2.4; by client a)
    day 30 09:00  app[bot]  uses token h2 in acme/app (from 203.0.113.4; by client b)
    `,
  );
});

test('a token that is used from everywhere, as in jobs, is usual nowhere', () => {
  const jobs = Array.from({ length: 12 }, (_, nth) => use(`${nth + 1} 09:00`, `20.${nth}.1.4`, 'git/2'));
  expectTimeline(rule, [...jobs, use('40 09:00', '203.0.113.9', 'curl/8')].join('\n'), { anyOrder: false });
});

test('noise after it pushes neither what is usual nor the finding out', () => {
  const noise = Array.from({ length: 90 }, (_, nth) =>
    use(
      `22 ${String(10 + Math.floor(nth / 60)).padStart(2, '0')}:${String(nth % 60).padStart(2, '0')}`,
      `20.${nth}.1.4`,
      `c${nth}`,
    ),
  );
  const { findings } = expectTimeline(
    rule,
    [
      use('1 09:00', '192.0.2.4', 'git/2.40'),
      `${use('20 09:00', '203.0.113.7', 'curl/8')}    ← FOUND h1`,
      `${noise[0]}    ← FOUND h1`,
      ...noise.slice(1),
      use('23 09:00', '192.0.2.4', 'git/2.41'),
    ].join('\n'),
    { anyOrder: false },
  );
  expect(findings).toHaveLength(2);
});
