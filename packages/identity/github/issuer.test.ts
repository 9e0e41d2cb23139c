import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { trustGitHub } from './issuer.ts';
import { gitHubIssuerSettings } from './settings.ts';

const { claims } = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/job.json'), 'utf8')) as {
  claims: Record<string, unknown>;
};
const { read } = trustGitHub(gitHubIssuerSettings.parse({ owners: ['65'] }));
const disagree = { refusal: { status: 401, reason: 'claims-disagree' } };

test.each([
  'repo:acme/api:ref:refs/heads/main',
  'repo:acme@65/api@74:ref:refs/heads/main',
  'repo:acme@65/api@74',
  'repository_owner_id:65:repository_id:74:environment:prod',
  'repo:acme/api:repository_id:74',
  'environment:repository_id',
  'anything at all',
])('the subject %s agrees with the ids', (sub) => {
  expect(read({ ...claims, sub })).toHaveProperty('job');
});

test.each([
  'repo:acme@66/api@74:ref:refs/heads/main',
  'repo:acme@65/api@75:ref:refs/heads/main',
  'repo:acme@065/api@74:pull_request',
  'repository_owner_id:66:repository_id:74',
  'repo:acme/api:repository_id:75:ref:refs/heads/main',
  'repo:acme/api:repository_id:',
])('the subject %s does not', (sub) => {
  expect(read({ ...claims, sub })).toMatchObject(disagree);
});

test('a namesake of another id is another repository, and a workflow that is called is told apart from its caller', () => {
  expect(read({ ...claims, repository_id: '75', sub: 'repo:acme/api:x' })).toMatchObject({
    job: { repository: { id: '75' } },
  });
  expect(read(claims)).toMatchObject({
    job: {
      caller: { ref: 'acme/api/.github/workflows/release.yml@refs/heads/main' },
      workflow: { ref: 'acme/deploy/.github/workflows/deploy.yml@refs/heads/main' },
    },
  });
});

test('every event that somebody without write access may cause is cautioned of, and pushes and schedules are not', () => {
  const cautionsOf = (event_name: string) => {
    const verdict = read({ ...claims, event_name });
    return 'job' in verdict ? verdict.job.cautions.length : undefined;
  };
  const outsiders = ['pull_request', 'pull_request_target', 'issue_comment', 'workflow_run', 'issues', 'fork', 'watch'];
  expect(outsiders.map(cautionsOf)).toEqual(outsiders.map(() => 1));
  const own = ['push', 'workflow_dispatch', 'schedule', 'release', 'merge_group', 'deployment', 'repository_dispatch'];
  expect(own.map(cautionsOf)).toEqual(own.map(() => 0));
});

test('without check_run_id only where the settings say that the issuer does not write it', () => {
  const { check_run_id: _, ...older } = claims;
  expect(read(older)).toMatchObject({ refusal: { reason: 'claim-missing' } });
  const server = trustGitHub(gitHubIssuerSettings.parse({ owners: ['65'], namesJobs: false }));
  expect(server.read(older)).toMatchObject({ job: { checkRunId: null } });
});
