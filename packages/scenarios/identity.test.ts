import { defineRule } from '@tripline/contracts/rule';
import { rulesByDefault } from '@tripline/rules/registry';
import { play as playAll, repository, startMs, told, user } from '@tripline/testing/deliveries';
import { at, type LoggedEventInput, type Played, playTimeline } from '@tripline/testing/timeline/play';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

/**
 * Which delivery is it: bodies that say no time, sent once more; and acts that are told twice. GitHub's own bodies, through
 * its source and all rules but the one that says of itself that somebody sends what GitHub did not.
 */
const tellsOfReplays = 'webhook-authenticity-failure';
const rules = rulesByDefault.filter(({ id }) => id !== tellsOfReplays);
const play: typeof playAll = (events, more) => playAll(events, { rules, ...more });
const owner = (s: number, action: 'member_added' | 'member_removed', by: string) =>
  told(s, 'organization', by, { action, membership: { role: 'admin', state: 'active', user: user('sock') } });
const collaborator = (s: number, action: 'added' | 'removed', by: string, who: string) =>
  told(s, 'member', by, {
    ...{ action, member: user(who), repository: repository('infra') },
    ...(action === 'added' ? { changes: { permission: { to: 'admin' } } } : {}),
  });
/** A run of the access broker by `by`, from `s` to `end`, each with ids and times of its own. */
function broker(s: number, end: number, by: string, id: number) {
  const time = (of: number) => new Date(startMs + of * 1000).toISOString();
  const access = repository('access');
  const head = { head_branch: 'main', head_sha: 'a'.repeat(40) };
  const workflow_run = {
    ...{
      id,
      name: 'Grant',
      path: '.github/workflows/grant.yml',
      event: 'workflow_dispatch',
      status: 'queued',
      ...head,
    },
    ...{ conclusion: null, head_repository: access, run_attempt: 1, pull_requests: [], referenced_workflows: [] },
    ...{
      created_at: time(s),
      updated_at: time(s),
      run_started_at: time(s),
      actor: user(by),
      triggering_actor: user(by),
    },
  };
  const workflow_job = (completedAt: string | null) => ({
    ...{ id: id * 10, run_id: id, run_attempt: 1, workflow_name: 'Grant', name: 'grant', ...head, labels: ['ubuntu'] },
    ...{ status: 'in_progress', conclusion: completedAt && 'success', created_at: time(s), started_at: time(s) },
    ...{ completed_at: completedAt, runner_id: 4, runner_name: 'GitHub Actions 4', runner_group_id: 0, steps: [] },
  });
  const workflow = { id: 1, name: 'Grant', path: '.github/workflows/grant.yml' };
  return [
    told(s, 'workflow_run', by, { action: 'requested', workflow, workflow_run, repository: access }),
    told(s, 'workflow_job', by, { action: 'in_progress', workflow_job: workflow_job(null), repository: access }),
    told(end, 'workflow_job', by, { action: 'completed', workflow_job: workflow_job(time(end)), repository: access }),
  ];
}
type Proof = 'listed' | 'not-listed' | 'unavailable';
const answer = (s: number, { id }: { id: string }, proof: Proof) =>
  at(startMs + s * 1000, 'dev.cdeventsx.tripline-delivery.looked-up', {
    ...{ 'tripline.delivery.id': id, 'tripline.delivery.proof': proof },
  });

const brokers = {
  grantingWorkflows: ['acme/access/.github/workflows/grant.yml'],
  grantingActors: ['ada', 'broker', 'eve'].map((login) => `${login}:${user(login).id}`),
};
const withBroker = { 'privilege-grant-outside-job': brokers, 'grant-outlived-job': brokers };
/** Nobody of these grants by a job. */
const byHand = {
  'privilege-grant-outside-job': { ...brokers, grantingActors: ['access-broker[bot]'] },
};
const seen = ({ all, retracted }: Played) =>
  all.map(({ id, rule, severity, unproven }) =>
    [rule, severity, unproven && 'unproven', retracted.some(({ findingId }) => findingId === id) && 'retracted']
      .filter(Boolean)
      .join(' '),
  );

describe('granted, taken back, and granted again with an equal body', () => {
  const [first, removal, again] = [
    owner(0, 'member_added', 'eve'),
    owner(60, 'member_removed', 'secteam'),
    owner(120, 'member_added', 'eve'),
  ];
  const grant = 'privilege-grant-outside-job';

  test('is found at once, marked, and asked about', () => {
    const played = play([first, removal, again], { settings: byHand });
    // What nobody answers is judged after a while, and still sets nothing off.
    expect(seen(played)).toEqual([`${grant} high`, `${grant} high unproven`]);
    expect(played.all[1]!.detectedAt).toBe(new Date(again.atMs).toISOString());
    expect(played.questions).toMatchObject([{ eventId: again.id, event: 'organization', source: '//github.com/acme' }]);
  });
  test.each<[Proof, string, string[]]>([
    ['listed', `${grant} high`, ['proven']],
    ['not-listed', `${grant} low unproven`, ['lowered']],
    ['unavailable', `${grant} high unproven`, []],
  ])('and when its list says %s, is %s', (proof, second, kinds) => {
    const played = play([first, removal, again, answer(180, again, proof)], { settings: byHand });
    expect(seen(played)).toEqual([`${grant} high`, second]);
    const ofSecond = played.changes.filter(({ findingId }) => findingId === played.all[1]!.id);
    expect(ofSecond.map(({ kind }) => kind)).toEqual(kinds);
    if (proof === 'not-listed') {
      expect(played.all[1]!.response).toEqual([]);
      expect(ofSecond[0]!.reason).toContain('does not name');
    }
  });
  test('is proven by an answer that comes after nobody was waited for any longer', () => {
    const played = play([first, removal, again, answer(3600, again, 'listed')], { settings: byHand });
    expect(seen(played)).toEqual([`${grant} high`, `${grant} high`]);
  });
  test('is one event when it is the same delivery', () => {
    const redelivered = { ...again, id: first.id };
    expect(seen(play([first, removal, redelivered], { settings: byHand }))).toEqual([`${grant} high`]);
  });
  test('is one event when it is the same delivery, weeks later too', () => {
    const redelivered = owner(30 * 86_400, 'member_added', 'eve');
    const untilMs = redelivered.atMs + 3_600_000;
    const played = play([first, { ...redelivered, id: first.id }], { untilMs, settings: byHand });
    expect(seen(played)).toEqual([`${grant} high`]);
    expect(played.questions).toEqual([]);
  });
  test('is known as a repeated body after weeks, too', () => {
    const weeks = 30 * 86_400;
    const later = owner(weeks, 'member_added', 'eve');
    const played = play([first, removal, later], { untilMs: later.atMs + 1000, settings: byHand });
    expect(seen(played)).toEqual([`${grant} high`, `${grant} high unproven`]);
    expect(played.questions).toMatchObject([{ eventId: later.id }]);
  });
});

describe('with an access broker', () => {
  test('a second grant outside of any job is found, though its body was received within one', () => {
    const again = collaborator(3600, 'added', 'ada', 'sock');
    const events = [
      ...broker(0, 60, 'ada', 1),
      collaborator(30, 'added', 'ada', 'sock'),
      collaborator(50, 'removed', 'ada', 'sock'),
      again,
    ];
    const played = play([...events, answer(3660, again, 'listed')], { settings: withBroker });
    expect(seen(played)).toEqual(['privilege-grant-outside-job high']);
    expect(seen(play(events, { settings: withBroker }))).toEqual(['privilege-grant-outside-job high unproven']);
    const refuted = play([...events, answer(3660, again, 'not-listed')], { settings: withBroker });
    expect(seen(refuted)).toEqual([]);
    const byAll = playAll([...events, answer(3660, again, 'not-listed')], { settings: withBroker });
    expect(byAll.findings.map(({ rule }) => rule)).toEqual([tellsOfReplays]);
  });

  const second = collaborator(3630, 'added', 'broker', 'bob');
  const twice = [
    ...broker(0, 60, 'broker', 1),
    collaborator(30, 'added', 'broker', 'bob'),
    collaborator(50, 'removed', 'broker', 'bob'),
    ...broker(3600, 3660, 'broker', 2),
    second,
    answer(3640, second, 'listed'),
  ];
  test('granting somebody twice in 72 hours and never taking it back is found for the second', () => {
    const played = play(twice, { settings: withBroker });
    expect(seen(played)).toEqual(['grant-outlived-job high']);
    expect(played.all[0]!.evidence.map(({ eventId }) => eventId)).toContain(second.id);
  });
  const replayed = collaborator(3650, 'removed', 'broker', 'bob');
  test.each<[Proof | 'nothing', string]>([
    ['nothing', 'grant-outlived-job low'],
    ['listed', 'grant-outlived-job high retracted'],
    ['not-listed', 'grant-outlived-job high'],
    ['unavailable', 'grant-outlived-job low'],
  ])('a removal with a body of before excuses nothing: its list says %s, and the finding is %s', (proof, wanted) => {
    const answers = proof === 'nothing' ? [] : [answer(3900, replayed, proof)];
    const played = play([...twice, replayed, ...answers], { settings: withBroker });
    expect(seen(played)).toEqual([wanted]);
    if (wanted.endsWith('low')) expect(played.all[0]!.response).toEqual([]);
  });
  test.each<[string, LoggedEventInput[], string]>([
    [
      'is refuted after it was judged for want of an answer',
      [answer(6000, replayed, 'not-listed')],
      'grant-outlived-job high',
    ],
    [
      'cannot be asked about, and is refuted the day after',
      [answer(3900, replayed, 'unavailable'), answer(86_400, replayed, 'not-listed')],
      'grant-outlived-job high',
    ],
    ['is vouched for after it was judged so', [answer(6000, replayed, 'listed')], 'grant-outlived-job low retracted'],
  ])('what such a removal lowered is told anew, or taken back, once it %s', (_, answers, wanted) => {
    const untilMs = startMs + 90_000_000;
    const played = play([...twice, replayed, ...answers], { settings: withBroker, untilMs });
    expect(seen(played)).toEqual([wanted]);
    const kinds = played.changes
      .map(({ kind, raised }) => (raised ? 'raised' : kind))
      .filter((kind) => kind !== 'proven');
    expect(kinds).toEqual(wanted.endsWith('high') ? ['lowered', 'raised'] : ['lowered']);
    if (wanted.endsWith('high')) expect(played.all[0]!.response).toHaveLength(1);
  });
  const inLongJob = (removed: ReturnType<typeof collaborator>, ...answers: LoggedEventInput[]) => {
    const [run, started, finished] = broker(0, 3000, 'eve', 3) as [
      LoggedEventInput,
      LoggedEventInput,
      LoggedEventInput,
    ];
    const former = collaborator(-7200, 'removed', 'eve', 'bob');
    const events = [former, run, started, collaborator(60, 'added', 'eve', 'bob'), removed, ...answers, finished];
    return seen(play(events, { settings: withBroker }));
  };
  const old = collaborator(120, 'removed', 'eve', 'bob');
  test.each<[string, LoggedEventInput[], string[]]>([
    ['is never answered for', [], ['grant-outlived-job low']],
    ['cannot be asked about', [answer(300, old, 'unavailable')], ['grant-outlived-job low']],
    ['is refuted in time', [answer(300, old, 'not-listed')], ['grant-outlived-job high']],
    ['is refuted late', [answer(1500, old, 'not-listed')], ['grant-outlived-job high']],
    ['is vouched for late', [answer(1500, old, 'listed')], []],
  ])('a removal sent again long before the job ends excuses nothing while it %s', (_, answers, wanted) => {
    expect(inLongJob(old, ...answers)).toEqual(wanted);
  });
  test('a flood of removals sent again neither excuses a grant nor makes it unproven', () => {
    const flood = Array.from({ length: 1300 }, (_, nth) => collaborator(70 + nth / 100, 'removed', 'eve', 'bob'));
    const [first] = flood;
    const events = [collaborator(-7200, 'removed', 'eve', 'bob'), collaborator(60, 'added', 'eve', 'bob'), ...flood];
    const timeline = { rules, events: [...events, answer(600, first!, 'not-listed')], settings: withBroker };
    const played = playTimeline({ ...timeline, untilMs: startMs + 7_200_000 });
    expect(seen(played)).toEqual(['state-flooded low unproven', 'privilege-grant-outside-job high']);
    expect(played.all[1]!.response).toHaveLength(1);
  });
  test('a job’s beginning sent again does not make unproven what rests on the job', () => {
    const again = Array.from({ length: 202 }, (_, nth) => ({
      ...broker(0, 3000, 'eve', 4)[1]!,
      atMs: startMs + 100_000 + nth,
    }));
    const [run, started, finished] = broker(0, 3000, 'eve', 4);
    const events = [run!, started!, collaborator(60, 'added', 'eve', 'bob'), ...again];
    const timeline = {
      rules,
      events: [...events, answer(600, again[0]!, 'not-listed'), finished!],
      settings: withBroker,
    };
    const played = playTimeline({ ...timeline, untilMs: startMs + 7_200_000 });
    expect(seen(played)).toEqual(['grant-outlived-job high']);
    expect(played.all[0]!.response).toHaveLength(1);
  });
  test('a removal that is vouched for in time leaves nothing to find', () => {
    expect(seen(play([...twice, replayed, answer(3700, replayed, 'listed')], { settings: withBroker }))).toEqual([]);
  });
  test('what was lowered stays low while nothing better is received', () => {
    const unrelated = collaborator(5000, 'added', 'eve', 'mallory');
    const events = [...twice, replayed, answer(3900, replayed, 'unavailable'), unrelated];
    const played = play(events, { settings: withBroker });
    expect(seen(played)).toEqual(['grant-outlived-job low', 'privilege-grant-outside-job high']);
  });
});

describe('one act told by two webhooks', () => {
  const body = { team: { id: 9, name: 'contractors', slug: 'contractors', permission: 'admin' } };
  const team = (s: number) =>
    told(s, 'team', 'eve', { action: 'added_to_repository', ...body, repository: repository('infra') });
  const teamAdd = (s: number) => told(s, 'team_add', 'eve', { ...body, repository: repository('infra') });

  test.each([
    ['team first', [team(0), teamAdd(1)]],
    ['team_add first', [teamAdd(0), team(1)]],
    ['on both sides of a minute’s border', [team(59), teamAdd(61)]],
  ])('is one finding with both deliveries as evidence, %s', (_, both) => {
    const played = play(both, { settings: byHand });
    expect(seen(played)).toEqual(['privilege-grant-outside-job high']);
    expect(played.findings[0]!.evidence.map(({ eventId }) => eventId)).toEqual(both.map(({ id }) => id));
  });
  test('is the same finding whichever is received first, also when it is found by a timer', () => {
    const [one, other] = [
      play([team(0), teamAdd(1)], { settings: byHand }),
      play([teamAdd(0), team(1)], { settings: byHand }),
    ];
    expect(one.findings.map(({ id }) => id)).toEqual(other.findings.map(({ id }) => id));
    const held = play([team(0), teamAdd(1)], { settings: withBroker });
    expect(held.findings.map(({ evidence }) => evidence.length)).toEqual([2]);
    expect(held.findings[0]!.id).toBe(one.findings[0]!.id);
  });
  test('the nth telling by one is the nth act, and the other’s nth its twin', () => {
    const events = [team(0), team(5), teamAdd(6), teamAdd(7)];
    const proofs = [answer(30, events[1]!, 'listed'), answer(31, events[3]!, 'listed')];
    const played = play([...events, ...proofs], { settings: byHand });
    expect(seen(played)).toEqual(Array(2).fill('privilege-grant-outside-job high'));
    const told = played.findings.map(({ evidence }) => evidence.map(({ eventId }) => eventId));
    expect(told).toEqual([
      [events[0]!.id, events[2]!.id],
      [events[1]!.id, events[3]!.id],
    ]);
  });
  test('any number of tellings, in any order within a minute, are as many acts as the one who told most', () => {
    const tellers = fc.array(fc.constantFrom('team', 'team_add'), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(tellers, (order) => {
        const events = order.map((teller, s) => (teller === 'team' ? team(s) : teamAdd(s)));
        const answers = events.map((event, nth) => answer(20 + nth, event, 'listed'));
        const { findings } = playTimeline({
          ...{ rules, events: [...events, ...answers], untilMs: startMs + 3_600_000, settings: byHand },
        });
        const count = (of: string) => order.filter((teller) => teller === of).length;
        expect(findings).toHaveLength(Math.max(count('team'), count('team_add')));
        expect(findings.flatMap(({ evidence }) => evidence)).toHaveLength(order.length);
      }),
      { numRuns: 40 },
    );
  });
});

test('a tag that is pushed, deleted, pushed and deleted within seconds is four events', () => {
  const sha = 'b'.repeat(40);
  const zero = '0'.repeat(40);
  const push = (s: number, before: string, after: string) =>
    told(s, 'push', 'ada', {
      ...{ ref: 'refs/tags/v1', before, after, created: before === zero, deleted: after === zero, forced: false },
      ...{ base_ref: null, compare: '', commits: [], head_commit: null, pusher: { name: 'ada' } },
      repository: { ...repository('app'), pushed_at: startMs / 1000 },
    });
  const each = defineRule<unknown, unknown>({
    ...{ id: 'each-push', title: 'A push', description: 'For tests.', severity: 'low', confidence: 'high' },
    ...{ principles: [5], attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: [], learns: false },
    reads: ['dev.cdeventsx.tripline-ref.pushed'],
    settings: z.object({}),
    state: z.unknown(),
    keys: () => ['nothing'],
    judge: (event, context) =>
      context.find({
        ...{ subject: event.id, title: 'A push', summary: '', confidence: 'high' },
        ...{ evidence: [], entities: [], response: [], remedy: [] },
      }),
  });
  const events = [push(0, zero, sha), push(2, sha, zero), push(4, zero, sha), push(6, sha, zero)];
  const played = play(events, { rules: [each] });
  expect(played.all.map(({ subject }) => subject)).toEqual(events.map(({ id }) => id));
});
