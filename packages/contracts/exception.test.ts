import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Exceptable,
  type Exception,
  exceptionOf,
  exceptionOfDoubt,
  faultOfException,
  networkOf,
  whenToExcept,
} from './exception.ts';

const finding = {
  ...{
    rule: 'mass-workflow-push',
    workspace: 'acme',
    detectedAt: '2026-03-01T00:00:00Z',
    confidence: 'medium' as const,
  },
  entities: [
    { kind: 'user' as const, id: 'Release-Bot' as string, key: 'github:github.com:user:41' as string | undefined },
    { kind: 'repository' as const, id: 'acme/app' },
  ],
};
const exception: Exception = {
  ...{ rules: ['mass-workflow-push'], when: { user: ['release-bot:41'] }, owner: 'ada' },
  ...{ reason: 'release train', until: '2026-04-01T00:00:00Z' },
};
const covers = (more: Partial<Exception> = {}, of: Partial<typeof finding> = {}) =>
  exceptionOf({ ...finding, ...of }, [{ ...exception, ...more }]) !== undefined;

describe('an exception', () => {
  test('covers what fits all that it names, in any case', () => {
    expect(covers()).toBe(true);
    expect(covers({ when: { user: ['release-bot:41'], repository: ['acme/*'] } })).toBe(true);
    expect(covers({ when: { user: ['release-bot:41'], repository: ['acme/other'] } })).toBe(false);
    expect(covers({ when: { environment: ['production'] } })).toBe(false);
    expect(covers({ rules: ['token-bulk-clone'] })).toBe(false);
    expect(covers({ workspace: 'other' })).toBe(false);
  });

  test('wants all people to fit, not one', () => {
    const entities = [...finding.entities, { kind: 'user' as const, id: 'mallory', key: 'github:github.com:user:5' }];
    expect(covers({}, { entities })).toBe(false);
    expect(covers({ when: { user: ['release-bot:41', 'mallory:5'] } }, { entities })).toBe(true);
  });

  test('ends, by the log’s time of the finding', () => {
    expect(covers({ until: '2026-03-01T00:00:00Z' })).toBe(false);
    expect(covers({ until: '2026-03-01T00:00:01Z' })).toBe(true);
  });

  test('never covers what is always reported, nor everything', () => {
    expect(covers({ rules: ['break-glass-opened'] }, { rule: 'break-glass-opened' })).toBe(false);
    expect(faultOfException({ rules: ['break-glass-opened'], when: { user: ['a'] } })).toMatch('always reported');
    for (const when of [{}, { user: ['*'] }, { repository: ['acme/app', '*'] }])
      expect(faultOfException({ rules: ['mass-workflow-push'], when })).toMatch('it would except everything');
    expect(faultOfException(exception)).toBeUndefined();
  });

  test('names a runner, and not what the key of each begins with', () => {
    const fault = (runner: string) =>
      faultOfException({ rules: ['credential-new-runner'], when: { runner: [runner] } });
    for (const every of [
      'g*',
      'github:*',
      'github:github.com*',
      'github:github.com:runner*',
      'github:github.com:runner:*',
    ])
      expect(fault(every)).toMatch('fits every runner');
    for (const some of ['github:github.com:runner:12:*', 'github:github.com:runner:12:build-1'])
      expect(fault(some)).toBeUndefined();
    expect(fault('github:github.com:runner-class:77/1/linux/build-*')).toBeUndefined();
  });

  test('says so where what looks like a pattern would fit nothing', () => {
    for (const name of ['**', 'acme/*/x', '*/app'])
      expect(faultOfException({ rules: ['mass-workflow-push'], when: { repository: [name] } })).toMatch(
        `${name} fits nothing: \`*\` stands at the end alone`,
      );
    expect(faultOfException({ rules: ['mass-workflow-push'], when: { repository: ['acme/*'] } })).toBeUndefined();
  });
});

describe('what would except a finding', () => {
  test('names all of its people and repositories by id, and covers it', () => {
    const entities = [
      ...finding.entities,
      { kind: 'user' as const, id: 'deployer[bot]', key: 'github:github.com:user:9' },
      { kind: 'runner' as const, id: 'github:github.com:runner:12:build-1', key: undefined },
      { kind: 'address' as const, id: '203.0.113.7' },
    ] as Exceptable['entities'];
    const when = whenToExcept({ rule: finding.rule, entities })!;
    expect(when).toEqual({ user: ['Release-Bot:41', 'deployer[bot]'], repository: ['acme/app'] });
    expect(covers({ when }, { entities } as never)).toBe(true);
    const elsewhere = [{ kind: 'user', id: 'ada', key: 'github:git.acme.example:user:4' }] as Exceptable['entities'];
    expect(whenToExcept({ rule: 'r', entities: elsewhere })).toEqual({ user: ['github:git.acme.example:user:4'] });
    expect(covers({ when: { user: ['github:git.acme.example:user:4'] } }, { entities: elsewhere } as never)).toBe(true);
  });

  test('is nothing where only a login is known, nothing is named, or it is always reported', () => {
    const ada = { kind: 'user' as const, id: 'ada' };
    expect(whenToExcept({ rule: 'r', entities: [ada] })).toBeUndefined();
    expect(whenToExcept({ rule: 'r', entities: [] })).toBeUndefined();
    expect(whenToExcept({ rule: 'break-glass-opened', entities: finding.entities as never })).toBeUndefined();
    const box = [{ kind: 'runner', id: 'box-1' }, ada] as Exceptable['entities'];
    expect(whenToExcept({ rule: 'r', entities: box })).toEqual({ runner: ['box-1'] });
  });
});

test('what is less sure than an override wants is excepted by it, but for what is always reported', () => {
  expect(exceptionOfDoubt(finding, 'medium')).toBeUndefined();
  expect(exceptionOfDoubt(finding, undefined)).toBeUndefined();
  expect(exceptionOfDoubt(finding, 'high')).toMatchObject({
    reason: expect.stringContaining('its confidence is medium'),
  });
  expect(exceptionOfDoubt({ ...finding, rule: 'break-glass-opened' }, 'high')).toBeUndefined();
});

describe('what others may name as they like', () => {
  const about = (kind: 'ref' | 'workflow' | 'user' | 'address', ...ids: string[]) =>
    ids.map((id) => ({ kind, id }) as never as (typeof finding.entities)[number]);
  const main = 'acme/app@refs/heads/main';
  const release = 'acme/app/.github/workflows/release.yml@refs/heads/main';

  test('a ref fits whole, in its repository', () => {
    const fits = (...ids: string[]) => covers({ when: { ref: [main] } }, { entities: about('ref', ...ids) });
    expect([fits(main), fits('Acme/App@refs/heads/main')]).toEqual([true, true]);
    for (const other of ['mallory/app@refs/heads/main', 'acme/app@refs/tags/main', 'acme/app@refs/heads/Main'])
      expect(fits(other), other).toBe(false);
    expect([fits('acme/app@refs/heads/main2'), fits(main, 'acme/app@refs/heads/x'), fits()]).toEqual([
      false,
      false,
      false,
    ]);
  });

  test('a workflow fits by its file and the ref that it is of', () => {
    const fits = (id: string) => covers({ when: { workflow: [release] } }, { entities: about('workflow', id) });
    expect(fits(release)).toBe(true);
    for (const other of ['mallory/evil', 'acme/other'])
      expect(fits(release.replace('acme/app', other)), other).toBe(false);
    expect(fits(release.replace('main', 'main@refs/heads/evil'))).toBe(false);
    expect(fits(release.replace('release.yml', 'Release.yml'))).toBe(false);
    expect(fits('acme/app/x@refs/heads/evil/.github/workflows/release.yml@refs/heads/main')).toBe(false);
  });

  test.each([
    ['ref', 'main'],
    ['ref', 'acme/app@refs/heads/*'],
    ['ref', '*@refs/heads/main'],
    ['ref', 'refs/heads/main'],
    ['workflow', 'Release'],
    ['workflow', 'acme/app/.github/workflows/release.yml'],
    ['workflow', 'acme/app/.github/workflows/*@refs/heads/main'],
    ['cidr', '0.0.0.0/0'],
    ['cidr', '128.0.0.0/1'],
    ['cidr', '::/0'],
    ['cidr', '203.0.113.7'],
    ['cidr', '203.0.113.0/33'],
    ['cidr', '*'],
  ])('%s may not be excepted as %s', (matcher, name) => {
    expect(faultOfException({ rules: ['some-rule'], when: { [matcher]: [name] } })).toMatch(`when.${matcher}: `);
  });

  test('an account by its id is that account, whatever it is called', () => {
    const key = 'github:github.com:user:41';
    const called = (id: string, of: string) => ({ entities: [{ kind: 'user' as const, id, key: of }] });
    expect(covers({ when: { user: [key] } }, called('renamed', key))).toBe(true);
    expect(covers({ when: { user: [key] } }, called('release-bot', `${key}1`))).toBe(false);
    expect(covers({ when: { user: [key] } }, { entities: about('user', 'release-bot') })).toBe(false);
    expect(covers({ when: { user: ['release-bot:41'] } }, called('renamed', key))).toBe(true);
    expect(covers({ when: { user: ['release-bot:41'] } }, { entities: about('user', 'Release-Bot') })).toBe(true);
  });

  test('whoever takes a login over is not excepted, nor whoever has the number elsewhere', () => {
    const called = (id: string, key: string) => ({ entities: [{ kind: 'user' as const, id, key }] });
    for (const user of ['release-bot', 'release-*', 'release-bot:41'])
      expect(covers({ when: { user: [user] } }, called('release-bot', 'github:github.com:user:666')), user).toBe(false);
    const elsewhere = called('release-bot', 'github:ghe.acme.example:user:41');
    expect(covers({ when: { user: ['release-bot:41'] } }, elsewhere)).toBe(false);
    expect(covers({ when: { user: ['release[bot]'] } }, called('Release[bot]', 'github:github.com:user:7'))).toBe(true);
    const app = (key: string) => ({ entities: [{ kind: 'repository' as const, id: 'acme/app', key }] as never });
    expect(covers({ when: { repository: ['acme/old:7'] } }, app('github:github.com:7'))).toBe(true);
    expect(covers({ when: { repository: ['acme/app:7'] } }, app('github:github.com:8'))).toBe(false);
  });

  test.each(['release-bot', 'release-*', '41', 'a b:41', 'x*:41'])('somebody may not be excepted as %s', (user) => {
    expect(faultOfException({ rules: ['some-rule'], when: { user: [user] } })).toMatch(
      /^when\.user: .* write it as login:id/,
    );
  });

  test('an address fits where it lies in the network, and one that is not known does not', () => {
    const when = { cidr: ['203.0.113.0/24', '2001:db8::/32'] };
    const fits = (...ids: string[]) => covers({ when }, { entities: about('address', ...ids) });
    expect([fits('203.0.113.7'), fits('2001:db8::1'), fits('::ffff:203.0.113.7')]).toEqual([true, true, true]);
    expect([fits('203.0.114.7'), fits('203.0.113.7', '198.51.100.1'), fits(), fits('x')]).toEqual(Array(4).fill(false));
    expect(faultOfException({ rules: ['some-rule'], when })).toBeUndefined();
  });

  test('an IPv4 network holds what has its bits', () => {
    const ip = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 0, max: 255 })));
    const numberOf = (parts: number[]) => parts.reduce((sum, part) => sum * 256 + part, 0);
    const bits = fc.integer({ min: 8, max: 32 });
    fc.assert(
      fc.property(ip, ip, bits, fc.boolean(), (base, other, length, near) => {
        // By chance hardly any two are near.
        const address = near ? base.map((part, at) => (at < length / 8 - 1 ? part : other[at]!)) : other;
        const size = 2 ** (32 - length);
        const isIn = Math.floor(numberOf(base) / size) === Math.floor(numberOf(address) / size);
        expect(networkOf(`${base.join('.')}/${length}`)!(address.join('.'))).toBe(isIn);
      }),
    );
  });

  test('an IPv6 network holds what has its bits', () => {
    const ip = fc.tuple(...Array.from({ length: 8 }, () => fc.integer({ min: 0, max: 0xffff })));
    const numberOf = (parts: number[]) => parts.reduce((sum, part) => sum * 65_536n + BigInt(part), 0n);
    const said = (parts: number[]) => parts.map((part) => part.toString(16)).join(':');
    fc.assert(
      fc.property(ip, ip, fc.integer({ min: 16, max: 128 }), fc.boolean(), (base, other, length, near) => {
        const address = near ? base.map((part, at) => (at < length / 16 - 1 ? part : other[at]!)) : other;
        const rest = BigInt(128 - length);
        const isIn = numberOf(base) >> rest === numberOf(address) >> rest;
        expect(networkOf(`${said(base)}/${length}`)!(said(address))).toBe(isIn);
      }),
    );
  });
});
