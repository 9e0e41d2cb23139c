import { type FakeAnswer, startFakeService } from '@tripline/testing/integration.conformance';
import { afterEach, expect, test } from 'vitest';
import { createAwsApi } from './api.ts';
import { readAwsStanding, retirementOfAws } from './standing.ts';

let close = async (): Promise<void> => {};
afterEach(() => close());
const provider = 'arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com';
const of = (name: string) => `token.actions.githubusercontent.com:${name}`;
const trust = (Condition: object | undefined, Principal: object = { Federated: provider }) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRoleWithWebIdentity', ...(Condition && { Condition }) }],
});
const member = (name: string, document: object) =>
  `<member><Path>/</Path><RoleName>${name}</RoleName><Arn>arn:aws:iam::111122223333:role/${name}</Arn>` +
  `<CreateDate>2024-01-02T03:04:05Z</CreateDate><AssumeRolePolicyDocument>${encodeURIComponent(JSON.stringify(document))}</AssumeRolePolicyDocument></member>`;
const page = (members: string, marker?: string) =>
  `<ListRolesResponse><ListRolesResult><Roles>${members}</Roles><IsTruncated>${marker !== undefined}</IsTruncated>${marker === undefined ? '' : `<Marker>${marker}</Marker>`}</ListRolesResult></ListRolesResponse>`;
const report = [
  'user,arn,user_creation_time,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date',
  '<root_account>,arn:aws:iam::111122223333:root,2020-01-01T00:00:00+00:00,true,2020-01-01T00:00:00+00:00,N/A,false,N/A,N/A',
  'ci,arn:aws:iam::111122223333:user/ci,2021-01-01T00:00:00+00:00,true,2021-01-01T00:00:00+00:00,2026-11-01T08:00:00+00:00,false,N/A,N/A',
  'ada,arn:aws:iam::111122223333:user/ada,2021-01-01T00:00:00+00:00,false,N/A,N/A,false,N/A,N/A',
].join('\n');

/** IAM, which answers by its documentation what `answers` says by the action. */
async function look(answers: Readonly<Record<string, (form: URLSearchParams) => FakeAnswer>>) {
  const asked: string[] = [];
  const service = await startFakeService(({ body }) => {
    const form = new URLSearchParams(body);
    asked.push(form.get('Action')!);
    return answers[form.get('Action')!]?.(form) ?? denied;
  });
  close = service.close;
  const accessKey = { id: 'AKIAEXAMPLEEXAMPLE01', secret: 'canarySecretKeyOfTheBroker/0123456789abc' };
  const settings = {
    region: 'eu-central-1',
    stsUrl: service.url,
    iamUrl: service.url,
    iamRegion: 'us-east-1',
    accessKey,
  };
  const api = createAwsApi(settings, { clock: { nowMs: Date.now, pause: async () => {} } });
  return { asked, ...(await readAwsStanding(api)) };
}
const ok = (body: string): FakeAnswer => ({ status: 200, body });
const fault = (status: number, code: string): FakeAnswer => ({
  ...{ status, body: `<ErrorResponse><Error><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>` },
});
const denied = fault(403, 'AccessDenied');
const roles = {
  ListRoles: (form: URLSearchParams) =>
    form.get('Marker') === 'more'
      ? ok(page(member('loose', trust({ 'ForAllValues:StringLike': { [of('sub')]: 'repo:*' } }))))
      : ok(
          page(
            member(
              'deploy',
              trust({
                StringEquals: { [of('aud')]: 'sts.amazonaws.com', [of('sub')]: 'repo:acme/api:ref:refs/heads/main' },
              }),
            ) + member('of-machines', trust(undefined, { Service: 'ec2.amazonaws.com' })),
            'more',
          ),
        ),
  GetRole: (form: URLSearchParams) =>
    form.get('RoleName') === 'deploy'
      ? ok('<R><RoleLastUsed><LastUsedDate>2026-10-01T00:00:00Z</LastUsedDate></RoleLastUsed></R>')
      : ok('<R><RoleLastUsed></RoleLastUsed></R>'),
};

test('roles that id tokens of GitHub open, page by page, and access keys, with age and last use; nothing is changed', async () => {
  const { rows, gaps, asked, covers } = await look({
    ...roles,
    GetCallerIdentity: () => ok('<R><Arn>arn:aws:sts::111122223333:assumed-role/broker/x</Arn></R>'),
    GetCredentialReport: () => ok(`<R><Content>${Buffer.from(report).toString('base64')}</Content></R>`),
  });
  expect(gaps).toEqual([]);
  expect(covers).toEqual(['aws-role/arn:aws:iam::111122223333:', 'aws-access-key/arn:aws:iam::111122223333:']);
  expect(rows.every(({ id }) => covers!.some((beginning) => id.startsWith(beginning)))).toBe(true);
  expect(rows).toMatchObject([
    {
      ...{
        id: 'aws-role/arn:aws:iam::111122223333:role/deploy',
        repositories: ['acme/api'],
        traits: ['names-in-subject'],
      },
      ...{ createdAt: '2024-01-02T03:04:05.000Z', lastUse: { at: '2026-10-01T00:00:00.000Z', by: 'provider' } },
    },
    {
      name: 'loose',
      repositories: 'all',
      lastUse: 'never',
      traits: ['any-repository', 'no-audience', 'names-in-subject'],
    },
    {
      kind: 'aws-access-key',
      name: 'of the account’s root',
      traits: ['administers', 'never-expires'],
      lastUse: 'never',
    },
    { kind: 'aws-access-key', owner: 'ci', lastUse: { at: '2026-11-01T08:00:00.000Z', by: 'provider' } },
  ]);
  expect(new Set(asked)).toEqual(new Set(['ListRoles', 'GetRole', 'GetCredentialReport', 'GetCallerIdentity']));
});

test('what may not be read is a gap with what to allow, and a report that is being made is one to wait for', async () => {
  const { rows, gaps, covers } = await look({});
  expect([rows, covers]).toEqual([[], []]);
  expect(gaps.map(({ what, remedy }) => `${what}: ${remedy}`)).toEqual([
    'AWS roles: allow iam:ListRoles',
    'AWS access keys: allow iam:GetCredentialReport',
  ]);
  expect(gaps[0]!.why).toBe('AWS answered 403 AccessDenied');
  await close();
  const made = await look({
    ...{ ListRoles: roles.ListRoles, GetCredentialReport: () => fault(410, 'ReportNotPresent') },
    GenerateCredentialReport: () => ok('<R><State>STARTED</State></R>'),
  });
  expect(made.rows.map(({ name, lastUse }) => `${name} ${lastUse}`)).toEqual(['deploy unknown', 'loose unknown']);
  expect(made.gaps.map(({ remedy }) => remedy)).toEqual(['allow iam:GetRole', 'look again in some minutes']);
});

test('a role is retired by trusting the broker alone', async () => {
  const { rows } = await look(roles);
  const { retire, trial } = retirementOfAws(rows[0]!, 'arn:aws:iam::111122223333:role/tripline-broker');
  const [, document] = /--role-name deploy --policy-document '(.*)'$/.exec(retire[0]!)!;
  expect(JSON.parse(document!)).toMatchObject({
    Statement: [{ Principal: { AWS: 'arn:aws:iam::111122223333:role/tripline-broker' } }],
  });
  expect(trial).toContain('tripline access import deploy.json');
});
