import { describe, expect, it } from 'vitest';
import { examplePolicies as asShown, exampleLock } from './access.example.ts';
import { lint } from './lint.ts';
import { readLock } from './lock.ts';
import { readPolicies } from './policy.ts';
import { AccessFileError } from './yaml.ts';

/** The example, and what it calls named by its commit. */
const examplePolicies = asShown.replace('deploy.yml@refs/heads/main', `deploy.yml@${'e'.repeat(40)}`);
const lock = readLock(exampleLock);
/** Of a house with more repositories than the example names. */
const wideLock = readLock(
  `${exampleLock}  acme/web: { id: '75', owner: '65' }\n  other/web: { id: '76', owner: '66' }\n`,
);
const problemsOf = (text: string, pins = lock) =>
  lint(readPolicies(text), pins).map(({ level, what }) => `${level}: ${what}`);
const changed = (from: string, to: string) => {
  expect(examplePolicies).toContain(from);
  return problemsOf(examplePolicies.replace(from, to));
};
const refusal = (text: string): string => {
  try {
    readPolicies(text);
  } catch (error) {
    expect(error).toBeInstanceOf(AccessFileError);
    return (error as Error).message;
  }
  throw new Error('it was read');
};

describe('lint', () => {
  it('finds nothing wrong with the example, but that nobody reviews what it calls', () => {
    expect(problemsOf(examplePolicies)).toEqual([]);
    expect(problemsOf(asShown)).toEqual([
      expect.stringMatching(
        /^notice: workflow acme\/deploy\/\.github\/workflows\/deploy\.yml@refs\/heads\/main: needs\.reviewed does not speak of acme\/deploy/,
      ),
    ]);
  });

  it('wants a called workflow named by its commit, unless it is the repository’s own', () => {
    const called = 'acme/deploy/.github/workflows/deploy.yml@refs/heads/main';
    const of = (workflow: string) => problemsOf(asShown.replace(called, workflow));
    expect(of('Acme/api/.github/workflows/deploy.yml@refs/heads/main')).toEqual([]);
    expect(of('acme/deploy/.github/workflows/deploy.yml@eeeeeee')).toContainEqual(
      expect.stringMatching(/^error: workflow .*: say the file and its ref/),
    );
  });

  it.each([
    ['error: needs.reviewed: a policy of production', '      reviewed: true\n', ''],
    ['error: needs.mfa: name the owners', 'of: trigger', 'of: owners'],
    ['error: needs.mfa: nobody set a scheduled run off', 'events: [push, ', 'events: [push, schedule, '],
    ['error: grace is not pinned', 'within: 15m', 'within: 15m, owners: [grace]'],
    [
      'error: sts acme/api deploy: octo-sts’s clients take one token of GitHub’s',
      '    max: 45m\n',
      '    max: 45m\n    sts: [{ scope: acme/api, identity: deploy }]\n',
    ],
    ['error: say the environment', '        environment: production\n', ''],
    ['error: environment staging is not of tier production', 'environment: production\n', 'environment: staging\n'],
    ['error: environment: list them', 'environment: production\n', 'environment: { prefix: prod }\n'],
    [
      'error: environment staging is of tier production and of staging',
      'production: [production]',
      'production: [production, staging]',
    ],
    ['error: tier production is none of `tiers`', 'tiers: { production: [production], ', 'tiers: { '],
    [
      'error: events: pull_request_target: whoever has no write access',
      'events: [push, workflow_dispatch]',
      'events: [push, pull_request_target]',
    ],
    [
      'error: events: pull_request_review, gollum: whoever has no write access',
      'events: [push, workflow_dispatch]',
      'events: [push, pull_request_review, gollum]',
    ],
    [
      'error: forks: production is not for them',
      'ref: refs/heads/main\n',
      'ref: refs/heads/main\n        forks: true\n',
    ],
    ['error: ref main: say it whole', 'ref: refs/heads/main\n', 'ref: main\n'],
    [
      'error: ref: {prefix: refs/heads/} is every branch or tag',
      'ref: refs/heads/main\n',
      'ref: { prefix: refs/heads/ }\n',
    ],
    [
      'notice: ref: {prefix: refs/heads/rel} also begins',
      'ref: refs/heads/main\n',
      'ref: { prefix: refs/heads/rel }\n',
    ],
    [
      'error: caller .github/workflows/release.yml: say the file and its ref',
      'release.yml@refs/heads/main',
      'release.yml',
    ],
    ['error: promotedFrom: production is no other tier', 'promotedFrom: staging', 'promotedFrom: production'],
    ['error: max: a token of GitHub’s lives for 1h at most', 'max: 45m', 'max: 2h'],
    ['error: for: it would live longer than `max`', 'max: 45m', 'max: 20m'],
    ['error: for: STS gives no session for less than 15m', 'for: 30m', 'for: 5m'],
    ['error: test 2: expected is granted, and it is denied', 'expect: denied, because: [ref]', 'expect: granted'],
    ['error: test 2: expected because of event, and it is because of ref', 'because: [ref]', 'because: [event]'],
    ['error: test 2: weather is no condition', 'because: [ref]', 'because: [weather]'],
  ])('says “%s”', (problem, from, to) => {
    expect(changed(from, to)).toContainEqual(expect.stringContaining(problem));
  });

  it('has no merge requests of GitLab in production, and says so elsewhere', () => {
    const of = (tier: string) =>
      problemsOf(
        `audience: https://b.example\ntiers: { production: [production], dev: [preview] }\npolicies:\n  one:\n    tier: ${tier}\n    who: { gitlab: { repository: acme/api, workflow: gitlab.com/acme/api//.gitlab-ci.yml@refs/heads/main, events: [merge_request_event], ref: refs/merge-requests/1/head } }\n    give: [{ vault: { role: r, for: 5m } }]\n`,
      );
    expect(of('production')).toContainEqual(expect.stringMatching(/^error: events: merge_request_event: whoever/));
    expect(of('dev')).toContainEqual(expect.stringMatching(/^notice: events: merge_request_event: whoever/));
  });

  it('has no unprotected refs of GitLab in production, and says so elsewhere', () => {
    const of = (tier: string, unprotected = ', unprotected: true') =>
      problemsOf(
        `audience: https://b.example\ntiers: { production: [production], dev: [preview] }\npolicies:\n  one:\n    tier: ${tier}\n    who: { gitlab: { repository: acme/api, workflow: gitlab.com/acme/api//.gitlab-ci.yml@refs/heads/main, events: [push], ref: refs/heads/main${unprotected} } }\n    give: [{ vault: { role: r, for: 5m } }]\n`,
      );
    expect(of('production')).toContainEqual(expect.stringMatching(/^error: unprotected: production is for protected/));
    expect(of('dev')).toContainEqual(expect.stringMatching(/^notice: unprotected: whoever may push/));
    expect(of('production', '').filter((problem) => problem.includes('unprotected'))).toEqual([]);
  });

  it('wants every name pinned', () => {
    expect(lint(readPolicies(examplePolicies), readLock('{}'))).toMatchObject([
      { level: 'error', policy: 'deploy-api', what: expect.stringContaining('acme/api is not pinned') },
    ]);
  });

  it('wants what is given on pinned too, and a token of one owner', () => {
    const given = (repositories: string) =>
      examplePolicies.replace('repositories: [acme/api]', `repositories: [${repositories}]`);
    expect(problemsOf(given('acme/api, acme/web'))).toEqual([expect.stringContaining('error: acme/web is not pinned')]);
    expect(problemsOf(given('acme/api, acme/web'), wideLock)).toEqual([]);
    expect(problemsOf(given('acme/api, other/web'), wideLock)).toEqual([
      'error: github: one token is of one owner, and acme/api, other/web are of 2',
    ]);
    const project = examplePolicies.replace(
      '    max: 45m\n',
      '      - { gitlab: { project: acme/mirror, scopes: [read_api], level: guest, for: 5m } }\n    max: 45m\n',
    );
    expect(problemsOf(project)).toEqual([expect.stringContaining('error: acme/mirror is not pinned')]);
  });

  it.each([
    [undefined, 'error: aws/deploy-api.json, which a policy names, is not there'],
    ['[]', 'error: aws/deploy-api.json is no policy of IAM: it is no JSON object'],
    ['{}', 'error: aws/deploy-api.json is no policy of IAM: it has no Statement'],
    [
      '{"Statement":[{"Effect":"Allow","Action":"s3:GetObject"}]}',
      'error: aws/deploy-api.json is no policy of a session: statement 1 says neither Resource nor NotResource',
    ],
    [
      '{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}}',
      'error: aws/deploy-api.json is no policy of a session: statement 1 names a Principal',
    ],
    [
      '{"Statement":[{"Effect":"Allow","Action":["*"],"Resource":"*"}]}',
      'notice: aws/deploy-api.json allows every action on everything',
    ],
    ['{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}', undefined],
    [`{"Statement":[]${' '.repeat(2048)}}`, 'error: aws/deploy-api.json is longer than 2048 characters'],
  ])('reads the inline policies that are named: %s', (text, problem) => {
    const files = text === undefined ? {} : { 'aws/deploy-api.json': text };
    const said = lint(readPolicies(examplePolicies), lock, files).map(({ level, what }) => `${level}: ${what}`);
    expect(said).toEqual(problem === undefined ? [] : [expect.stringContaining(problem)]);
  });

  it('finds what two tiers share, but for reading', () => {
    const staging = `
  try-api:
    tier: staging
    who: { github: { repository: acme/api, caller: .github/workflows/try.yml@refs/heads/main, events: [push], ref: refs/heads/main, environment: staging } }
    give: [{ github: { repositories: [acme/api], permissions: { contents: read, deployments: write } } }]
    tests: [{ expect: granted }, { job: { ref: refs/heads/x }, expect: denied }]
`;
    expect(problemsOf(examplePolicies + staging)).toEqual([
      expect.stringContaining(
        'error: github:acme/api:deployments:write is given in production (deploy-api) and staging (try-api)',
      ),
    ]);
  });
});

describe('readPolicies', () => {
  it.each([
    ['no YAML', 'a: [1'],
    ['no YAML', 'audience: a\naudience: b'],
    ['alias', 'a: &x 1\nb: *x'],
    ['`__proto__`', '__proto__: 1'],
    ['audience', 'audience: http://x.example\ntiers: {}\npolicies: {}'],
    [
      'policies.deploy-api.who.github (line',
      examplePolicies.replace('      github:\n', '      github:\n        teams: 1\n'),
    ],
    [
      'who.github.ref (line 13): say a text, {prefix: …}, or a list of them; * and ? are no wildcards',
      examplePolicies.replace('ref: refs/heads/main', 'ref: refs/heads/*'),
    ],
    ['policies.deploy-api.needs.noIncident', examplePolicies.replace('noIncident: high', 'noIncident: grave')],
    ['policies.deploy-api.max (line', examplePolicies.replace('max: 45m', 'max: 45')],
    ['longer than', `# ${'x'.repeat(1_100_000)}`],
  ])('refuses with “%s”, and says where', (message, text) => {
    expect(refusal(text)).toContain(message);
  });
});

describe('names of octo-sts’s clients', () => {
  const token = (repositories: string, sts: string) =>
    examplePolicies
      .replace(/ {6}- \{ aws: .*\n/, '')
      .replace('repositories: [acme/api]', `repositories: [${repositories}]`)
      .replace('    max: 45m\n', `    max: 45m\n    sts: [${sts}]\n`);
  it.each([
    ['acme/api', '{ scope: acme/api, identity: deploy }', []],
    ['acme/api', '{ scope: Acme/API, identity: a/b.c }, { scope: acme, identity: deploy }', []],
    ['acme/api, acme/web', '{ scope: acme, identity: deploy }', []],
    ['acme/api, acme/web', '{ scope: acme/api, identity: deploy }', ['gives acme/api, acme/web: say that repository']],
    ['acme/api, other/web', '{ scope: acme, identity: deploy }', ['say repositories of that owner']],
    [
      'acme/api',
      '{ scope: acme/api, identity: deploy }, { scope: ACME/api, identity: deploy }',
      ['policy deploy-api is asked for by it already'],
    ],
  ])('of %s: %s', (repositories, sts, wanted) => {
    const [waits, ...errors] = problemsOf(token(repositories, sts), wideLock).filter(
      (one) => !one.includes('one token is of one owner'),
    );
    expect(waits).toContain('notice: sts: octo-sts’s clients do not wait for a second factor');
    expect(errors).toEqual(wanted.map((what) => expect.stringContaining(what)));
  });

  it('are one scope and one identity', () => {
    expect(refusal(token('acme/api', '{ scope: acme/api/x, identity: deploy }'))).toContain('say it as owner/name');
    expect(refusal(token('acme/api', '{ scope: acme/api, identity: /deploy }'))).toContain('<identity>.sts.yaml');
  });
});
