import { headOf, inventory } from './baseline.ts';
import { branchPushed, reviewedChange } from './github-acts.ts';
import { type ChangeOf, createStage, pullRequest, push, ref, zeroSha } from './github-bodies.ts';
import type { Scenario } from './scenario.ts';

const repository = 'xygeni-action';
const maintainer = 'nico-maintainer';
const reviewer = 'ines-reviewer';
const backdoor = {
  ...{ repository, number: 46, title: 'Improve scanner telemetry', author: maintainer, association: 'MEMBER' },
  branch: 'improve-scanner-telemetry',
};

export const xygeni: Scenario = {
  id: 'xygeni-action',
  title: 'xygeni-action, March 2026',
  breach: { number: 21, name: 'xygeni-action', date: '2026-03' },
  narrative:
    'With a maintainer’s stolen credentials somebody opened pull requests that put a reverse shell into an action which others run in their pipelines. The protected branch let none of them be merged, and they were closed. ' +
    'So the tag v5, by which users name the action, was forced to the commit of such a pull request: it stands on no branch, and every pipeline that names v5 ran it for days.',
  provenance: 'reconstructed',
  sources: [
    { title: 'Xygeni: report on the incident of xygeni-action', url: 'https://xygeni.io/?p=73145' },
    {
      title: 'GHSA-f8q5-h5qh-33mh (CVE-2026-31976), xygeni-action',
      url: 'https://github.com/advisories/GHSA-f8q5-h5qh-33mh',
    },
  ],
  baseline: (cast) =>
    inventory(createStage(cast), {
      repositories: [repository],
      members: [
        { login: maintainer, role: 'admin' },
        { login: reviewer, role: 'member' },
      ],
    }),
  attack: (cast) => {
    const stage = createStage(cast);
    const change: ChangeOf = { ...backdoor, head: stage.sha('backdoor'), base: headOf(stage, repository) };
    return [
      ...branchPushed(
        stage,
        { name: 'branch', says: `a branch was pushed from the account of ${maintainer}`, atMs: 300 },
        {
          repository,
          branch: change.branch,
          by: maintainer,
          after: change.head,
          message: change.title,
          files: ['action.yml'],
        },
      ),
      pullRequest(stage, { name: 'change', says: 'a pull request was opened for it', atMs: 500 }, 'opened', change),
      pullRequest(stage, { name: 'closed', says: 'nobody could merge it, and it was closed', atMs: 1000 }, 'closed', {
        ...change,
        openedAtMs: 500,
      }),
      ref(stage, { name: 'branch-gone', says: 'its branch was deleted', atMs: 1200 }, 'delete', {
        ...{ repository, ref: change.branch, type: 'branch', by: maintainer },
      }),
      push(
        stage,
        { name: 'v5-moved', says: 'tag v5 was forced to the commit that nobody merged', atMs: 1600 },
        {
          ...{ repository, ref: 'refs/tags/v5', by: maintainer, before: stage.sha('v5.38'), after: change.head },
          ...{ message: change.title, files: ['action.yml'], forced: true },
        },
      ),
    ];
  },
  benign: (cast) => {
    const stage = createStage(cast);
    const merge = stage.sha('merge of telemetry');
    const tag = { repository, ref: 'v5.39.0', type: 'tag' as const, by: maintainer };
    return [
      ...reviewedChange(
        stage,
        { name: 'change', atMs: 300 },
        {
          ...{ ...backdoor, head: stage.sha('telemetry'), base: headOf(stage, repository) },
          ...{ files: ['action.yml'], reviewer, merge },
        },
      ),
      ref(stage, { name: 'tag-created', says: 'tag v5.39.0 was made', atMs: 1500 }, 'create', tag),
      push(
        stage,
        { name: 'tag', says: 'the merged commit was tagged as a version of its own', atMs: 1520 },
        {
          ...{ repository, ref: 'refs/tags/v5.39.0', by: maintainer, before: zeroSha, after: merge },
          ...{ message: `${backdoor.title} (#46)`, files: [], committer: 'web-flow' },
        },
      ),
    ];
  },
  expects: [{ rule: 'release-tag-moved', decidingStep: 'v5-moved', responses: ['restore-ref'] }],
};
