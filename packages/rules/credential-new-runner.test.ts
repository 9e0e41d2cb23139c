import type { Attributes } from '@tripline/contracts/attributes';
import { type AnyRule, defineRule } from '@tripline/contracts/rule';
import { expectSameInAnyOrder } from '@tripline/testing/timeline/any-order';
import { eventsOf, expectTimeline, type TimelineOptions } from '@tripline/testing/timeline/in-words';
import { at, type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { createStage } from '@tripline/testing/timeline/stage';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { rule } from './credential-new-runner.ts';

const stage = createStage();
const startMs = Date.parse('2026-03-11T09:00:00Z');
const s = (seconds: number) => startMs + seconds * 1000;
const day = 86_400;
const id = (name: string) => String(stage.id('runner', name));
const key = (name: string) => `github:github.com:runner:${id(name)}:${name}`;
const ownerId = '77';

const inventory = (seconds: number, data: Attributes) =>
  at(
    s(seconds),
    'dev.cdeventsx.tripline-inventory.observed',
    { 'tripline.inventory.part': 1, 'tripline.inventory.parts': 1, ...data },
    { id: `inventory-${seconds}` },
  );
const listed = (name: string, more: object = { groupId: '1' }) => ({
  id: id(name),
  name,
  labels: [],
  ownerId,
  ...more,
});
const dayOne = inventory(-3600, {
  'tripline.inventory.runners': [listed('build-1')],
  'tripline.inventory.credential_uses': [
    { credential: 'workflow:acme/app/.github/workflows/deploy.yml', runner: `self-hosted:${id('build-1')}:build-1` },
  ],
});
const told = (text: string, options: TimelineOptions = {}) =>
  expectTimeline(rule, text, { before: [dayOne], thenMs: 3_600_000, ...options });
const FOUND = (name: string) => `← FOUND ${key(name)}`;

test('names of any length and form are told, and lose nothing', () => {
  const job = (name: string, environment: string) => ({
    ...{ 'vcs.repository.name': 'acme/app', 'vcs.owner.name': 'acme', 'cicd.pipeline.run.id': '99999999999999999999' },
    ...{ 'cicd.pipeline.task.run.id': '71', 'deployment.environment.name': environment, 'cicd.worker.id': '66' },
    ...{ 'cicd.worker.name': name, 'tripline.worker.hosted': false },
  });
  for (const [name, environment] of [
    ['evil', `${'x'.repeat(199)}😀`],
    ['evil', 'p'.repeat(4000)],
    ['😀'.repeat(150), 'production'],
    [`x${'😀'.repeat(100)}`, 'production'],
    [`${'x'.repeat(127)}😀`, 'production'],
    ['', 'production'],
    ['b\nc:d', 'production'],
  ] as const) {
    const { findings, poison } = playTimeline({
      rules: [rule],
      events: [dayOne, at(s(1), 'dev.cdevents.taskrun.started', job(name, environment))],
      untilMs: s(10),
    });
    expect(poison).toEqual([]);
    expect(findings, name).toMatchObject([{ severity: 'critical', occasion: 'new' }]);
    expect(findings[0]!.summary).not.toContain('Left out');
    expect(findings[0]!.response.map(({ action }) => action)).toEqual(['stop-run', 'isolate-runner']);
  }
});

describe('with webhooks only', () => {
  test('a deployment on an unknown runner stops the run, then isolates the runner', () => {
    const { findings } = told(`
      09:00  ada  starts run 7 of deploy in acme/app at main1
      09:01  ada  starts job deploy of run 7 (on x7; to production)   ${FOUND('x7')} [critical/medium]
      09:09  ada  finishes job deploy of run 7 (to production)
    `);
    const app = { repository: 'acme/app', repositoryId: String(stage.id('repository', 'acme/app')) };
    const place = { provider: 'github', instance: 'github.com' };
    expect(findings[0]).toMatchObject({ decidingEvent: 'line-3', occasion: 'new' });
    expect(findings[0]!.response).toEqual([
      { action: 'stop-run', ...place, ...app, runId: '7' },
      {
        ...{ action: 'isolate-runner', ...place, organization: 'acme', organizationId: ownerId },
        ...{ runnerId: id('x7'), runnerName: 'x7' },
      },
    ]);
    expect(findings[0]!.entities).toContainEqual({ kind: 'runner', id: key('x7') });
  });

  test('a workflow known to use secrets is enough, at low confidence', () => {
    told(`
      09:00  ada  starts run 7 of deploy in acme/app at main1
      09:01  ada  starts job build of run 7 (on x7)   ${FOUND('x7')} [critical/low]
    `);
    const text = (mark: string) => `
      09:00  ada  starts run 7 of release in acme/app at main1
      09:01  ada  starts job build of run 7 (on x7)   ${mark}`;
    told(text(''));
    const secretWorkflows = ['acme/app/.github/workflows/release.yml'];
    told(text(FOUND('x7')), { settings: { [rule.id]: { secretWorkflows } } });
  });

  test('a workflow that is known to use secrets is known after its repository was renamed, by its name or its id', () => {
    const text = (mark: string) => `
      08:59  ada  pushes main1 to acme/app main
      09:00  ada  renames repository acme/app to acme/web
      09:10  ada  starts run 7 of release in acme/web at main1
      09:11  ada  starts job build of run 7 (on x7)   ${mark}`;
    const id = eventsOf(text(''))[0]!.data['vcs.repository.id'];
    const files = ['Acme/App/.github/workflows/release.yml', `acme/app:${id}/.github/workflows/release.yml@main`];
    for (const file of files)
      told(text(FOUND('x7')), { settings: { [rule.id]: { secretWorkflows: [file] } }, anyOrder: false });
    const others = ['acme/app:1/.github/workflows/release.yml', 'acme/app/.github/workflows/Release.yml'];
    told(text(''), { settings: { [rule.id]: { secretWorkflows: others } } });
    expect(() => told(text(''), { settings: { [rule.id]: { secretWorkflows: ['release.yml'] } } })).toThrow(
      /owner\/name/,
    );
  });

  test('a known runner, a hosted one, and a job without credentials are quiet', () => {
    told(`
      09:00  ada  starts run 7 of deploy in acme/app at main1
      09:01  ada  starts job deploy of run 7 (on build-1; to production)
      09:05  ada  starts run 8 of deploy in acme/app at main1
      09:06  ada  starts job deploy of run 8 (to production)
      09:07  ada  starts run 9 of ci in acme/app at main1
      09:08  ada  starts job build of run 9 (on x7)
    `);
  });

  test('a runner of the same name and another number is another, as is one of the same number and another name', () => {
    const job = (runner: object) => ({
      ...{ 'vcs.repository.name': 'acme/app', 'vcs.owner.name': 'acme', 'cicd.pipeline.run.id': '7' },
      ...{ 'cicd.pipeline.task.run.id': '71', 'deployment.environment.name': 'production' },
      ...{ 'tripline.worker.hosted': false, ...runner },
    });
    for (const [worker, count] of [
      [{ 'cicd.worker.id': id('build-1'), 'cicd.worker.name': 'build-1' }, 0],
      [{ 'cicd.worker.id': '66', 'cicd.worker.name': 'build-1' }, 1],
      [{ 'cicd.worker.id': id('build-1'), 'cicd.worker.name': 'evil' }, 1],
    ] as const) {
      const events = [dayOne, at(s(1), 'dev.cdevents.taskrun.started', job(worker) as never)];
      expect(playTimeline({ rules: [rule], events, untilMs: s(10) }).findings).toHaveLength(count);
    }
  });
});

describe('K7: an honest new runner after learning', () => {
  const month = Array.from({ length: 30 }, (_, index) => {
    const [day, run] = [30 + index, 100 + index];
    return `
      day ${day}  09:00  ada  starts run ${run} of deploy in acme/app at main1
      day ${day}  09:01  ada  starts job deploy of run ${run} (on build-2; to production)  ${index === 0 ? FOUND('build-2') : ''}
      day ${day}  09:09  ada  finishes job deploy of run ${run} (to production)`;
  }).join('');

  test('is one finding, not one a job for ever', () => {
    const { all } = told(month, { anyOrder: false });
    expect(all).toHaveLength(1);
  });

  const work = (day: number, run: number, mark = '', more = 'to production') => `
      day ${day}  09:00  ada  starts run ${run} of deploy in acme/app at main1
      day ${day}  09:01  ada  starts job deploy of run ${run} (on build-2; ${more})  ${mark}`;

  test('accepting it teaches it: what stood stands, and nothing more is found', () => {
    const { findings } = told(
      `${work(1, 7, FOUND('build-2'))}
      day 1  10:00  grace  accepts runner build-2
      ${work(2, 8)}
      ${work(3, 9, '', 'to staging')}`,
    );
    expect(findings[0]!.evidence.map(({ eventId }) => eventId)).not.toContain('line-7');
  });

  test('whoever resolves it as false, or of whom it is not known who they are, teaches nothing', () => {
    for (const how of ['as false', 'as true', 'unlinked']) {
      const played = playTimeline({
        rules: [rule],
        events: [
          dayOne,
          ...eventsOf(`
            day 1  10:00  grace  accepts runner build-2 (${how})
            ${work(2, 8)}`),
        ],
        untilMs: s(10 * day),
      });
      expect(played.findings, how).toHaveLength(1);
    }
  });

  test('an inventory before its first job makes it known; one after it explains nothing that stands', () => {
    const imported = (seconds: number) => inventory(seconds, { 'tripline.inventory.runners': [listed('build-2')] });
    told(work(1, 7), { before: [dayOne, imported(-60)] });
    const { findings } = playTimeline({
      rules: [rule],
      events: [
        dayOne,
        ...eventsOf(work(1, 7)),
        imported(600),
        ...eventsOf(work(2, 8)).map((e) => ({ ...e, id: `${e.id}b` })),
      ],
      untilMs: s(3 * day),
    });
    expect(findings.map(({ subject }) => subject)).toEqual([key('build-2')]);
  });

  test('what day one knew was so before, whenever it is received', () => {
    expectSameInAnyOrder(
      {
        rules: [rule],
        before: [dayOne],
        events: eventsOf(`
        08:00  ada  starts run 7 of deploy in acme/app at main1 (heard 09:00)
        08:01  ada  starts job deploy of run 7 (on build-1; to production; heard 09:01)
        `),
        untilMs: s(7200),
      },
      [],
    );
  });
});

describe('K7: pools of runners that take one job each', () => {
  const name = (n: number) =>
    `arc-prod-${'bcdfg'[n % 5]}${'xz245'[Math.floor(n / 5) % 5]}7k2-runner-${'hjkmn'[n % 5]}9b8c`;
  const jobs = (days: readonly number[], from = 0, marks: readonly string[] = []) =>
    days
      .map(
        (day, index) => `
      day ${day}  09:0${index % 10}  ada  starts run ${from + index} of deploy in acme/app at main1
      day ${day}  10:0${index % 10}  ada  starts job deploy of run ${from + index} (on ${name(from + index)}; to production; labels arc-prod)  ${marks[index] ?? ''}`,
      )
      .join('');
  const pool = 'github:github.com:runner-class:77/1/arc-prod/arc-prod-';

  test('a pool that was at work while the workspace was learned is known, and each new runner of it', () => {
    told(jobs([1, 2, 3, 20, 21, 22]), { before: [], learningDays: 14, anyOrder: false });
  });

  test('one that is new is found three times at most, and accepting it teaches the pool', () => {
    const marks = [0, 1].map((n) => FOUND(name(n)));
    const { all } = told(jobs([1, 1, 1, 2, 3], 0, [...marks, `← FOUND ${pool}`]), { anyOrder: false });
    expect(all.filter(({ subject }) => subject === pool)).toHaveLength(1);
    expect(all).toHaveLength(3);

    const act = at(s(day), 'dev.cdeventsx.tripline-act.performed', {
      ...{
        'tripline.act.kind': 'incident-resolved',
        'tripline.act.target': 'INC-1',
        'tripline.act.resolution': 'accepted',
      },
      ...{ 'tripline.act.proof': 'os-user', 'tripline.act.entities': [{ kind: 'runner', id: pool }] },
    });
    const later = eventsOf(jobs([9, 9, 14, 14], 5)).map((event) => ({ ...event, id: `later-${event.id}` }));
    const played = playTimeline({
      rules: [rule],
      events: [dayOne, ...eventsOf(jobs([1, 1, 1])), { ...act, id: 'act' }, ...later],
      untilMs: s(20 * day),
    });
    expect(played.all).toHaveLength(3);
    // One that takes a second job is no runner of a pool.
    const again = eventsOf(`
      day 18  19:00  ada  starts run 90 of deploy in acme/app at main1
      day 18  19:01  ada  starts job deploy of run 90 (on ${name(6)}; to production; labels arc-prod)`);
    const third = playTimeline({
      rules: [rule],
      events: [
        dayOne,
        ...eventsOf(jobs([1, 1, 1])),
        { ...act, id: 'act' },
        ...later,
        ...again.map((e) => ({ ...e, id: `again-${e.id}` })),
      ],
      untilMs: s(20 * day),
    });
    expect(third.all.map(({ subject }) => subject)).toContain(key(name(6)));
  });

  test('one that is configured is known from the beginning, by its group and how its names begin', () => {
    const settings = (groupId: string) => ({
      settings: { [rule.id]: { pools: [{ groupId, namePrefix: 'arc-prod-' }] } },
    });
    told(jobs([1, 1, 2]), { ...settings('1'), anyOrder: false });
    told(jobs([1], 0, [FOUND(name(0))]), { ...settings('5'), anyOrder: false });
  });

  test('machines that stay are no pool: accepting three of them makes no fourth known', () => {
    const pets = (day: number, n: number) => `
      day ${day}  09:0${n}  ada  starts run ${day * 10 + n} of deploy in acme/app at main1
      day ${day}  10:0${n}  ada  starts job deploy of run ${day * 10 + n} (on build-${n}; to production)`;
    const text = `
      ${[2, 3, 4].map((n) => pets(1, n)).join('')}
      ${[2, 3, 4].map((n) => pets(2, n)).join('')}
      ${[2, 3, 4].map((n) => `day 3  09:0${n}  grace  accepts runner build-${n}`).join('\n')}
      ${pets(4, 5)}`;
    const { findings } = playTimeline({ rules: [rule], events: [dayOne, ...eventsOf(text)], untilMs: s(10 * day) });
    expect(findings.map(({ subject }) => subject)).toEqual([2, 3, 4, 5].map((n) => key(`build-${n}`)));
  });
});

describe('a pool that is built anew: the same group, labels and names, and numbers that nobody knows', () => {
  const group = (id: string, isDefault: boolean) => ({
    ...{ id, name: 'deploy', ownerId, hosted: [], selfHosted: 3, isDefault },
  });
  const before = (id = '9', isDefault = false) => [
    inventory(-3600, {
      'tripline.inventory.runners': [1, 2, 3].map((n) => listed(`deploy-${n}`, { groupId: id })),
      'tripline.inventory.runner_groups': [group(id, isDefault)],
    }),
  ];
  const pool = (id = '9') => `github:github.com:runner-class:77/${id}/deploy/deploy-`;
  const job = (day: number, run: number, runner: string, mark = '', group = '; group id 9; labels deploy') => `
      day ${day}  09:00  ada  starts run ${run} of deploy in acme/app at main1
      day ${day}  09:01  ada  starts job deploy of run ${run} (on ${runner}; to production${group})  ${mark}`;
  const known = `${job(1, 1, 'deploy-1')}${job(1, 2, 'deploy-2').replaceAll('09:0', '10:0')}`;

  test('informs once a pool and month, and whoever accepts it hears no more', () => {
    const text = `${known}${job(2, 3, 'deploy-7', `← FOUND ${pool()} [low/medium]`)}${job(3, 4, 'deploy-8')}${job(4, 5, 'deploy-9')}`;
    const { findings } = told(text, { before: before(), anyOrder: false });
    expect(findings[0]!.title).toBe(
      'New pool of runners such as deploy-7 was given the secrets of environment production of acme/app',
    );
    expect(findings[0]!.response).toEqual([]);
    told(text, { before: before() });
    const act = at(s(2 * day), 'dev.cdeventsx.tripline-act.performed', {
      ...{ 'tripline.act.kind': 'incident-resolved', 'tripline.act.target': 'INC-1' },
      ...{ 'tripline.act.resolution': 'accepted', 'tripline.act.proof': 'os-user' },
      'tripline.act.entities': findings[0]!.entities.filter(({ kind }) => kind === 'runner') as never,
    });
    const later = eventsOf(job(40, 6, 'deploy-10')).map((event) => ({ ...event, id: `later-${event.id}` }));
    const events = [...before(), ...eventsOf(`${known}${job(2, 3, 'deploy-7')}`), { ...act, id: 'act' }, ...later];
    expect(playTimeline({ rules: [rule], events, untilMs: s(60 * day) }).all).toHaveLength(1);
  });

  test('is no excuse for a machine that a repository’s administrator may have put there, whatever it is called', () => {
    const rogue = (mark: string, more: string) => `${known}${job(2, 3, 'deploy-7', mark, more)}`;
    const critical = (of: string) => `← FOUND ${of} [critical/medium]`;
    // A repository’s own runner is told of as in the default group; one in another group than the pool is in none that is known.
    told(
      `${job(1, 1, 'deploy-1', '', '; labels deploy')}${job(2, 3, 'deploy-7', critical(key('deploy-7')), '; labels deploy')}`,
      {
        before: before('1', true),
      },
    );
    told(rogue(critical(key('deploy-7')), '; group id 12; labels deploy'), { before: before() });
    told(rogue(critical(key('deploy-7')), '; labels deploy'), { before: before() });
    // Nor for another kind of machine in the group, by its labels or its name.
    told(rogue(critical(key('deploy-7')), '; group id 9; labels other'), { before: before() });
    told(`${known}${job(2, 3, 'evil-7', critical(key('evil-7')))}`, { before: before() });
  });

  test('is no excuse where somebody registered it who is not known to register there', () => {
    const by = (who: string, mark: string, where = 'acme') => `
      day 1  08:00  ada  registers runner deploy-1 in ${where}
      ${known}
      day 20  08:00  ${who}  registers runner deploy-7 in acme
      ${job(20, 3, 'deploy-7', mark)}`;
    // The inventory knows the machines; who registers them is learned for as long as anything is.
    const learned = { before: before(), learningDays: 14, anyOrder: false };
    // As the third of a pool of which each has taken one job.
    const critical = `← FOUND ${pool()} [critical/medium]`;
    told(by('ada', `← FOUND ${pool()} [low/medium]`), learned);
    told(by('mallory', critical), learned);
    // Whoever registered a repository's runner while the workspace was learned is none who registers the organisation's.
    told(by('ada', critical, 'acme/app'), learned);
    const settings = { [rule.id]: { registrars: ['runner-controller[bot]'] } };
    told(`${known}${job(2, 3, 'deploy-7', critical)}`, { before: before(), settings });
  });
});

describe('K7: where a runner is registered', () => {
  const deploy = (repository: string, runner: string, more = '') => `
      09:00  ada  starts run 7 of deploy in ${repository} at main1
      09:01  ada  starts job deploy of run 7 (on ${runner}; to production${more})`;
  const repositoryOf = (name: string) => ({ repository: name, repositoryId: String(stage.id('repository', name)) });
  const before = [inventory(-3600, { 'tripline.inventory.runners': [listed('dev-1', repositoryOf('acme/dev'))] })];

  test('a runner of one repository is not to have production of another', () => {
    told(deploy('acme/dev', 'dev-1'), { before });
    const { findings } = told(`${deploy('acme/app', 'dev-1', '; group prod; group id 9')}  ${FOUND('dev-1')}`, {
      before,
    });
    expect(findings[0]!.summary).toContain('a runner of acme/dev alone');
    expect(findings[0]!.response).toContainEqual(
      expect.objectContaining({ action: 'isolate-runner', repository: 'acme/dev' }),
    );
  });

  test('a repository is known by its number, whatever it is called', () => {
    const events = eventsOf(deploy('acme/dev', 'dev-1')).map((event) => ({
      ...event,
      data: { ...event.data, 'vcs.repository.name': 'acme/renamed' },
    })) as LoggedEventInput[];
    expectSameInAnyOrder({ rules: [rule], before, events, untilMs: s(7200) }, []);
  });

  test('an organisation’s number of a runner says nothing of another organisation’s', () => {
    told(`${deploy('acme/app', 'build-1')}  ${FOUND('build-1')}`, {
      before: [inventory(-3600, { 'tripline.inventory.runners': [{ ...listed('build-1'), ownerId: '5' }] })],
    });
  });

  test('a known runner in another group than the inventory says is found', () => {
    told(deploy('acme/app', 'build-1', '; group id 1'));
    told(`${deploy('acme/app', 'build-1', '; group id 7')}  ${FOUND('build-1')}`);
  });

  test('one of yours in a group called like GitHub’s own is found', () => {
    for (const group of ['"GitHub Actions"', '"Default Larger Runners"']) {
      const called = group.slice(1, -1);
      told(`${deploy('acme/app', 'evil', `; group ${called}; group id 42; labels ubuntu-latest`)}  ${FOUND('evil')}`);
    }
  });

  test('a larger hosted runner in a group of yours is GitHub’s, each time a new one; not where somebody registered it', () => {
    const groups = (selfHosted: number) =>
      inventory(-3600, {
        'tripline.inventory.runner_groups': [
          { id: '7', name: 'prod-large', ownerId, hosted: ['prod-large'], selfHosted },
        ],
      });
    const more = '; group prod-large; group id 7; labels prod-large';
    told(deploy('acme/app', 'prod-large_ab12', more), { before: [groups(0)] });
    told(`${deploy('acme/app', 'prod-large_ab12', more)}  ${FOUND('prod-large_ab12')}`, { before: [groups(1)] });
    told(
      `08:00  mallory  registers runner prod-large_ab12 in acme
      ${deploy('acme/app', 'prod-large_ab12', more)}  ${FOUND('prod-large_ab12')}`,
      { before: [groups(0)] },
    );
    // Whoever learns of the group only then takes back what was said.
    const late = playTimeline({
      rules: [rule],
      events: [
        dayOne,
        ...eventsOf(deploy('acme/app', 'prod-large_ab12', more)),
        { ...groups(0), id: 'later', atMs: s(600), time: new Date(s(600)).toISOString() },
      ],
      untilMs: s(7200),
    });
    expect(late.findings).toEqual([]);
    expect(late.retracted).toHaveLength(1);
  });
});

describe('K7: who registered a runner, where a feed tells', () => {
  const job = (runner: string, mark = '') => `
      09:00  ada  starts run 7 of deploy in acme/app at main1
      09:01  ada  starts job deploy of run 7 (on ${runner}; to production)  ${mark}`;
  const settings = { [rule.id]: { registrars: ['runner-controller[bot]'] } };
  const on = (time: string, who: string, runner: string) => `${time}  ${who}  registers runner ${runner} in acme`;

  test('a runner is known once a registrar registered it a day ago, in any order', () => {
    const before = [{ ...dayOne, atMs: s(-3 * day) }];
    const text = (who: string, mark = '') => `
      day 1  08:00  ${who}  registers runner x7 in acme
      day 3  09:00  ada  starts run 7 of deploy in acme/app at main1
      day 3  09:01  ada  starts job deploy of run 7 (on x7; to production)  ${mark}`;
    told(text('runner-controller[bot]'), { before, settings, anyOrder: false });
    told(text('mallory', FOUND('x7')), { before, settings, anyOrder: false });
    told(`${on('08:00', 'runner-controller[bot]', 'x7')}\n${job('x7', FOUND('x7'))}`, { before, settings });
  });

  test('without registrars age alone makes nothing known', () => {
    told(`${on('07:00', 'mallory', 'x7')}\n${job('x7', FOUND('x7'))}`, { settings: { [rule.id]: { youngMs: 0 } } });
  });

  test('a known runner that somebody registered anew is found again, even when it had been accepted', () => {
    told(`${on('08:50', 'mallory', 'build-1')}\n${job('build-1', FOUND('build-1'))}`, { settings });
    const played = playTimeline({
      rules: [rule],
      events: [
        dayOne,
        ...eventsOf(`
        day 1  09:01  ada  starts run 7 of deploy in acme/app at main1
        day 1  09:02  ada  starts job deploy of run 7 (on x7; to production)
        day 1  10:00  grace  accepts runner x7
        day 2  10:00  mallory  registers runner x7 in acme
        day 2  11:00  ada  starts run 8 of deploy in acme/app at main1
        day 2  11:01  ada  starts job deploy of run 8 (on x7; to production)`),
      ],
      untilMs: s(2 * day),
      settings,
    });
    expect(played.findings.map(({ occasion }) => occasion)).toEqual(['new', 'registered line-5']);
  });
});

describe('learning', () => {
  const job = (day: number, run: number, runner: string, more = '; to production', mark = '') => `
      day ${day}  09:00  ada  starts run ${run} of deploy in acme/app at main1
      day ${day}  09:01  ada  starts job deploy of run ${run} (on ${runner}${more})  ${mark}
      day ${day}  09:09  ada  finishes job deploy of run ${run} (to production)`;
  const learn = { before: [], learningDays: 14, anyOrder: false };

  test('what was at work while learning is usual afterwards, and nothing is found meanwhile', () => {
    told(`${job(1, 7, 'x7')}${job(20, 8, 'x7')}${job(21, 9, 'x8', '; to production', FOUND('x8'))}`, learn);
  });

  test('a job of another branch without credentials makes nothing usual', () => {
    told(
      `day 1   09:00  ada      starts run 6 of deploy in acme/app at main1
       day 13  09:00  mallory  starts run 8 of ci in acme/app at evil (trigger pull_request; on x)
       day 13  09:01  mallory  starts job build of run 8 (on evil)
       ${job(15, 9, 'evil', '; to production', FOUND('evil'))}`,
      learn,
    );
  });

  test('what is not used for 135 days is new again', () => {
    told(`${job(1, 7, 'x7')}${job(150, 8, 'x7', '; to production', FOUND('x7'))}`, learn);
  });

  test('nothing is learned from a run in which something else stands found, however long ago', () => {
    const other = defineRule<unknown, unknown>({
      ...{ id: 'finds-run-7', title: 'Finds run 7', description: 'For a test.', severity: 'high', confidence: 'high' },
      ...{ principles: [1], attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: [], learns: false },
      reads: ['dev.cdevents.taskrun.started'],
      settings: z.unknown(),
      judge(event, context) {
        if (event.data['cicd.pipeline.run.id'] !== '7') return;
        const { id: eventId, type: eventType, time } = event;
        context.find({
          ...{ subject: 'run 7', title: 'Run 7', summary: 'Run 7 ran.', confidence: 'high', response: [], remedy: [] },
          evidence: [{ eventId, eventType, time, what: 'run 7 ran' }],
          entities: [{ kind: 'run', id: 'acme/app#7' }],
        });
      },
    });
    const play = (rules: readonly AnyRule[]) =>
      playTimeline({
        ...{ rules, learningDays: 14, untilMs: s(60 * day) },
        events: eventsOf(`${job(1, 7, 'x7')}${job(50, 8, 'x7')}`),
      }).findings.map((finding) => finding.rule);
    expect(play([rule])).toEqual([]);
    expect(play([other, rule])).toEqual([other.id, rule.id]);
  });
});

describe('with the audit stream', () => {
  const runner = (name: string) => ({
    'cicd.worker.id': id(name),
    'cicd.worker.name': name,
    'tripline.worker.hosted': false,
  });
  const used = (seconds: number, more: Attributes) =>
    at(s(seconds), 'dev.cdeventsx.tripline-credential.used', {
      ...{ 'vcs.repository.name': 'acme/app', 'vcs.owner.name': 'acme', 'cicd.pipeline.run.id': '7' },
      ...{ 'tripline.credential.id': 'x', ...more },
    });
  const play = (events: readonly LoggedEventInput[]) =>
    playTimeline({ rules: [rule], events: [dayOne, ...events], untilMs: s(7200) });

  test('a secret on an unknown runner is found at high confidence, by its name', () => {
    const events = [used(1, { ...runner('x7'), 'tripline.credential.secrets': ['DEPLOY_KEY'] })];
    const { findings } = play(events);
    expect(findings[0]).toMatchObject({ confidence: 'high', severity: 'critical' });
    expect(findings[0]!.title).toContain('secret DEPLOY_KEY of acme/app');
    expectSameInAnyOrder({ rules: [rule], before: [dayOne], events, untilMs: s(7200) }, [
      `credential-new-runner ${key('x7')} new`,
    ]);
    expect(play([used(1, { ...runner('build-1'), 'tripline.credential.secrets': ['DEPLOY_KEY'] })]).all).toEqual([]);
  });
});

describe('K6: what somebody can fill', () => {
  const named = (run: number, environment: string) => `
      day 2  ${String(Math.floor(run / 60)).padStart(2, '0')}:${String(run % 60).padStart(2, '0')}  mallory  starts run ${run} of deploy in acme/app at evil${run}
      day 2  ${String(Math.floor(run / 60)).padStart(2, '0')}:${String(run % 60).padStart(2, '0')}  mallory  starts job deploy of run ${run} (on x7; to ${environment})`;

  test('seventy environments push out nothing that stands, explain nothing, and are said', () => {
    const first = `
      day 1  09:00  ada  starts run 900 of deploy in acme/app at main1
      day 1  09:01  ada  starts job deploy of run 900 (on x7; to production)`;
    const text = `${first}${Array.from({ length: 70 }, (_, n) => named(n, `e${n}`)).join('')}`;
    const { findings, retracted } = playTimeline({
      rules: [rule],
      events: [dayOne, ...eventsOf(text)],
      untilMs: s(4 * day),
    });
    expect(findings.map((finding) => finding.rule).sort()).toEqual(['credential-new-runner', 'state-flooded']);
    expect(findings.find((finding) => finding.rule === rule.id)!.evidence[0]!.eventId).toBe('line-3');
    expect(retracted).toEqual([]);
  });

  test('jobs of no interest on a known runner make it no less known', () => {
    const text = `
      ${Array.from({ length: 70 }, (_, n) => named(n, `e${n}`))
        .join('')
        .replaceAll('on x7', 'on build-1')}
      day 3  09:00  ada  starts run 900 of deploy in acme/app at main1
      day 3  09:01  ada  starts job deploy of run 900 (on build-1; to production)`;
    const { findings } = playTimeline({ rules: [rule], events: [dayOne, ...eventsOf(text)], untilMs: s(4 * day) });
    expect(findings.filter((finding) => finding.rule === rule.id)).toEqual([]);
  });
});
