import { expect, test } from 'vitest';
import { decide } from '../decide.ts';
import { lint } from '../lint.ts';
import { readLock } from '../lock.ts';
import { type PolicyFile, readPolicies } from '../policy.ts';
import { suppose } from '../suppose.ts';
import { readTrusts } from './formats.ts';
import { type Said, toPolicies } from './to-policies.ts';

const said: Said = {
  ...{ audience: 'https://access.acme.example', caller: '.github/workflows/deploy.yml', events: ['push'] },
  ...{ ref: 'refs/heads/main', environmentTier: 'production' },
};
const lock = readLock("github: { acme/api: { id: '74', owner: '65' } }");
function imported(name: string, text: string, more: Partial<Said> & { target?: string } = {}) {
  const { text: out, notes } = toPolicies(readTrusts({ name, text, target: more.target }), { ...said, ...more });
  return {
    file: out === undefined ? undefined : readPolicies(out),
    notes: notes.map(({ level, what }) => `${level}: ${what}`),
  };
}
const errorsOf = (file: PolicyFile | undefined) => lint(file!, lock).filter(({ level }) => level === 'error');
const issuer = 'https://token.actions.githubusercontent.com';

test('a trust of octo-sts becomes a policy that lint takes, and says what was looser', () => {
  const text = `issuer: ${issuer}\nsubject: repo:acme/api:ref:refs/heads/main\npermissions: { contents: read, pull_requests: write }\n`;
  const { file, notes } = imported('deploy.sts.yaml', text, { target: 'acme/api' });
  expect(errorsOf(file)).toEqual([]);
  expect(file?.policies['deploy']).toMatchObject({
    ...{
      tier: 'dev',
      give: [{ github: { repositories: ['acme/api'], permissions: { contents: 'read', pull_requests: 'write' } } }],
    },
    who: {
      github: {
        repository: 'acme/api',
        caller: ['.github/workflows/deploy.yml@refs/heads/main'],
        ref: ['refs/heads/main'],
      },
    },
  });
  expect(file?.policies['deploy']?.sts).toEqual([{ scope: 'acme/api', identity: 'deploy' }]);
  expect(notes.join('\n')).toMatch(/looser: it names no audience/);
  expect(notes.join('\n')).toMatch(/looser: .*names no event; pull_request_target/);
});

test('what octo-sts’s clients ask an owner for, they ask for by the owner; what their name would not mean has none', () => {
  const trust = `issuer: ${issuer}\nsubject: repo:acme/api:ref:refs/heads/main\npermissions: { contents: read }\n`;
  const stsOf = (repositories: string, target?: string, name = 'deploy.sts.yaml') => {
    const { file } = imported(
      name,
      `${trust}repositories: [${repositories}]\n`,
      target === undefined ? {} : { target },
    );
    return Object.values(file!.policies)[0]!.sts;
  };
  expect(stsOf('api, web', 'acme/.github')).toEqual([{ scope: 'acme', identity: 'deploy' }]);
  expect(stsOf('api', 'acme/api')).toEqual([{ scope: 'acme/api', identity: 'deploy' }]);
  expect(stsOf('api, web', 'acme/api')).toEqual([]);
  expect(stsOf('other/api', 'acme/.github')).toEqual([]);
  expect(stsOf('acme/api')).toEqual([]);
  expect(stsOf('api', 'acme/api', 'deploy.yaml')).toEqual([]);
});

test.each([
  ['repo:acme/api:ref:refs/heads/(main|dev)', 'alternatives'],
  ['^repo:acme/api:ref:refs/heads/main|repo:acme/api:ref:refs/heads/dev$', 'anchored by halves'],
  ['repo:acme/[^/]+:ref:refs/heads/main', 'a pattern that no list'],
  ['repo:acme/api:.*', 'jobs of every branch'],
  ['repo:acme/api:ref:refs/heads/.*', 'every branch or tag'],
])('the pattern %s is named and not translated', (pattern, why) => {
  const text = `issuer: ${issuer}\nsubject_pattern: '${pattern}'\npermissions: { contents: read }\n`;
  const { file, notes } = imported('x.sts.yaml', text, { target: 'acme/api' });
  expect(file).toBeUndefined();
  expect(notes.join('\n')).toContain(why);
});

/** Forms of `claim_pattern` as they are published: events side by side, refs, callers by either claim, the repository again. */
test.each([
  [
    "{ event_name: '(workflow_dispatch|schedule)', ref: refs/heads/main }",
    ['workflow_dispatch', 'schedule'],
    'deploy.yml',
  ],
  ['{ event_name: workflow_dispatch|schedule }', ['workflow_dispatch', 'schedule'], 'deploy.yml'],
  ["{ event_name: '(push|pull_request)', repository: acme/api }", ['push'], 'deploy.yml'],
  ['{ workflow_ref: acme/api/.github/workflows/bot.yaml@refs/heads/main }', ['push'], 'bot.yaml'],
  ["{ event_name: push, job_workflow_ref: 'acme/api/\\.github/workflows/tidy\\.yml@.*' }", ['push'], 'tidy.yml'],
])('claim_pattern %s is translated', (claims, events, file) => {
  const text = `issuer: ${issuer}\nsubject: repo:acme/api:ref:refs/heads/main\nclaim_pattern: ${claims}\npermissions: { contents: read }\n`;
  const { file: policies, notes } = imported('x.sts.yaml', text, { target: 'acme/api' });
  expect(notes.filter((one) => one.startsWith('lacks'))).toEqual([]);
  expect(errorsOf(policies)).toEqual([]);
  expect(Object.values(policies!.policies)[0]!.who).toMatchObject({
    github: { events, caller: [`.github/workflows/${file}@refs/heads/main`], ref: ['refs/heads/main'] },
  });
});

test.each([
  ["{ ref_protected: 'true' }", 'where needs.reviewed suffices, take the line out'],
  ["{ actor: 'dependabot\\[bot\\]' }", 'no condition of a policy is the same'],
  ['{ ref: refs/heads/release }', 'its claim_pattern.ref takes none of refs/heads/main'],
  ["{ ref: 'refs/pull/[0-9]+/merge' }", 'no condition of a policy is the same'],
  ['{ repository: acme/web }', 'so that nobody got it'],
  ['{ workflow_ref: .* }', 'none of the workflows that it wants is at refs/heads/main'],
  ['{ job_workflow_ref: acme/deploy/.github/workflows/x.yml@refs/heads/main }', 'a workflow of another repository'],
  ['{ event_name: pull_request }', 'no event is left'],
])('claim_pattern %s is named, and no policy is written that admits more', (claims, why) => {
  const text = `issuer: ${issuer}\nsubject: repo:acme/api:ref:refs/heads/main\nclaim_pattern: ${claims}\npermissions: { contents: read }\n`;
  const { file, notes } = imported('x.sts.yaml', text, { target: 'acme/api' });
  expect(file).toBeUndefined();
  expect(notes.join('\n')).toContain(why);
});

test('what IAM and Vault demand of other claims is said where a policy can, and a repository and ref without a subject are one', () => {
  const key = (claim: string) => `token.actions.githubusercontent.com:${claim}`;
  const roleWith = (Condition: object) =>
    JSON.stringify({
      Role: {
        Arn: 'arn:aws:iam::111122223333:role/deploy',
        AssumeRolePolicyDocument: {
          Statement: [
            {
              ...{ Effect: 'Allow', Action: 'sts:AssumeRoleWithWebIdentity', Condition },
              Principal: { Federated: 'arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com' },
            },
          ],
        },
      },
    });
  const workflow = 'acme/api/.github/workflows/drill.yml@refs/heads/main';
  const equal = { [key('aud')]: 'sts.amazonaws.com', [key('job_workflow_ref')]: workflow };
  const ofIam = imported(
    'deploy.json',
    roleWith({ StringEquals: { ...equal, [key('repository')]: 'acme/api', [key('ref')]: 'refs/heads/main' } }),
  );
  expect(errorsOf(ofIam.file)).toEqual([]);
  expect(Object.values(ofIam.file!.policies)).toMatchObject([
    { who: { github: { caller: ['.github/workflows/drill.yml@refs/heads/main'], ref: ['refs/heads/main'] } } },
  ]);
  // Of two conditions on one claim both must hold.
  const twice = {
    StringEquals: { ...equal, [key('repository')]: 'acme/api', [key('ref')]: 'refs/heads/main' },
    StringLike: { [key('ref')]: 'refs/heads/*' },
  };
  expect(imported('deploy.json', roleWith(twice)).file).toBeUndefined();
  const ids = { ...equal, [key('sub')]: 'repo:acme/api:ref:refs/heads/main', [key('repository_id')]: '74' };
  expect(imported('deploy.json', roleWith({ StringEquals: ids })).file).toBeUndefined();
  const glob = { bound_claims_type: 'glob', token_ttl: '20m', bound_audiences: ['vault'] };
  const claims = {
    repository: 'acme/api',
    job_workflow_ref: 'acme/api/.github/workflows/ci.yml@*',
    ref: ['refs/heads/main'],
  };
  const ofVault = imported('ci.json', JSON.stringify({ ...glob, bound_claims: claims }));
  expect(errorsOf(ofVault.file)).toEqual([]);
  expect(Object.values(ofVault.file!.policies)).toMatchObject([
    {
      who: { github: { caller: ['.github/workflows/ci.yml@refs/heads/main'] } },
      give: [{ vault: { for: 1_200_000 } }],
    },
  ]);
  const pattern = { ...claims, job_workflow_ref: 'acme/api/.github/workflows/*pipeline.ym*@*' };
  expect(imported('ci.json', JSON.stringify({ ...glob, bound_claims: pattern })).file).toBeUndefined();
});

test('an access-token.yaml, a JWT role of Vault and a role of IAM', () => {
  const origin = ['$', '{origin}'].join('');
  const ofAction = imported(
    'access-token.yaml',
    `origin: acme/api\nstatements:\n  - subjects: ['repo:${origin}:environment:production', 'repo:${origin}:ref:refs/heads/*']\n    permissions: { contents: write, pull-requests: read }\n`,
  );
  expect(errorsOf(ofAction.file)).toEqual([]);
  expect(Object.values(ofAction.file!.policies)).toMatchObject([
    { tier: 'production', needs: { reviewed: true }, who: { github: { environment: ['production'] } } },
  ]);
  expect(ofAction.notes.join('\n')).toContain('* at the end stops at a slash there');

  const role = {
    bound_subject: 'repo:acme/api:ref:refs/heads/main',
    bound_claims: { job_workflow_ref: 'acme/api/.github/workflows/ci.yml@refs/heads/main' },
    token_ttl: 600,
  };
  const ofVault = imported('deploy.json', JSON.stringify({ data: role }));
  expect(errorsOf(ofVault.file)).toEqual([]);
  expect(ofVault.file?.policies['deploy']).toMatchObject({
    give: [{ vault: { role: 'deploy', for: 600_000 } }],
    who: { github: { caller: ['.github/workflows/ci.yml@refs/heads/main'] } },
  });
  expect(ofVault.notes.join('\n')).toContain('bound_audiences is empty');
  expect(imported('deploy.json', JSON.stringify({ ...role, bound_claims: { actor: 'ada' } })).file).toBeUndefined();

  const condition = {
    StringLike: { 'token.actions.githubusercontent.com:sub': ['repo:acme/api:ref:refs/tags/v*', 'repo:acme/*:*'] },
  };
  const document = {
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Federated: 'arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com' },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: condition,
      },
    ],
  };
  const ofIam = imported(
    'role.json',
    JSON.stringify({ Role: { Arn: 'arn:aws:iam::111122223333:role/deploy', AssumeRolePolicyDocument: document } }),
  );
  expect(errorsOf(ofIam.file)).toEqual([]);
  expect(Object.values(ofIam.file!.policies)).toMatchObject([
    {
      who: { github: { ref: [{ prefix: 'refs/tags/v' }] } },
      give: [{ aws: { role: 'arn:aws:iam::111122223333:role/deploy' } }],
    },
  ]);
  expect(ofIam.notes.join('\n')).toMatch(/repo:acme\/\*:\*: a wildcard within[\s\S]*no condition on aud/);
  expect(imported('trust.json', JSON.stringify(document)).notes.join('\n')).toContain('aws iam get-role');
});

/** The subject of a job's token, by GitHub's default template. */
const subjectOf = (job: { repository: string; ref: string; event: string; environment: string | null }) =>
  job.environment !== null
    ? `repo:${job.repository}:environment:${job.environment}`
    : job.event === 'pull_request'
      ? `repo:${job.repository}:pull_request`
      : `repo:${job.repository}:ref:${job.ref}`;

test('whoever an imported policy admits, the trust admitted too: every subject with every job', () => {
  const ends = [
    'ref:refs/heads/main',
    'ref:refs/heads/*',
    'ref:refs/heads/rel*',
    'ref:refs/tags/v*',
    'environment:production',
  ];
  ends.push('environment:*', 'pull_request', '*', 'ref:refs/heads/m*n');
  const refs = ['main', 'main-evil', 'release', 'rel', 'dev']
    .map((name) => `refs/heads/${name}`)
    .concat('refs/tags/v1');
  const events = ['push', 'pull_request', 'workflow_dispatch', 'pull_request_target'];
  const jobs = ['acme/api', 'acme/web'].flatMap((repository) =>
    refs.flatMap((ref) =>
      events.flatMap((event) =>
        [null, 'production', 'staging', 'Production'].map((environment) => ({ repository, ref, event, environment })),
      ),
    ),
  );
  let granted = 0;
  for (const glob of ends.flatMap((end) => [`repo:acme/api:${end}`, `repo:acme/*:${end}`])) {
    const { file } = importedGlob(glob);
    for (const policy of Object.values(file?.policies ?? {})) {
      const house = { tiers: file!.tiers, lock };
      const { job: base, known } = suppose(policy, house, { job: {}, known: {}, expect: 'granted' });
      if (base.provider !== 'github') throw new Error('jobs of GitHub alone');
      for (const told of jobs) {
        const id = told.repository === 'acme/api' ? '74' : '75';
        const called = `${told.repository}/.github/workflows/deploy.yml@${told.ref}`;
        const { ref, event, environment } = told;
        const asking = { ...base, repository: { id, name: told.repository }, ref, event, environment };
        const of = { caller: { ref: called, sha: null }, workflow: { ref: called, sha: 'x' } };
        if (decide({ ...asking, ...of }, known, policy, house).decision !== 'granted') continue;
        granted += 1;
        // At GitHub an environment is the same in any capitals, as one that a policy names is.
        const same = { ...told, environment: environment?.toLowerCase() ?? null };
        expect(admits(glob, subjectOf(same)), `${glob} ${JSON.stringify(told)}`).toBe(true);
      }
    }
  }
  // One a ref that a subject means, with a push, and the environment in both spellings.
  expect(granted).toBe(6);
});
function importedGlob(glob: string) {
  return imported('deploy.json', JSON.stringify({ bound_claims_type: 'glob', bound_claims: { sub: glob } }));
}
const admits = (glob: string, text: string) =>
  new RegExp(
    `^${glob
      .split('*')
      .map((part) => part.replaceAll(/[.\\/]/g, '\\$&'))
      .join('.*')}$`,
  ).test(text);
