import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Entity, type Severity, severities } from './finding.ts';
import { describeScope, faultOfScope, fitsScope, type SilenceScope, silenceMatchers, silenceOf } from './silence.ts';

const finding = {
  rule: 'build-from-unreviewed-commit',
  subject: 'acme/app@3f2c',
  workspace: 'acme',
  severity: 'high' as Severity,
  detectedAt: '2026-05-01T12:00:00Z',
  entities: [
    { kind: 'commit', id: 'acme/app@3f2c' },
    { kind: 'run', id: 'acme/app#7' },
    { kind: 'repository', id: 'acme/app' },
    { kind: 'environment', id: 'preview-7' },
    { kind: 'runner', id: 'github:github.com:runner:12:build-1' },
    { kind: 'user', id: 'ada' },
  ] as Entity[],
};

describe('a silence', () => {
  test.each<[SilenceScope, boolean]>([
    [{ rule: 'build-from-unreviewed-commit' }, true],
    [{ rule: 'build-*' }, true],
    [{ rule: 'build' }, false],
    [{ subject: 'acme/app@*' }, true],
    [{ subject: 'acme/app@3f2' }, false],
    [{ repository: 'Acme/App' }, true],
    [{ repository: 'acme/*' }, true],
    [{ repository: 'acme/ap' }, false],
    [{ environment: 'preview-*' }, true],
    [{ environment: 'production' }, false],
    [{ runner: 'github:github.com:runner:12:build-1' }, true],
    [{ actor: 'ada' }, true],
    [{ actor: 'bob' }, false],
    [{ workspace: 'acme', actor: 'ada' }, true],
    [{ workspace: 'labs', actor: 'ada' }, false],
    [{ rule: 'build-*', actor: 'eve' }, false],
  ])('of %j fits: %s', (scope, fits) => {
    expect(fitsScope(scope, finding)).toBe(fits);
  });

  test('of one environment or repository lets pass what touches another too', () => {
    const also = (entity: Entity) => ({ ...finding, entities: [...finding.entities, entity] });
    expect(fitsScope({ environment: 'preview-*' }, also({ kind: 'environment', id: 'production' }))).toBe(false);
    expect(fitsScope({ repository: 'acme/app' }, also({ kind: 'run', id: 'acme/secrets#8' }))).toBe(false);
  });

  test('of one who acted lets pass what somebody else did beside them; whom something was granted to is not who did it', () => {
    const also = (...more: Entity[]) => ({ ...finding, entities: [...finding.entities, ...more] });
    const bob: Entity = { kind: 'user', id: 'bob' };
    expect(fitsScope({ actor: 'ada' }, also(bob))).toBe(false);
    const grant: Entity = { kind: 'grant', id: 'org-member:bob@acme' };
    expect(fitsScope({ actor: 'ada' }, also(bob, grant))).toBe(true);
    expect(fitsScope({ actor: 'bob' }, also(bob, grant))).toBe(false);
  });

  test('by what a finding does not name fits nothing', () => {
    for (const name of ['actor', 'repository', 'runner', 'environment'] as const) {
      expect(fitsScope({ [name]: '*' }, { ...finding, entities: [] })).toBe(false);
    }
  });

  test('lets critical findings pass unless it says otherwise', () => {
    const grave = { ...finding, severity: 'critical' as const };
    expect(fitsScope({ actor: 'ada' }, grave)).toBe(false);
    expect(fitsScope({ actor: 'ada', critical: true }, grave)).toBe(true);
  });

  test('holds until its end by the log’s time', () => {
    const until = (time: string) => [{ actor: 'ada', until: time, reason: 'r' }];
    expect(silenceOf(finding, until('2026-05-01T12:00:00.001Z'))).toBeDefined();
    expect(silenceOf(finding, until('2026-05-01T12:00:00Z'))).toBeUndefined();
    expect(silenceOf(finding, until('no time'))).toBeUndefined();
  });

  test('of everything is refused', () => {
    expect(faultOfScope({ workspace: 'acme', rule: '*', critical: true })).toContain('name at least one of');
    expect(faultOfScope({ rule: '*', actor: 'ada' })).toBeUndefined();
    expect(describeScope({ rule: 'r', workspace: 'w', critical: true })).toBe('rule=r, workspace=w, critical too');
  });
});

test('every further matcher silences less, and a longer beginning no more', () => {
  const text = fc.constantFrom('a', 'ab', 'abc', 'b', 'A', '');
  const matcher = fc.option(
    fc.tuple(text, fc.constantFrom('', '*')).map(([of, star]) => `${of}${star}`),
    { nil: undefined },
  );
  const scopes = fc.record({
    ...Object.fromEntries(silenceMatchers.map((name) => [name, matcher])),
    workspace: fc.option(text, { nil: undefined }),
    critical: fc.boolean(),
  }) as fc.Arbitrary<SilenceScope>;
  const kinds = fc.constantFrom<Entity['kind']>('user', 'repository', 'run', 'runner', 'commit', 'environment');
  const findings = fc.record({
    rule: text,
    subject: text,
    workspace: text,
    severity: fc.constantFrom(...severities),
    entities: fc.array(fc.record({ kind: kinds, id: text }), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(scopes, findings, fc.constantFrom(...silenceMatchers), (scope, of, name) => {
      const without = { ...scope, [name]: undefined };
      if (fitsScope(scope, of)) {
        expect(fitsScope(without, of)).toBe(true);
        expect(fitsScope({ ...scope, critical: true }, of)).toBe(true);
        expect(of.severity === 'critical' && !scope.critical).toBe(false);
      }
      const given = scope[name];
      // `abc*` silences nothing that `ab*` does not, and a whole name nothing that itself as a beginning does not.
      if (given === undefined || !fitsScope(scope, of)) return;
      const shorter = given.endsWith('*') ? `${given.slice(0, -2)}*` : `${given}*`;
      expect(fitsScope({ ...scope, [name]: shorter }, of)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('nothing silences what is always reported', () => {
  const finding = {
    ...{ rule: 'break-glass-opened', subject: 'break-glass:ada', workspace: 'acme', severity: 'medium' as const },
    entities: [],
    detectedAt: '2026-03-11T09:00:00Z',
  };
  const silence = { rule: '*', subject: 'break-glass:*', until: '2026-03-12T09:00:00Z', reason: 'r', critical: true };
  expect(silenceOf(finding, [silence])).toBeUndefined();
  expect(silenceOf({ ...finding, rule: 'another' }, [silence])).toBe(silence);
});
