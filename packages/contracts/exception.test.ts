import { describe, expect, test } from 'vitest';
import { type Exception, exceptionOf, exceptionOfDoubt, faultOfException } from './exception.ts';

const finding = {
  ...{
    rule: 'mass-workflow-push',
    workspace: 'acme',
    detectedAt: '2026-03-01T00:00:00Z',
    confidence: 'medium' as const,
  },
  entities: [
    { kind: 'user' as const, id: 'Release-Bot' },
    { kind: 'repository' as const, id: 'acme/app' },
  ],
};
const exception: Exception = {
  ...{ rules: ['mass-workflow-push'], when: { user: ['release-bot'] }, owner: 'ada' },
  ...{ reason: 'release train', until: '2026-04-01T00:00:00Z' },
};
const covers = (more: Partial<Exception> = {}, of: Partial<typeof finding> = {}) =>
  exceptionOf({ ...finding, ...of }, [{ ...exception, ...more }]) !== undefined;

describe('an exception', () => {
  test('covers what fits all that it names, in any case', () => {
    expect(covers()).toBe(true);
    expect(covers({ when: { user: ['release-*'], repository: ['acme/*'] } })).toBe(true);
    expect(covers({ when: { user: ['release-bot'], repository: ['acme/other'] } })).toBe(false);
    expect(covers({ when: { environment: ['production'] } })).toBe(false);
    expect(covers({ rules: ['token-bulk-clone'] })).toBe(false);
    expect(covers({ workspace: 'other' })).toBe(false);
  });

  test('wants all people to fit, not one', () => {
    const entities = [...finding.entities, { kind: 'user' as const, id: 'mallory' }];
    expect(covers({}, { entities })).toBe(false);
    expect(covers({ when: { user: ['release-bot', 'mallory'] } }, { entities })).toBe(true);
  });

  test('ends, by the log’s time of the finding', () => {
    expect(covers({ until: '2026-03-01T00:00:00Z' })).toBe(false);
    expect(covers({ until: '2026-03-01T00:00:01Z' })).toBe(true);
  });

  test('never covers what is always told, nor everything', () => {
    expect(covers({ rules: ['break-glass-opened'] }, { rule: 'break-glass-opened' })).toBe(false);
    expect(faultOfException({ rules: ['break-glass-opened'], when: { user: ['a'] } })).toMatch('always told');
    for (const when of [{}, { user: ['*'] }, { repository: ['acme/app', '*'] }])
      expect(faultOfException({ rules: ['mass-workflow-push'], when })).toMatch('it would except everything');
    expect(faultOfException(exception)).toBeUndefined();
  });
});

test('what is less sure than an override wants is excepted by it, but for what is always told', () => {
  expect(exceptionOfDoubt(finding, 'medium')).toBeUndefined();
  expect(exceptionOfDoubt(finding, undefined)).toBeUndefined();
  expect(exceptionOfDoubt(finding, 'high')).toMatchObject({
    reason: expect.stringContaining('its confidence is medium'),
  });
  expect(exceptionOfDoubt({ ...finding, rule: 'break-glass-opened' }, 'high')).toBeUndefined();
});
