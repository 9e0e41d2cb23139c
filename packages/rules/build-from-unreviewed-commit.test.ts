import type { Attributes } from '@tripline/contracts/attributes';
import { expectSameInAnyOrder } from '@tripline/testing/timeline/any-order';
import { at, type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule } from './build-from-unreviewed-commit.ts';

const startMs = Date.parse('2026-03-11T09:00:00Z');
const s = (seconds: number) => startMs + seconds * 1000;
const iso = (seconds: number) => new Date(s(seconds)).toISOString();
const sha = (digit: string) => digit.repeat(40);
const [day1, head, merge, carried] = [sha('0a'.slice(1)), sha('b'), sha('c'), sha('d')];
const repository = 'acme/app';
const of = { 'vcs.repository.name': repository, 'tripline.repository.default_branch': 'main' } as const;

const inventory = at(s(-60), 'dev.cdeventsx.tripline-inventory.observed', {
  'tripline.inventory.part': 1,
  'tripline.inventory.parts': 1,
  'tripline.inventory.heads': [{ repository, branch: 'main', revision: day1 }],
  'tripline.inventory.protected': [{ repository, patterns: ['main', 'release/*'] }],
});
const push = (seconds: number, after: string, more: Attributes = {}) =>
  at(s(seconds), 'dev.cdeventsx.tripline-ref.pushed', {
    ...of,
    'vcs.ref.head.name': 'main',
    'vcs.ref.head.type': 'branch',
    'vcs.ref.head.revision': after,
    'tripline.ref.before': day1,
    'tripline.push.pusher': 'ada',
    'tripline.push.head_committer': 'ada',
    ...more,
  });
const run = (seconds: number, revision: string, more: Attributes = {}) =>
  at(s(seconds), 'dev.cdevents.pipelinerun.queued', {
    ...of,
    'vcs.ref.head.name': 'main',
    'vcs.ref.head.revision': revision,
    'cicd.pipeline.run.id': '700',
    'cicd.pipeline.name': 'CI',
    'tripline.pipeline.path': '.github/workflows/ci.yml',
    'tripline.pipeline.trigger': 'push',
    'tripline.pipeline.triggered_by': 'ada',
    ...more,
  });
const task = (seconds: number, revision: string, more: Attributes = {}) =>
  at(s(seconds), 'dev.cdevents.taskrun.started', {
    ...of,
    'vcs.ref.head.name': 'main',
    'vcs.ref.head.revision': revision,
    'cicd.pipeline.run.id': '700',
    'cicd.pipeline.task.run.id': '701',
    'cicd.pipeline.task.name': 'build',
    'tripline.worker.hosted': true,
    ...more,
  });
const change = { ...of, 'vcs.change.id': '12', 'tripline.change.author': 'ada', 'vcs.ref.base.name': 'main' } as const;
const opened = (seconds: number) =>
  at(s(seconds), 'dev.cdevents.change.created', { ...change, 'vcs.ref.head.revision': head, 'user.name': 'ada' });
const approved = (seconds: number, more: Attributes = {}) =>
  at(s(seconds), 'dev.cdevents.change.reviewed', {
    ...change,
    'vcs.ref.head.revision': head,
    'tripline.review.id': '90',
    'tripline.review.state': 'approved',
    'tripline.review.revision': head,
    'tripline.review.author': 'grace',
    'tripline.review.author_type': 'User',
    'tripline.review.submitted_at': iso(seconds),
    'tripline.user.association': 'MEMBER',
    ...more,
  });
const merged = (seconds: number, more: Attributes = {}) =>
  at(s(seconds), 'dev.cdevents.change.merged', {
    ...change,
    'vcs.ref.head.revision': head,
    'tripline.change.merge_revision': merge,
    'tripline.change.merged_by': 'ada',
    ...more,
  });
const webFlow = { 'tripline.push.head_committer': 'web-flow' } as const;
const story = (events: readonly LoggedEventInput[], settings: Record<string, unknown> = {}) => ({
  rules: [rule],
  before: [inventory],
  events,
  settings: { [rule.id]: settings },
  untilMs: s(80 * 3600),
});
const play = (events: readonly LoggedEventInput[], settings: Record<string, unknown> = {}) => {
  const { before, ...rest } = story(events, settings);
  const played = playTimeline({ ...rest, events: [...before, ...events] });
  expect(played.poison).toEqual([]);
  return played;
};
const found = (revision: string) => [`build-from-unreviewed-commit ${repository}@${revision} 700/1`];

describe('a push straight to a protected branch', () => {
  test('is found at once when it is built, and cancels the run', () => {
    const { findings, lookUps } = play([push(0, head), run(1, head), task(2, head)]);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      confidence: 'high',
      detectedAt: iso(1),
      response: [{ action: 'stop-run', provider: 'github', instance: 'github.com', repository, runId: '700' }],
    });
    expect(findings[0]!.evidence.map((line) => line.time)).toEqual([iso(0), iso(1)]);
    expect(lookUps).toEqual([]);
  });

  test('is found as surely when its push is sent again', () => {
    const first = { ...push(0, head), id: 'push', time: iso(0), bodySha256: 'a'.repeat(64) };
    const again = Array.from({ length: 220 }, (_, nth) => ({ ...first, id: `again-${nth}`, atMs: s(1) + nth }));
    const refuted = at(s(300), 'dev.cdeventsx.tripline-delivery.looked-up', {
      ...{ 'tripline.delivery.id': 'again-0', 'tripline.delivery.proof': 'not-listed' },
    });
    const { findings } = play([first, ...again, run(2, head), refuted]);
    expect(findings.map(({ severity, unproven, response }) => [severity, unproven, response.length])).toEqual([
      ['high', undefined, 1],
    ]);
    expect(findings[0]!.evidence.map(({ eventId }) => eventId)).toContain('push');
  });

  test('is found in any order, and on a release branch of the inventory too', () => {
    expectSameInAnyOrder(story([push(0, head), run(1, head), task(2, head)]), found(head));
    const release = { 'vcs.ref.head.name': 'release/1.2' };
    expectSameInAnyOrder(story([push(0, head, release), run(1, head, release), task(2, head, release)]), found(head));
  });

  test('is quiet by exempt people and refs, and on a branch that nobody protects', () => {
    expect(play([push(0, head), run(1, head)], { exemptActors: ['Ada'] }).all).toEqual([]);
    expect(play([push(0, head), run(1, head)], { exemptRefs: ['ma*'] }).all).toEqual([]);
    const feature = { 'vcs.ref.head.name': 'feature' };
    expectSameInAnyOrder(story([push(0, head, feature), run(1, head, feature), task(2, head, feature)]), []);
  });
});

describe('a reviewed change', () => {
  const squashed = [opened(0), approved(10), merged(20), push(21, merge, webFlow), run(22, merge), task(23, merge)];

  test('is quiet, in any order', () => {
    expectSameInAnyOrder(story(squashed), []);
    expect(play(squashed).all).toEqual([]);
  });

  test.each<[string, Attributes]>([
    ['its author', { 'tripline.review.author': 'ada' }],
    ['a bot', { 'tripline.review.author': 'ok[bot]', 'tripline.review.author_type': 'Bot' }],
    ['a stranger', { 'tripline.user.association': 'CONTRIBUTOR' }],
    ['somebody who saw another commit', { 'tripline.review.revision': carried }],
  ])('does not count when approved by %s', (_, more) => {
    const events = [opened(0), approved(10, more), ...squashed.slice(2)];
    expectSameInAnyOrder(story(events), found(merge));
  });

  test('does not count when its approval was dismissed, or its last pusher approved it', () => {
    const dismissed = approved(15, { 'tripline.review.state': 'dismissed', 'tripline.review.submitted_at': iso(10) });
    expectSameInAnyOrder(story([opened(0), approved(10), dismissed, ...squashed.slice(2)]), found(merge));
    const before = at(s(0), 'dev.cdevents.change.created', {
      ...change,
      'vcs.ref.head.revision': carried,
      'user.name': 'ada',
    });
    const pushed = at(s(5), 'dev.cdevents.change.updated', {
      ...change,
      'vcs.ref.head.revision': head,
      'user.name': 'grace',
      'tripline.change.action': 'synchronize',
    });
    expectSameInAnyOrder(story([before, pushed, approved(10), ...squashed.slice(2)]), found(merge));
  });

  test('stands again when the late review that took it back turns out to be dismissed', () => {
    const dismissed = approved(15, { 'tripline.review.state': 'dismissed', 'tripline.review.submitted_at': iso(10) });
    const [review, dismissal] = [approved(10), dismissed].map((event, place) => ({
      ...event,
      atMs: s(3600 * (place + 1)),
      time: iso(10 + place * 5),
    }));
    const { findings, all } = play([opened(0), ...squashed.slice(2), review!, dismissal!]);
    expect(findings).toHaveLength(1);
    expect(all).toHaveLength(1);
  });

  test('whose review is heard of an hour late is found, then taken back', () => {
    const events = squashed.map((event, place) =>
      place === 1 ? { ...event, atMs: s(3600), time: iso(10), id: 'late' } : event,
    );
    const { findings, withdrawn } = play(events);
    expect(findings).toEqual([]);
    expect(withdrawn).toHaveLength(1);
    expect(withdrawn[0]!.reason).toContain('#12');
  });

  test('that was rebased covers each commit of its push', () => {
    const commit = { author: 'ada', committer: 'ada', message: 'x', ciPaths: [], pathCount: 1 };
    const commits = [
      { ...commit, revision: carried },
      { ...commit, revision: merge },
    ];
    const events = [
      opened(0),
      approved(10),
      merged(20),
      push(21, merge, { 'tripline.push.commits': commits }),
      run(60, carried, { 'tripline.pipeline.trigger': 'workflow_dispatch' }),
    ];
    expectSameInAnyOrder(story(events), []);
  });

  test('in a merge queue is followed by the group', () => {
    const group = at(s(15), 'dev.cdeventsx.tripline-mergegroup.requested', {
      ...of,
      'vcs.ref.head.name': 'gh-readonly-queue/main/pr-12-x',
      'vcs.ref.head.revision': merge,
      'tripline.change.ids': ['12'],
    });
    const queued = run(16, merge, { 'tripline.pipeline.trigger': 'merge_group', 'vcs.ref.head.name': 'queue' });
    const deploys = task(17, merge, { 'vcs.ref.head.name': 'queue', 'deployment.environment.name': 'gate' });
    expect(play([opened(0), approved(10), group, queued, deploys]).findings).toEqual([]);
    expect(play([opened(0), group, queued, deploys]).findings).toHaveLength(1);
  });
});

describe('a commit of which nothing was heard', () => {
  const answer = (seconds: number, more: Attributes) =>
    at(s(seconds), 'dev.cdeventsx.tripline-change.looked-up', {
      ...of,
      'vcs.ref.head.revision': merge,
      'tripline.lookup.id': 'x',
      'tripline.lookup.outcome': 'found',
      ...more,
    });
  const review = {
    id: '90',
    author: 'grace',
    authorType: 'User',
    state: 'APPROVED',
    revision: head,
    association: 'MEMBER',
    submittedAt: iso(-100),
  };
  const answered = (reviews: (typeof review)[]) => ({
    'tripline.lookup.changes': [
      {
        id: '12',
        state: 'merged' as const,
        author: 'ada',
        headRevision: head,
        mergeRevision: merge,
        baseName: 'main',
        reviews,
      },
    ],
  });

  test('is asked about and held for ten seconds', () => {
    const { findings, lookUps } = play([run(1, merge)]);
    expect(lookUps).toMatchObject([{ kind: 'reviews-of-commit', repository, revision: merge }]);
    expect(findings[0]).toMatchObject({ confidence: 'low', detectedAt: iso(11) });
  });

  test('is decided by the answer', () => {
    expectSameInAnyOrder(story([run(1, merge), answer(2, answered([review]))]), []);
    const { findings } = play([run(1, merge), answer(2, answered([]))]);
    expect(findings[0]).toMatchObject({ confidence: 'high', detectedAt: iso(2) });
    const unavailable = answer(2, { 'tripline.lookup.outcome': 'unavailable' });
    expect(play([run(1, merge), unavailable]).findings[0]!.detectedAt).toBe(iso(11));
  });

  test('counts as reviewed on a branch whose past is unknown, and as the head that the first push found', () => {
    const alone = { rules: [rule], untilMs: s(80 * 3600) };
    expectSameInAnyOrder({ ...alone, events: [run(1, day1)] }, []);
    const later = run(30, head, { 'cicd.pipeline.run.id': '800' });
    expectSameInAnyOrder({ ...alone, events: [run(1, day1), push(29, head), later] }, [
      `build-from-unreviewed-commit ${repository}@${head} 800/1`,
    ]);
  });
});

describe('other runs', () => {
  const branch = { 'vcs.ref.head.name': 'x7f3' };
  const secret = { secretWorkflows: ['acme/app/.github/workflows/ci.yml'] };
  const ci = (ciPaths: string[]) => ({
    'tripline.push.commits': [{ revision: head, author: 'eve', committer: 'eve', message: 'x', ciPaths, pathCount: 1 }],
  });

  test('a branch that rewrites the workflow with the secrets is found; one that does not is a branch', () => {
    const rewritten = [push(0, head, { ...branch, ...ci(['.github/workflows/ci.yml']) }), run(1, head, branch)];
    expectSameInAnyOrder(story(rewritten, secret), found(head));
    expectSameInAnyOrder(story([push(0, head, { ...branch, ...ci([]) }), run(1, head, branch)], secret), []);
  });

  test('a deployment from an unreviewed branch is found, unless its environment is open to all', () => {
    const events = [
      push(0, head, branch),
      run(1, head, branch),
      task(2, head, { ...branch, 'deployment.environment.name': 'preview-7' }),
    ];
    expectSameInAnyOrder(story(events), found(head));
    expect(play(events, { exemptEnvironments: ['preview-*'] }).all).toEqual([]);
  });

  test('a tag on an unreviewed commit is found; on a reviewed one it is not', () => {
    const tag = { 'vcs.ref.head.name': 'v1', 'vcs.ref.head.type': 'tag' as const };
    const built = { 'vcs.ref.head.name': 'v1' };
    expectSameInAnyOrder(story([push(0, head, tag), run(1, head, built)]), found(head));
    expectSameInAnyOrder(story([push(0, day1, tag), run(1, day1, built)]), []);
  });

  test('a pull request is quiet, unless it has a runner of the house, an environment or secrets', () => {
    const pr = { 'vcs.ref.head.name': 'main', 'tripline.pipeline.trigger': 'pull_request', 'tripline.head.fork': true };
    expectSameInAnyOrder(story([run(1, head, pr), task(2, head)]), []);
    const selfHosted = task(2, head, { 'tripline.worker.hosted': false, 'cicd.worker.name': 'build-01' });
    expectSameInAnyOrder(story([run(1, head, pr), selfHosted]), found(head));
    expect(play([run(1, head, pr), selfHosted], { pullRequestsMay: ['self-hosted'] }).all).toEqual([]);
  });

  test('more runs of one commit than are remembered are each found', () => {
    const runs = Array.from({ length: 40 }, (_, place) =>
      run(1 + place / 100, merge, { 'cicd.pipeline.run.id': String(place) }),
    );
    expect(play(runs).findings).toHaveLength(40);
  });
});
