import { expect, test } from 'vitest';
import { type ClaimCondition, openedBy } from './id-token-trust.ts';

const aud: ClaimCondition = { claim: 'aud', values: ['sts.amazonaws.com'], isGlob: false };
const like = (claim: string, ...values: string[]): ClaimCondition => ({ claim, values, isGlob: true });
const is = (claim: string, ...values: string[]): ClaimCondition => ({ claim, values, isGlob: false });
const main = 'repo:acme/api:ref:refs/heads/main';

/** Forms of trusts as they are published: what opens to whom. */
test.each([
  ['one ref', [aud, is('sub', main)], ['acme/api'], ['names-in-subject']],
  ['one ref by a pattern without wildcards', [aud, like('sub', main)], ['acme/api'], ['names-in-subject']],
  ['ids in the subject', [aud, is('sub', 'repo:acme@65/api@74:environment:production')], ['acme/api'], []],
  [
    'every job of two repositories',
    [aud, like('sub', 'repo:acme/api:*', 'repo:acme/web:*')],
    ['acme/api', 'acme/web'],
    ['every-job-of-repository', 'names-in-subject'],
  ],
  [
    'every branch',
    [aud, like('sub', 'repo:acme/api:ref:refs/heads/*')],
    ['acme/api'],
    ['every-job-of-repository', 'names-in-subject'],
  ],
  ['no audience', [is('sub', main)], ['acme/api'], ['no-audience', 'names-in-subject']],
  [
    'every repository of an owner',
    [aud, like('sub', 'repo:acme/*')],
    'all',
    ['every-repository', 'every-job-of-repository', 'names-in-subject'],
  ],
  ['any repository', [aud, like('sub', 'repo:*')], 'all', ['any-repository', 'names-in-subject']],
  [
    'any repository with a branch of that name',
    [aud, like('sub', 'repo:*/*:ref:refs/heads/corgi')],
    'all',
    ['any-repository', 'names-in-subject'],
  ],
  ['no condition at all', [], 'all', ['any-repository', 'no-audience', 'names-in-subject']],
  ['a wildcard that is text', [aud, is('sub', 'repo:acme/api:*')], ['acme/api'], ['names-in-subject']],
  [
    'a subject without its rest',
    [aud, like('sub', 'repo:acme/api')],
    ['acme/api'],
    ['every-job-of-repository', 'names-in-subject'],
  ],
  [
    'names or ids at will, and the repository by a claim of its own',
    [aud, like('sub', main, 'repo:acme@*/api@*:ref:refs/heads/main'), is('repository', 'acme/api')],
    ['acme/api'],
    ['names-in-subject'],
  ],
  [
    'a workflow, the repository by its id, and a loose subject',
    [
      aud,
      like('sub', 'repo:*'),
      is('repository_id', '74'),
      is('job_workflow_ref', 'acme/deploy/.github/workflows/d.yml@refs/heads/main'),
    ],
    'all',
    [],
  ],
  [
    'a called workflow alone, which any repository of the house may call',
    [aud, is('job_workflow_ref', 'acme/deploy/.github/workflows/d.yml@refs/heads/main')],
    'all',
    ['every-repository', 'names-in-subject'],
  ],
  [
    'a condition of another kind, which is not read',
    [aud, { ...is('sub', 'x'), isOther: true }],
    'all',
    ['names-in-subject'],
  ],
] satisfies [string, ClaimCondition[], string[] | 'all', string[]][])(
  '%s',
  (_name, conditions, repositories, traits) => {
    expect(openedBy(conditions)).toMatchObject({ repositories, traits });
  },
);
