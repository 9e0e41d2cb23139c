import { createHash } from 'node:crypto';
import type { Attributes } from '@tripline/contracts/attributes';
import { questionOf } from '@tripline/facts/review-reader';
import { seeded } from '@tripline/testing/timeline/any-order';
import { eventsOf, expectTimeline, type TimelineOptions } from '@tripline/testing/timeline/in-words';
import { at, playTimeline } from '@tripline/testing/timeline/play';
import { describe, expect, test } from 'vitest';
import { rule } from './build-from-unreviewed-commit.ts';

const shaOf = (name: string) => createHash('sha1').update(`commit ${name}`).digest('hex');
const idOf = (login: string) =>
  Number.parseInt(createHash('sha256').update(`user ${login}`).digest('hex').slice(0, 7), 16);
const repository = 'acme/app';
/** What an import found before the day begins. */
const inventory = (more: object = {}) =>
  at(Date.parse('2026-03-11T08:00:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
    'tripline.inventory.part': 1,
    'tripline.inventory.parts': 1,
    'tripline.inventory.heads': [{ repository, branch: 'main', revision: shaOf('day1') }],
    'tripline.inventory.protected': [
      { repository, patterns: ['main', 'release/**/*', 'v[0-9]*', 'hotfix-?', 'refs/tags/t*'] },
    ],
    ...more,
  });
function play(text: string, settings: Record<string, unknown> = {}, more: Partial<TimelineOptions> = {}) {
  const options = { before: [inventory()], settings: { [rule.id]: settings }, ...more };
  const played = expectTimeline(rule, text, options);
  // What floods a timeline is played once.
  if (text.split('\n').length < 30) expectOthersTakeNothingBack(text, options);
  return played;
}

/**
 * Whatever strangers do afterwards, and somebody of the house whom nobody else approves, takes no finding back, not for a
 * second either; and what strangers do has nothing found.
 */
function expectOthersTakeNothingBack(
  text: string,
  { before, settings }: Required<Pick<TimelineOptions, 'before' | 'settings'>>,
) {
  const told = eventsOf(text);
  const lastMs = Math.max(...told.map(({ atMs }) => atMs)) + 60_000;
  const named = (pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map((match) => match[1]!))];
  const where = named(/(acme\/app\w*)/g).at(-1)!;
  const numbers = named(/#(\d+) in /g);
  const commits = named(/(?: at | as |pushes |,|tags |deploys )(\w+)(?=[ ,])/g).filter(
    (one) => !/^(?:\d+|nothing)$/.test(one),
  );
  const refs = [...named(/\(on ([\w./-]+)/g), ...named(/ to acme\/\w+ (\S+)/g), 'main'];
  const strangers = [
    ...numbers.flatMap((number) => [
      `stranger approves #${number} in ${where} (association NONE)`,
      `sock approves #${number} in ${where} (association CONTRIBUTOR)`,
      `sock comments on #${number} in ${where} (association CONTRIBUTOR)`,
      Array.from({ length: 65 }, (_, nth) => `other${nth} approves #${number} in ${where} (association NONE)`).join(
        '\n',
      ),
    ]),
    ...commits.flatMap((commit, nth) => [
      `stranger opens #${700 + nth} in ${where} from f${nth} at ${commit} (of fork stranger; association NONE)`,
      `stranger opens #${800 + nth} in ${where} from g${nth} at ${commit} (of fork stranger; association NONE; into scratch)\nsock approves #${800 + nth} in ${where} (association CONTRIBUTOR)`,
    ]),
  ];
  const ofTheHouse = [
    ...commits.flatMap((commit, nth) => [
      `mallory opens #${500 + nth} in ${where} from m${nth} at ${commit}`,
      `mallory opens #${600 + nth} in ${where} from n${nth} at ${commit} (into scratch)\nmallory merged #${600 + nth} of ${where} as ${commit}`,
      `mallory pushes ${commit} to ${where} side${nth} (from nothing)`,
      ...refs.map((ref) => `mallory tags ${commit} of ${where} as ${ref}`),
      Array.from(
        { length: 60 },
        (_, of) =>
          `stranger${of % 12} opens #${1000 + of} in ${where} from s${of} at ${commit} (of fork stranger; association NONE; into scratch)\nmallory merged #${1000 + of} of ${where} as ${commit}`,
      ).join('\n'),
    ]),
    ...refs
      .filter((ref) => !/^(?:main|release\/|hotfix|rel\/|v1$)/.test(ref))
      .map((ref) => `mallory pushes zz to ${where} ${ref} (from nothing)`),
  ];
  const withoutAnswers = told.filter(({ type }) => type !== 'dev.cdeventsx.tripline-change.looked-up');
  const playedTo = (events: typeof told, untilMs: number) => {
    const heard = events.filter(({ atMs }) => atMs <= untilMs);
    const { findings, poison } = playTimeline({
      rules: [rule],
      settings: settings!,
      events: [...before!, ...heard],
      untilMs,
    });
    expect(poison).toEqual([]);
    return findings
      .filter((one) => one.rule === rule.id)
      .map(({ subject, occasion }) => `${subject} of ${occasion}`)
      .sort();
  };
  const random = seeded(text.length);
  for (const isOfHouse of [false, true]) {
    const acts = isOfHouse ? [...strangers, ...ofTheHouse] : strangers;
    const drawn = Array.from({ length: 5 }, (_, nth) => ({
      atMs: lastMs + nth * 3000,
      act: acts[Math.floor(random() * acts.length)] ?? 'nothing happens',
    }));
    const lines = drawn.flatMap(({ atMs, act }) =>
      act.split('\n').map((line) => `${new Date(atMs).toISOString().slice(11, 19)} ${line}`),
    );
    const again = withoutAnswers[Math.floor(random() * withoutAnswers.length)]!;
    const redelivered = { ...again, id: 'again', atMs: lastMs + 20_000 };
    const events = [...eventsOf(`${text}\n${lines.join('\n')}`), redelivered];
    const stood = playedTo(events, lastMs - 1000);
    for (const atMs of [...drawn.map((one) => one.atMs), redelivered.atMs, lastMs + 3_600_000]) {
      const stands = playedTo(events, atMs + 1000);
      const why = `\n${text}\n${lines.join('\n').slice(0, 4000)}\nat ${new Date(atMs).toISOString()}, then again ${again.type}`;
      expect(stands, why).toEqual(isOfHouse ? expect.arrayContaining(stood) : stood);
    }
  }
}

/** A change of ada's that carol approved, in a house that works by changes. */
const approved = `
  09:00     ada     pushes h to acme/app feat (from nothing)
  09:00:05  ada     opens #12 in acme/app from feat at h
  09:05     carol   approves #12 in acme/app
`;
const foundAfterHold = (what: string) => `
  09:10:34  nothing happens
  09:10:40  nothing happens          ← FOUND ${what}
`;

describe('a push straight to a protected branch', () => {
  test('is found at once where nobody works by changes, and stops the run', () => {
    const { findings } = play(`
      09:10     mallory pushes evil to acme/app main (from day1)
      09:10:05  mallory starts run 7 of ci in acme/app at evil      ← FOUND acme/app@evil [high/high]
    `);
    expect(findings[0]!.response).toMatchObject([{ action: 'stop-run', runId: '7', provider: 'github' }]);
    expect(findings[0]!.entities).toContainEqual(expect.objectContaining({ kind: 'user', id: 'mallory' }));
  });

  test('is found once no merge can be on its way any more, and at once when the API answers', () => {
    play(`${approved}
      09:10     mallory pushes evil to acme/app main (from day1)
      09:10:05  mallory starts run 7 of ci in acme/app at evil
      ${foundAfterHold('acme/app@evil [high/high]')}
    `);
    const { lookUps } = play(`${approved}
      09:10     mallory pushes evil to acme/app main (from day1)
      09:10:05  mallory starts run 7 of ci in acme/app at evil
      09:10:06  github  answers about evil in acme/app              ← FOUND acme/app@evil [high/high]
    `);
    expect(lookUps).toMatchObject([{ kind: 'reviews-of-commit', repository, revision: shaOf('evil') }]);
  });

  test('is waited for as long again as deliveries come late, where a merge that is not received yet may explain it', () => {
    play(
      `
      09:00     ada     opens #12 in acme/app from feat at h (heard 10:50)
      09:05     carol   approves #12 in acme/app (heard 11:05)
      09:10     ada     merges #12 in acme/app as m (heard 11:00)
      09:10:05  ada     starts run 7 of ci in acme/app at m (heard 10:10)
      `,
      {},
      { anyOrder: false },
    );
    // Nobody can be asked.
    expectTimeline(
      rule,
      `
      09:10     mallory pushes evil to acme/app main (from day1; heard 10:09)
      09:10:05  mallory starts run 7 of ci in acme/app at evil (heard 10:10)
      11:10     nothing happens
      11:11     nothing happens          ← FOUND acme/app@evil [high/high]
      `,
      { before: [inventory()], anyOrder: false },
    );
    const { lookUps } = play(`
      09:10     mallory pushes evil to acme/app main (from day1; heard 10:09)
      09:10:05  mallory starts run 7 of ci in acme/app at evil (heard 10:10)
      10:11     github  answers about evil in acme/app              ← FOUND acme/app@evil [high/high]
    `);
    expect(lookUps).toMatchObject([{ revision: shaOf('evil') }]);
  });

  test('is asked about when its push is received long after what was built on it, before anything is said', () => {
    const text = (rest: string) => `
      08:50     ada     opens #12 in acme/app from feat at h
      08:55     carol   approves #12 in acme/app
      09:10     carol   pushes late to acme/app main (from day1; heard 10:30)
      09:20     ada     opens #13 in acme/app from more at h2
      09:25     carol   approves #13 in acme/app
      09:30     carol   merged #13 of acme/app as n
      09:30:01  carol   pushes n to acme/app main (from late)
      09:30:05  carol   starts run 7 of ci in acme/app at n
      ${rest}
    `;
    const options = { before: [inventory()], anyOrder: false };
    const { lookUps } = expectTimeline(
      rule,
      text(`
      10:30:01  github  answers about late in acme/app (change #12; merged as late; merged by carol; into main; listing h; approved by carol; at h)
      10:35     nothing happens
      `),
      options,
    );
    expect(lookUps).toMatchObject([{ revision: shaOf('late') }]);
    expectTimeline(
      rule,
      text(`
      10:30:29  nothing happens
      10:31     nothing happens          ← FOUND acme/app@n [high/high]
      `),
      options,
    );
    // Where it was received, and the push that was built on it was not.
    expectTimeline(
      rule,
      text(`
      10:30:01  github  answers about late in acme/app (change #12; merged as late; merged by carol; into main; listing h; approved by carol; at h)
      10:35     nothing happens
      `)
        .replace('heard 10:30', 'heard 09:11')
        .replace('(from late)', '(from late; heard 10:30)'),
      options,
    );
  });

  test('is not told from a rebase by the provider before the push is received, for ten minutes', () => {
    const text = (push: string, mark = '') => `${approved}
      ${push}
      09:10:01  carol   merged #12 of acme/app as m
      09:10:05  carol   starts run 7 of ci in acme/app at m
      09:10:06  github  answers about m in acme/app (committed by carol; authored by ada; parents r1; change #12; merged as m; merged by carol; into main; listing h; approved by carol; at h)
      09:19:00  nothing happens
      09:21:00  nothing happens ${mark}
    `;
    const options = { before: [inventory()], anyOrder: false };
    expectTimeline(rule, text('09:10  carol  pushes r1,m to acme/app main (from day1; heard 09:12)'), options);
    expectTimeline(rule, text('', '← FOUND acme/app@m [high/high]'), options);
  });

  test('is not taken back where somebody opens the repository’s first change right afterwards', () => {
    const text = (more = '') => `
      09:10     mallory pushes evil to acme/app main (from day1)
      09:10:05  mallory starts run 7 of ci in acme/app at evil      ← FOUND acme/app@evil
      09:10:07  mallory opens #1 in acme/app from x at y
      ${more}
    `;
    expectTimeline(rule, text(), { before: [inventory()], thenMs: 1000, anyOrder: false });
    play(text());
  });

  test('is not explained by an inventory of later, which finds it there', () => {
    const later = at(Date.parse('2026-03-11T09:20:00Z'), 'dev.cdeventsx.tripline-inventory.observed', {
      'tripline.inventory.part': 1,
      'tripline.inventory.parts': 1,
      'tripline.inventory.heads': [{ repository, branch: 'main', revision: shaOf('evil') }],
    });
    const text = `
      09:10     mallory pushes evil to acme/app main (from day1)
      09:10:05  mallory starts run 7 of ci in acme/app at evil      ← FOUND acme/app@evil
      09:30     mallory starts run 7 of ci in acme/app at evil (attempt 2)   ← FOUND acme/app@evil
    `;
    play(text, {}, { before: [inventory(), later] });
  });

  test('is found though its address says that GitHub made it', () => {
    play(`
      09:10     mallory pushes evil to acme/app main (from day1; committed by web-flow)
      09:10:05  mallory starts run 7 of ci in acme/app at evil
      ${foundAfterHold('acme/app@evil [high/high]')}
    `);
  });

  test('is found though more commits came with it than are told apart', () => {
    const commits = Array.from({ length: 130 }, (_, nth) => `c${nth}`).join(',');
    play(`
      09:10     mallory pushes ${commits},evil to acme/app main (from day1)
      09:10:05  mallory starts run 7 of ci in acme/app at evil      ← FOUND acme/app@evil [high/high]
    `);
  });

  test.each(['release/1', 'release/a/b', 'v1', 'hotfix-1'])('on %s, by GitHub’s patterns', (branch) => {
    play(`
      09:10     mallory pushes evil to acme/app ${branch} (from old)
      09:10:05  mallory starts run 7 of ci in acme/app at evil (on ${branch})   ← FOUND acme/app@evil
    `);
  });

  test.each(['feature', 'hotfix-12', 'vnext', 't1'])('on %s, which nothing protects, it is a branch', (branch) => {
    play(`
      09:10     ada pushes work to acme/app ${branch} (from nothing)
      09:10:05  ada starts run 7 of ci in acme/app at work (on ${branch})
      09:10:06  ada starts job build of run 7
    `);
  });

  test('that no run built is found with the reviewed landing above it', () => {
    play(`${approved}
      09:06     mallory pushes evil to acme/app main (from day1)
      09:10     carol   merges #12 in acme/app as m
      09:10:05  carol   starts run 7 of ci in acme/app at m
      ${foundAfterHold('acme/app@m')}
    `);
  });

  test('that a run built is found there alone', () => {
    play(`${approved}
      09:06     mallory pushes evil to acme/app main (from day1)
      09:06:01  mallory starts run 6 of ci in acme/app at evil
      09:07     nothing happens                                      ← FOUND acme/app@evil
      09:10     carol   merges #12 in acme/app as m
      09:10:05  carol   starts run 7 of ci in acme/app at m
    `);
  });

  test('is found under the repository’s new name, and for each of forty runs', () => {
    play(
      `
      09:00     ada     renames repository acme/app to acme/app2
      09:10     mallory pushes evil to acme/app2 release/1 (from old)
      09:10:05  mallory starts run 7 of ci in acme/app2 at evil (on release/1)   ← FOUND acme/app2@evil
    `,
      {},
      { anyOrder: false },
    );
    const runs = Array.from(
      { length: 40 },
      (_, nth) => `09:11:${nth + 10} mallory starts run ${nth} of ci in acme/app at evil ← FOUND acme/app@evil`,
    );
    play(`09:10 mallory pushes evil to acme/app main (from day1)\n${runs.join('\n')}`, {}, { anyOrder: false });
  });

  test('after somebody lifted the protection, or protected it by a ruleset this morning', () => {
    play(
      `
      09:00     mallory deletes ruleset releases of acme/app (protecting refs/heads/rel/*)
      09:10     mallory pushes evil to acme/app rel/1 (from old)
      09:10:05  mallory starts run 7 of ci in acme/app at evil (on rel/1)        ← FOUND acme/app@evil
    `,
      {},
      { anyOrder: false },
    );
    play(
      `
      09:00     ada     creates ruleset releases of acme/app (protecting refs/heads/rel/*)
      09:05     mallory deletes ruleset releases of acme/app (protecting refs/heads/rel/*)
      09:10     mallory pushes evil to acme/app rel/1 (from old)
      09:10:05  mallory starts run 7 of ci in acme/app at evil (on rel/1)        ← FOUND acme/app@evil
    `,
      {},
      { anyOrder: false },
    );
    const edits = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'].map(
      (name, nth) => `09:0${nth + 1} mallory changes ruleset releases of acme/app (protecting refs/heads/${name})`,
    );
    play(
      `
      09:00     ada     creates ruleset releases of acme/app (protecting refs/heads/rel/*)
      ${edits.join('\n')}
      09:10     mallory pushes evil to acme/app rel/1 (from old)
      09:10:05  mallory starts run 7 of ci in acme/app at evil (on rel/1)        ← FOUND acme/app@evil
    `,
      {},
      { anyOrder: false },
    );
  });
});

describe('honest landings are quiet', () => {
  test.each([
    ['squash', '09:10 carol merges #12 in acme/app as m'],
    ['rebase', '09:10 carol merges #12 in acme/app as m (by hand; of r1, m)'],
    ['the reviewed head itself, pushed by hand', '09:10 carol merges #12 in acme/app as h (by hand; of h)'],
    [
      'a merge commit, with the API',
      `09:10 carol merges #12 in acme/app as m (of h, m)
      09:10:01 github answers about m in acme/app (verified; committed by web-flow; authored by carol; parents day1, h)`,
    ],
  ])('%s', (_, merge) => {
    play(`${approved}
      ${merge}
      09:10:05  carol   starts run 7 of ci in acme/app at ${merge.includes(' as h') ? 'h' : 'm'}
      09:10:06  carol   starts job deploy of run 7 (to production)
      09:12     carol   tags ${merge.includes(' as h') ? 'h' : 'm'} of acme/app as v9 (annotated as object)
      09:12:05  carol   starts run 8 of publish in acme/app at ${merge.includes(' as h') ? 'h' : 'm'} (on v9; trigger release)
    `);
  });

  test('a merge commit, without the API, is not known to be the provider’s: one low notice a repository', () => {
    const { findings } = play(`${approved}
      09:10     carol   merges #12 in acme/app as m (of h, m)
      09:10:05  carol   starts run 7 of ci in acme/app at m
      09:10:06  tripline cannot ask about m in acme/app             ← FOUND acme/app [low/low]
      09:20     ada     opens #13 in acme/app from feat2 at h2
      09:21     carol   approves #13 in acme/app
      09:22     carol   merges #13 in acme/app as m2 (of h2, m2)
      09:22:05  carol   starts run 8 of ci in acme/app at m2
      09:22:06  tripline cannot ask about m2 in acme/app
    `);
    expect(findings[0]!.response).toEqual([]);
  });

  test('a merge queue of two', () => {
    play(
      `${approved}
      09:06     dan     opens #13 in acme/app from feat2 at h2
      09:07     carol   approves #13 in acme/app
      09:08     ada     queues #12 in acme/app as q1
      09:08:01  dan     queues #13 in acme/app as q2
      09:10     ada     pushes q1,q2 to acme/app main (from day1; committed by web-flow)
      09:10:01  ada     starts run 7 of ci in acme/app at q2
    `.replace(
        '09:10:01',
        `09:10:00  ada     merged #12 of acme/app as q1
      09:10:00  dan     merged #13 of acme/app as q2
      09:10:01`,
      ),
    );
  });

  test('stacked: a change into another’s branch, and a change whose base was merged meanwhile', () => {
    play(`
      09:00     ada     opens #1 in acme/app from feat1 at a1
      09:00:01  ada     opens #2 in acme/app from feat2 at a2 (into feat1)
      09:02     carol   approves #2 in acme/app
      09:04     carol   approves #1 in acme/app
      09:06     carol   merges #1 in acme/app as m1
      09:06:01  ada     retargets #2 in acme/app to main
      09:06:05  carol   starts run 6 of ci in acme/app at m1
      09:10     carol   merges #2 in acme/app as m2
      09:10:05  carol   starts run 7 of ci in acme/app at m2
    `);
    play(`
      09:00     ada     opens #1 in acme/app from feat1 at a1
      09:00:01  ada     opens #2 in acme/app from feat2 at a2 (into feat1)
      09:02     carol   approves #2 in acme/app
      09:03     carol   merges #2 in acme/app as m2
      09:03:01  carol   updates #1 in acme/app to m2
      09:04     dan     approves #1 in acme/app
      09:06     dan     merges #1 in acme/app as m1
      09:06:05  dan     starts run 6 of ci in acme/app at m1
    `);
  });

  test('an update by GitHub after the approval, with the API; by hand it ends the approval', () => {
    const updated = (committed: string) => `${approved}
      09:06     carol   pushes u to acme/app feat (committed by ${committed})
      09:06:01  carol   updates #12 in acme/app to u
      09:10     ada     merges #12 in acme/app as m
      09:10:05  ada     starts run 7 of ci in acme/app at m
    `;
    play(`${updated('web-flow')}
      09:10:06  github  answers about m in acme/app (verified; committed by web-flow; authored by ada; parents day1; change #12; merged as m; listing h, u<h+day1; approved by carol; at h)
    `);
    play(`${updated('web-flow')}
      09:10:06  tripline cannot ask about m in acme/app             ← FOUND acme/app [low/low]
    `);
    play(`${updated('carol')} ${foundAfterHold('acme/app@m')}`);
    play(`${updated('web-flow')}
      09:10:06  github  answers about m in acme/app (verified; committed by web-flow; authored by ada; parents day1; change #12; merged as m; listing h, u<h+x, x; approved by carol; at h)   ← FOUND acme/app@m
    `);
  });

  test('a private member: known by a push of theirs, by the API, by an inventory; else named in the one notice', () => {
    const by = (more: string) => `
      09:00     ada     opens #12 in acme/app from feat at h
      ${more}
      09:05     carol   approves #12 in acme/app (association CONTRIBUTOR)
      09:10     ada     merges #12 in acme/app as m
      09:10:05  ada     starts run 7 of ci in acme/app at m
    `;
    play(by('09:01 carol pushes x to acme/app other (from nothing)'));
    play(by(''), {}, { before: [inventory({ 'tripline.inventory.members': [{ login: 'Carol', role: 'member' }] })] });
    const answer = (permission: string) =>
      `09:10:06 github answers about m in acme/app (change #12; merged as m; approved by carol; association CONTRIBUTOR; permission ${permission}; approved at 09:05:00)`;
    play(`${by('')}\n${answer('write')}`);
    play(`${by('')}\n${answer('read')}   ← FOUND acme/app@m [high/high]`);
    const { findings } = play(
      `${by('')}\n09:10:06 tripline cannot ask about m in acme/app   ← FOUND acme/app [low/low]`,
    );
    expect(findings[0]!.summary).toContain('carol');
    expect(findings[0]!.entities).toContainEqual(expect.objectContaining({ kind: 'user', id: 'carol' }));
  });

  test('a release bot’s own push and tag, and a dependency bot’s change that a person merges', () => {
    const bots = { exemptActors: ['deps[bot]', `release:${idOf('release')}`] };
    play(
      `${approved}
      09:10     release pushes r to acme/app main (from day1)
      09:10:05  ada     starts run 7 of ci in acme/app at r
      09:10:20  carol   tags r of acme/app as v2
      09:10:25  carol   starts run 8 of publish in acme/app at r (on v2)
      09:12     deps[bot] opens #20 in acme/app from deps at d (association NONE)
      09:13     ada     merges #20 in acme/app as m20
      09:13:05  ada     starts run 9 of ci in acme/app at m20
    `,
      bots,
    );
    play(
      `${approved}
      09:06     deps[bot] opens #20 in acme/app from deps at d (association NONE)
      09:07     mallory updates #20 in acme/app to d2
      09:10     mallory merges #20 in acme/app as m20
      09:10:05  mallory starts run 9 of ci in acme/app at m20
      ${foundAfterHold('acme/app@m20')}
    `,
      bots,
    );
  });

  test('a dependency bot’s change that a person updated from the base by GitHub', () => {
    const text = (answer: string) => `
      09:00     deps[bot] opens #20 in acme/app from deps at d (association NONE)
      09:05     ada     pushes u to acme/app deps (committed by web-flow)
      09:05:01  ada     updates #20 in acme/app to u
      09:10     ada     merges #20 in acme/app as m20
      09:10:05  ada     starts run 9 of ci in acme/app at m20
      ${answer}
    `;
    const bots = { exemptActors: ['deps[bot]'] };
    const answered =
      'github answers about m20 in acme/app (verified; committed by web-flow; authored by ada; parents day1; change #20; merged as m20; merged by ada; listing d, u<d+day1)';
    play(text(`09:10:06 ${answered}`), bots);
    play(text('09:10:06 tripline cannot ask about m20 in acme/app   ← FOUND acme/app [low/low]'), bots);
  });

  test('somebody who took an exempt account’s name is not exempt', () => {
    play(
      `
      09:00     ada     pushes x to acme/app other (from nothing)
      09:10     release pushes r to acme/app main (from day1)
      09:10:05  ada     starts run 7 of ci in acme/app at r         ← FOUND acme/app@r
    `,
      { exemptActors: ['release:1'] },
    );
    expect(() => play('09:00 ada pushes x to acme/app other', { exemptActors: ['release'] })).toThrow('login:id');
  });

  test('bors: reviewed heads by its own merge, and approvals by comments, where it is named', () => {
    const merged = (more: string) => `
      09:00     ada     opens #12 in acme/app from feat at h
      ${more}
      09:10     bors[bot] merges #12 in acme/app as m (by hand; of h, m)
      09:10:05  bors[bot] starts run 7 of ci in acme/app at m
    `;
    const review = '09:05 carol approves #12 in acme/app';
    play(merged(review), { mergeBots: [{ account: 'bors[bot]' }] });
    play(merged(''), { mergeBots: [{ account: 'bors[bot]', approves: true }] });
    play(`${merged('')} ${foundAfterHold('acme/app@m')}`, { mergeBots: [{ account: 'bors[bot]' }] });
  });

  test('a revert by a change, a re-run of what was there before, a rollback by a new branch', () => {
    play(`${approved}
      09:10     carol   merges #12 in acme/app as m
      09:10:05  carol   starts run 7 of ci in acme/app at m
      09:20     carol   opens #13 in acme/app from revert at rv
      09:21     ada     approves #13 in acme/app
      09:22     ada     merges #13 in acme/app as m13
      09:22:05  ada     starts run 8 of ci in acme/app at m13
      09:30     ada     starts run 5 of ci in acme/app at day1 (attempt 2)
      09:40     ada     pushes m to acme/app release/2 (from nothing)
      09:40:05  ada     starts run 9 of ci in acme/app at m (on release/2)
    `);
  });

  test('events of a rebase merge that come 15 seconds late', () => {
    play(`${approved}
      09:10     carol   pushes r1,m to acme/app main (from day1)
      09:10:02  carol   starts run 7 of ci in acme/app at m
      09:10:00  carol   merged #12 of acme/app as m (heard 09:10:17)
    `);
  });

  test('a run whose end is received before its start, and its merge last', () => {
    play(`${approved}
      09:10     carol   pushes r1,m to acme/app main (from day1)
      09:10:02  carol   starts run 7 of ci in acme/app at m (heard 10:00)
      09:10:30  carol   finishes run 7
      09:10:59  nothing happens
      09:11:10  nothing happens                                     ← FOUND acme/app@m
      09:10:00  carol   merged #12 of acme/app as m (heard 11:00)   ← RETRACTED acme/app@m
    `);
  });

  test('an advisory’s private fork: asked, and low where it is not settled', () => {
    play(`${approved}
      09:10     carol   pushes f,m to acme/app main (from day1; committed by web-flow; saying Merge commit from fork)
      09:10:02  carol   starts run 7 of ci in acme/app at m
      09:10:06  tripline cannot ask about m in acme/app             ← FOUND acme/app [low/low]
    `);
    play(`${approved}
      09:10     carol   pushes f,m to acme/app main (from day1; committed by web-flow; saying Merge commit from fork)
      09:10:02  carol   starts run 7 of ci in acme/app at m
      09:10:06  github  answers about m in acme/app (committed by carol; parents day1, f)   ← FOUND acme/app@m [high/high]
    `);
  });
});

describe('merges that do not count', () => {
  test('E1: made by hand on the reviewed head, with or without GitHub’s address, as the API says', () => {
    const merged = (committed: string) => `${approved}
      09:10     mallory merges #12 in acme/app as e (by hand; of h, e)
      09:10:05  mallory starts run 7 of ci in acme/app at e
      09:10:06  mallory starts job deploy of run 7 (to production)
      ${committed}
    `;
    play(`${merged('')} ${foundAfterHold('acme/app@e [high/high]')}`);
    const signed = merged('').replace('(by hand; of h, e)', '(of h, e)');
    play(
      `${signed} 09:10:07 github answers about e in acme/app (committed by web-flow; authored by mallory; parents day1, h)  ← FOUND acme/app@e [high/high]`,
    );
    // A token of a workflow has GitHub sign any tree: it is the bot’s, and no merge of a person’s.
    play(
      `${signed} 09:10:07 github answers about e in acme/app (verified; committed by web-flow; authored by github-actions[bot]; parents day1, h)  ← FOUND acme/app@e`,
    );
    play(
      `${signed} 09:10:07 github answers about e in acme/app (verified; committed by web-flow; authored by mallory; parents day1, x)  ← FOUND acme/app@e`,
    );
  });

  test('E2: a change into another base whose head is then pushed to main, and a tag on a commit beneath', () => {
    play(`
      09:00     mallory pushes b to acme/app wip (from nothing)
      09:00:02  ada     pushes b,s to acme/app stack (from nothing)
      09:00:03  ada     opens #13 in acme/app from stack at s (into wip)
      09:02     carol   approves #13 in acme/app
      09:03     ada     merges #13 in acme/app as s (by hand)
      09:10     mallory pushes b,s to acme/app main (from day1)
      09:10:05  mallory starts run 7 of ci in acme/app at s             ← FOUND acme/app@s
      09:12     mallory tags b of acme/app as v1
      09:12:05  mallory starts run 8 of publish in acme/app at b (on v1)   ← FOUND acme/app@b
    `);
  });

  test('E2: a commit pushed above a merge that was forced away, and an unapproved change in an approved one’s group', () => {
    play(`${approved}
      09:06     carol   merges #12 in acme/app as m
      09:07     mallory pushes day1 to acme/app main (forced)
      09:10     mallory pushes m,x to acme/app main
      09:10:05  mallory starts run 7 of ci in acme/app at x
      ${foundAfterHold('acme/app@x')}
    `);
    play(`${approved}
      09:06     mallory opens #13 in acme/app from other at o
      09:10     ada     pushes q13,q12 to acme/app main (from day1; committed by web-flow)
      09:10:00  mallory merged #13 of acme/app as q13
      09:10:00  ada     merged #12 of acme/app as q12
      09:10:05  ada     starts run 7 of ci in acme/app at q12
      ${foundAfterHold('acme/app@q12')}
      09:12     mallory tags q13 of acme/app as v3
      09:12:05  mallory starts run 8 of publish in acme/app at q13 (on v3)
      09:12:34  nothing happens
      09:12:40  nothing happens            ← FOUND acme/app@q13
    `);
  });

  test.each([
    [
      'E3: a bot’s change that the approver pushed',
      'bot[bot] opens #12 in acme/app from feat at h',
      'mallory',
      'mallory',
    ],
    ['the approver wrote what another pushed', 'ada opens #12 in acme/app from feat at h', 'ada', 'mallory'],
  ])('%s', (_, opens, pushes, wrote) => {
    play(`
      09:00     ${pushes} pushes h to acme/app feat (from nothing; authored by ${wrote})
      09:00:02  ${opens}
      09:05     mallory approves #12 in acme/app
      09:10     mallory merges #12 in acme/app as m
      09:10:05  mallory starts run 7 of ci in acme/app at m
      ${foundAfterHold('acme/app@m')}
    `);
  });

  const pushedByMallory = `
      09:00     ada     opens #12 in acme/app from feat at c0
      09:01     mallory pushes c1 to acme/app feat (from c0)
      09:01:01  mallory updates #12 in acme/app to c1
  `;
  const mergedByMallory = (approver: string) => `
      09:05     ${approver} approves #12 in acme/app
      09:10     ${approver} merges #12 in acme/app as m
      09:10:05  ${approver} starts run 7 of ci in acme/app at m
  `;
  test('E4, V5, Z1: who pushed to it approves it, beneath another’s commit or under a new name; the API says nothing else', () => {
    play(`${pushedByMallory} ${mergedByMallory('mallory')} ${foundAfterHold('acme/app@m')}`);
    play(`${pushedByMallory}
      09:02     ada     pushes c2 to acme/app feat
      09:02:01  ada     updates #12 in acme/app to c2
      ${mergedByMallory('mallory')} ${foundAfterHold('acme/app@m')}`);
    play(
      `${pushedByMallory}
      09:03     mallory renames account mallory to m2
      ${mergedByMallory('m2')} ${foundAfterHold('acme/app@m')}`,
    );
    play(`${pushedByMallory} ${mergedByMallory('mallory')}
      09:10:06  github  answers about m in acme/app (change #12; merged as m; merged by mallory; approved by mallory; approved at 09:05:00)   ← FOUND acme/app@m
    `);
  });

  test('E4b, E27: approved after the merge, with and without the API', () => {
    const merged = `
      09:00     ada     opens #12 in acme/app from feat at h
      09:10     ada     merges #12 in acme/app as m
      09:10:04  carol   approves #12 in acme/app
      09:10:05  ada     starts run 7 of ci in acme/app at m
    `;
    play(`${merged} ${foundAfterHold('acme/app@m')}`);
    play(`${merged}
      09:10:06  github  answers about m in acme/app (change #12; merged as m; approved by carol; approved at 09:10:04)   ← FOUND acme/app@m
    `);
  });

  test('E4c: the API knows of a change into a branch of the attacker’s alone', () => {
    play(`${approved}
      09:06     mallory opens #99 in acme/app from x at e (into scratch)
      09:10     mallory pushes e to acme/app main (from day1; committed by web-flow)
      09:10:05  mallory starts run 7 of ci in acme/app at e
      09:10:06  github  answers about e in acme/app (change #99; merged as e; approved by sock; into scratch)   ← FOUND acme/app@e
    `);
  });

  test.each([
    ['its author', 'ada approves #12 in acme/app'],
    ['a bot', 'ok[bot] approves #12 in acme/app'],
    ['somebody who saw another commit', 'carol approves #12 in acme/app (at c0)'],
    ['somebody who took it back', 'carol approves #12 in acme/app\n09:06 carol dismisses #12 in acme/app of carol'],
    ['somebody who asked for changes since', 'carol approves #12 in acme/app\n09:06 carol rejects #12 in acme/app'],
    [
      'somebody, before a commit of a bot’s',
      'carol approves #12 in acme/app\n09:06 fmt[bot] pushes h2 to acme/app feat (from h)\n09:06:01 fmt[bot] updates #12 in acme/app to h2',
    ],
    ['somebody, before another push', 'carol approves #12 in acme/app\n09:06 ada updates #12 in acme/app to h2'],
    [
      'somebody, of a smaller difference to another base',
      'carol comments on #12 in acme/app\n09:06 ada retargets #12 in acme/app to wip\n09:07 carol approves #12 in acme/app\n09:08 ada retargets #12 in acme/app to main',
    ],
  ])('approved by %s', (_, approves) => {
    play(`
      09:00     ada     opens #12 in acme/app from feat at h
      09:05     ${approves}
      09:10     ada     merges #12 in acme/app as m
      09:10:05  ada     starts run 7 of ci in acme/app at m
      ${foundAfterHold('acme/app@m')}
    `);
  });

  test('approved by a stranger counts for nothing where anybody may read, and is not known to count where a member may show so', () => {
    const text = (visible: string, more: string) => `
      08:59     ${visible}
      09:00     mallory opens #12 in acme/app from feat at h
      09:05     sock    approves #12 in acme/app (association NONE)
      09:10     mallory merges #12 in acme/app as m
      09:10:05  mallory starts run 7 of ci in acme/app at m
      ${more}
    `;
    play(text('ada makes acme/app public', foundAfterHold('acme/app@m [high/high]')));
    play(text('nothing happens', '09:10:06 tripline cannot ask about m in acme/app   ← FOUND acme/app [low/low]'));
  });

  test('E26: approved by an outside collaborator who may only read is not known to count', () => {
    play(`
      09:00     mallory opens #12 in acme/app from feat at h
      09:05     sock    approves #12 in acme/app (association COLLABORATOR)
      09:10     mallory merges #12 in acme/app as m
      09:10:05  mallory starts run 7 of ci in acme/app at m
      09:10:06  tripline cannot ask about m in acme/app      ← FOUND acme/app [low/low]
    `);
  });
});

describe('nothing that strangers do changes a verdict', () => {
  const honest = (more: string) => `${approved}
      ${more}
      09:10     carol   merges #12 in acme/app as m
      09:10:05  carol   starts run 7 of ci in acme/app at m
      09:10:06  carol   starts job deploy of run 7 (to production)
  `;
  const time = (nth: number) =>
    `09:${String(6 + Math.floor(nth / 60)).padStart(2, '0')}:${String(nth % 60).padStart(2, '0')}`;
  const many = (count: number, line: (nth: number) => string) =>
    Array.from({ length: count }, (_, nth) => `${time(nth)} ${line(nth)}`).join('\n');

  test('X2: reviews by the hundred, by one or by many', () => {
    play(honest(many(120, () => 'outsider approves #12 in acme/app (association NONE)')), {}, { anyOrder: false });
    play(
      honest(
        many(
          120,
          (nth) =>
            `outsider${nth} approves #12 in acme/app (association NONE)${nth === 60 ? ' ← FOUND changes reviews by strangers many [low]' : ''}`,
        ),
      ),
      {},
      { anyOrder: false },
    );
  });
  test('X1: changes from forks with the same head', () => {
    play(
      honest(
        many(
          60,
          (nth) =>
            `outsider${nth % 20} opens #${100 + nth} in acme/app from b${nth} at h (of fork outsider; association NONE)${nth === 50 ? ' ← FOUND commits changes from forks many [low]' : ''}`,
        ),
      ),
      {},
      { anyOrder: false },
    );
  });
  test('a change from a fork whose commits bear the reviewer’s name', () => {
    play(`
      09:00     stranger opens #12 in acme/app from feat at h (of fork stranger; association NONE)
      09:05     carol    approves #12 in acme/app
      09:10     carol    merges #12 in acme/app as m
      09:10:05  carol    starts run 7 of ci in acme/app at m
    `);
  });
  test('F1: a found tag stays found however many branches get the commit', () => {
    const branches = Array.from(
      { length: 12 },
      (_, nth) => `09:11:${10 + nth} mallory pushes evil to acme/app b${nth} (from nothing)`,
    ).join('\n');
    play(`
      09:09     mallory pushes evil to acme/app x (from nothing)
      09:10     mallory tags evil of acme/app as v9
      09:10:05  mallory starts run 7 of publish in acme/app at evil (on v9; trigger workflow_dispatch)   ← FOUND acme/app@evil
      ${branches}
    `);
  });
  test('F2: ten preview environments do not crowd out production', () => {
    const previews = Array.from(
      { length: 10 },
      (_, nth) => `09:10:${10 + nth} mallory starts job p${nth} of run 7 (to preview-${nth})`,
    ).join('\n');
    play(
      `
      09:10     mallory pushes evil to acme/app x (from nothing)
      09:10:05  mallory starts run 7 of ci in acme/app at evil (on x)
      ${previews}
      09:10:40  mallory starts job deploy of run 7 (to production)     ← FOUND acme/app@evil
    `,
      { exemptEnvironments: ['preview-*'] },
      { anyOrder: false },
    );
  });
});

describe('tags, releases, deployments, workflows', () => {
  const secret = { secretWorkflows: ['acme/app/.github/workflows/deploy.yml'] };
  test('an annotated tag on an unreviewed commit', () => {
    play(`
      09:09     mallory pushes evil to acme/app x (from nothing)
      09:10     mallory tags evil of acme/app as v9 (annotated as object)
      09:10:05  mallory starts run 7 of publish in acme/app at evil (on v9)     ← FOUND acme/app@evil
    `);
  });
  test.each(['trigger release', 'trigger workflow_dispatch'])(
    'a tag of which no push was told, %s: asked, and found where the API knows of no change',
    (trigger) => {
      play(`
      09:10:05  mallory starts run 7 of publish in acme/app at evil (on v9; ${trigger})
      09:10:06  github  answers about evil in acme/app                          ← FOUND acme/app@evil [high/high]
    `);
      play(`
      09:10:05  mallory starts run 7 of publish in acme/app at evil (on v9; ${trigger})
      09:10:06  tripline cannot ask about evil in acme/app                      ← FOUND acme/app [low/low]
    `);
    },
  );
  test('E8: a deployment by the API, and one to an environment for all', () => {
    play(
      `
      09:09     mallory pushes evil to acme/app x (from nothing)
      09:10     mallory deploys evil of acme/app to production (on x)            ← FOUND acme/app@evil
      09:11     mallory deploys evil of acme/app to preview-1 (on x)
    `,
      { exemptEnvironments: ['preview-*'] },
    );
  });
  test('E5, E13: a secret workflow rewritten a push earlier, on another branch, or called', () => {
    play(
      `
      09:09     mallory pushes a to acme/app x (from nothing; touching .github/workflows/deploy.yml)
      09:09:30  mallory pushes b to acme/app x (touching README.md)
      09:10     mallory starts run 7 of deploy in acme/app at b (on x; trigger workflow_dispatch)   ← FOUND acme/app@b
    `,
      secret,
    );
    play(
      `
      09:09     mallory pushes a to acme/app x (from nothing; touching .github/workflows/call.yml)
      09:10     mallory starts run 7 of call in acme/app at a (on x; using acme/app/.github/workflows/deploy.yml@refs/heads/x)   ← FOUND acme/app@a
    `,
      secret,
    );
    play(
      `
      09:09     ada pushes a to acme/app x (from nothing; touching README.md)
      09:10     ada starts run 7 of deploy in acme/app at a (on x; trigger workflow_dispatch)
    `,
      secret,
    );
  });
  test('E18: pull_request_target with secrets, for a fork, and where the house’s builds the head; a pull request with none is quiet', () => {
    const own = (mark: string) => `
      09:00     ada opens #20 in acme/app from x at a
      09:10     ada starts run 7 of deploy in acme/app at a (on x; trigger pull_request_target)
      09:10:29  nothing happens
      09:10:40  nothing happens                                      ${mark}
    `;
    play(own('← FOUND acme/app@a'), { ...secret, pullRequestsMay: ['self-hosted'] });
    // The base's workflow runs, and nobody says that it builds the head.
    play(own(''), secret);
    play(
      `
      09:00     mallory opens #20 in acme/app from x at a (of fork mallory; association NONE)
      09:10     mallory starts run 7 of deploy in acme/app at a (on x; of fork mallory; trigger pull_request_target)   ← FOUND acme/app@a
    `,
      secret,
    );
    play(
      `
      09:00     mallory opens #20 in acme/app from x at a (of fork mallory; association NONE)
      09:10     mallory starts run 7 of ci in acme/app at a (on x; of fork mallory; trigger pull_request)
      09:10:01  mallory starts job build of run 7
    `,
      secret,
    );
  });
  test('a tag of which no push was told stays found, though a branch of its name is made afterwards', () => {
    play(`
      09:10:05  mallory starts run 7 of publish in acme/app at evil (on v9; trigger workflow_dispatch)
      09:10:06  github  answers about evil in acme/app                 ← FOUND acme/app@evil
      09:10:30  mallory pushes day1 to acme/app v9 (from nothing)
    `);
  });
  test('E28: a tag that is named like an exempt branch', () => {
    play(
      `
      09:09     mallory pushes a to acme/app x (from nothing)
      09:10     mallory tags a of acme/app as dependabot/v9
      09:10:05  mallory starts run 7 of publish in acme/app at a (on dependabot/v9)       ← FOUND acme/app@a
    `,
      { exemptRefs: ['dependabot/*'] },
    );
  });
  test('GitHub’s own dynamic runs are low, and nothing is done to them', () => {
    const { findings } = play(`
      09:10     mallory pushes evil to acme/app main (from day1)
      09:10:05  mallory starts run 7 of pages in acme/app at evil (trigger dynamic; path dynamic/pages/pages-build-deployment)   ← FOUND acme/app@evil [low/high]
    `);
    expect(findings[0]!.response).toEqual([]);
  });
  test('a push to a protected branch that was never told: asked', () => {
    play(
      '09:10 mallory starts run 7 of ci in acme/app at evil\n09:10:06 github answers about evil in acme/app   ← FOUND acme/app@evil',
    );
    play('09:10 mallory starts run 7 of ci in acme/app at evil', {}, { before: [] });
  });
});

test('a pull request’s run on a larger machine of GitHub’s in a group of yours is work', () => {
  const groups = { 'tripline.inventory.runner_groups': [{ id: '7', name: 'large', hosted: ['large'], selfHosted: 0 }] };
  const text = `
    09:00  ada  starts run 7 of ci in acme/app at c1 (trigger pull_request; on feature)
    09:01  ada  starts job build of run 7 (on large_ab12; group large; group id 7; labels large)`;
  const settings = { [rule.id]: { pullRequestsMay: [] } };
  expectTimeline(rule, text, { before: [inventory(groups)], settings });
  expectTimeline(rule, `${text}   ← FOUND acme/app@c1`, { before: [inventory()], settings });
  // Whoever may push a branch may run there anyway, so that by default it is nobody's finding.
  expectTimeline(rule, text, { before: [inventory()] });
});

/** No run waits for rulesets: each event that says more of the run asks anew what is protected. */
test('a ruleset that is received before the last that is said of a run judges it; a later one, the builds to come', () => {
  const text = (heard: string, first: string, second: string) => `
      09:00     ada     creates ruleset releases of acme/app (protecting refs/heads/rel/*)${heard}
      09:10     mallory pushes evil to acme/app rel/1 (from old)
      09:10:05  mallory starts run 7 of ci in acme/app at evil (on rel/1)   ${first}
      09:14:30  mallory starts job build of run 7 (on box)                  ${second}
      09:30     mallory pushes evil2 to acme/app rel/1
      09:30:05  mallory starts run 8 of ci in acme/app at evil2 (on rel/1)  ← FOUND acme/app@evil2
      09:31     mallory starts job deploy of run 7 (to production)          ${first + second === '' ? '← FOUND acme/app@evil' : ''}
    `;
  const found = '← FOUND acme/app@evil';
  const once = { before: [inventory()], anyOrder: false };
  const late = (at: string) =>
    `\n      09:00     ada     tightens ruleset releases of acme/app (protecting refs/heads/rel/*; heard ${at})`;
  expectTimeline(rule, text('', found, ''), once);
  const withoutFirst = (given: string) => given.replace(/^.*creates ruleset.*$/m, '');
  expectTimeline(rule, withoutFirst(text('', '', found)) + late('09:12'), once);
  expectTimeline(rule, withoutFirst(text('', '', '')) + late('09:20'), once);
  expect(rule.limits!.filter((one) => one.includes('when more is received of it'))).toHaveLength(1);
});

describe('what the feeds cannot tell is said in the catalogue, and', () => {
  const limit = (words: string) => expect(rule.limits!.filter((one) => one.includes(words))).toHaveLength(1);
  const secret = { secretWorkflows: ['acme/app/.github/workflows/deploy.yml'] };
  /** The word of a feed that knows of which attempt it was that a run was given a secret; GitHub's audit log does not. */
  function given(attempt: { 'tripline.pipeline.run.attempt'?: number }) {
    const [run] = eventsOf('09:10 mallory starts run 7 of ci in acme/app at a (on x)');
    const told = run!.data as Attributes;
    return at(Date.parse('2026-03-11T09:10:20Z'), 'dev.cdeventsx.tripline-credential.used', {
      ...{ 'vcs.provider.name': 'github', 'vcs.repository.name': repository, 'cicd.pipeline.run.id': '7' },
      ...attempt,
      ...{
        'vcs.repository.id': told['vcs.repository.id']!,
        'vcs.repository.url.full': told['vcs.repository.url.full']!,
      },
      ...{ 'tripline.credential.id': 'DEPLOY_KEY', 'tripline.credential.secrets': ['DEPLOY_KEY'] },
    });
  }
  test.each([
    [
      'E6: a new workflow on a branch is not found before a feed tells of its secrets, and of which attempt',
      'A workflow that is new',
      'touching .github/workflows/evil.yml',
      'evil',
    ],
    [
      'E6b: nor a script that an unchanged workflow calls',
      'a script that an unchanged workflow calls',
      'touching scripts/deploy.sh',
      'deploy',
    ],
  ])('%s', (_, words, touching, workflow) => {
    limit(words);
    const text = (mark: string) => `
      09:09     mallory pushes a to acme/app x (from nothing; ${touching})
      09:10     mallory starts run 7 of ${workflow} in acme/app at a (on x)
      09:11     nothing happens ${mark}
    `;
    play(text(''), secret);
    play(text(''), secret, { before: [inventory(), given({})], anyOrder: false });
    const ofFirst = given({ 'tripline.pipeline.run.attempt': 1 });
    play(text('← FOUND acme/app@a'), secret, { before: [inventory(), ofFirst], anyOrder: false });
  });

  test('E29: what a run of the reviewed head took from a fork’s artifacts is quiet', () => {
    limit('artifacts of another run');
    play(`
      09:10     mallory starts run 7 of deploy in acme/app at day1 (trigger workflow_run)
      09:10:01  mallory starts job deploy of run 7 (to production)
    `);
  });

  test('what only comments approved is found, unless the bot that merges is named', () => {
    limit('Approvals by comments');
    const text = (mark: string) => `
      09:00     ada     opens #12 in acme/app from feat at h
      09:05     carol   comments on #12 in acme/app
      09:10     prow[bot] merges #12 in acme/app as m
      09:10:05  prow[bot] starts run 7 of ci in acme/app at m
      ${mark}
    `;
    play(text(foundAfterHold('acme/app@m')));
    play(text(''), { mergeBots: [{ account: 'prow[bot]', approves: true }] });
  });

  test('a machine’s account that looks like a person’s approves until it is named as one', () => {
    limit('A machine’s account');
    const merged = (mark: string) => `${approved.replace('carol', 'robot')}
      09:10     robot   merges #12 in acme/app as m
      09:10:05  robot   starts run 7 of ci in acme/app at m        ${mark}
    `;
    play(merged(''));
    const machineUsers = [`robot:${idOf('robot')}`];
    play(`${merged('')} ${foundAfterHold('acme/app@m')}`, { machineUsers });
    play(`${merged('')}`.replace('09:10     robot', '09:06 carol approves #12 in acme/app\n      09:10     robot'), {
      machineUsers,
    });
  });

  test('a branch that only a ruleset of the organisation protects is one like others until an inventory names it', () => {
    limit('Rulesets of the organisation');
    const text = (mark: string) => `
      09:09     mallory pushes evil to acme/app trunk/1 (from old)
      09:10     mallory starts run 7 of ci in acme/app at evil (on trunk/1) ${mark}
    `;
    play(text(''));
    const named = { 'tripline.inventory.protected': [{ repository, patterns: ['trunk/*'] }] };
    play(text('← FOUND acme/app@evil'), {}, { before: [inventory(named)] });
    play(`${text('')}
      09:10:01  mallory starts job deploy of run 7 (to production)   ← FOUND acme/app@evil
    `);
  });
});

test('a run of which only a job was received yet is no build of a branch that nobody heard of: what set it off is not known', () => {
  const [name, id, revision] = ['acme/app', '5', 'a'.repeat(40)];
  const where = { 'vcs.provider.name': 'github', 'vcs.repository.name': name, 'vcs.repository.id': id } as const;
  const lookUp = questionOf({ name, id }, revision);
  const started = at(0, 'dev.cdevents.taskrun.started', {
    ...{ ...where, 'cicd.pipeline.run.id': '7', 'cicd.pipeline.task.run.id': '8', 'cicd.pipeline.task.name': 'build' },
    ...{ 'vcs.ref.head.name': 'dependabot/npm/x', 'vcs.ref.head.revision': revision, 'cicd.worker.id': '3' },
    ...{ 'cicd.worker.name': 'box', 'tripline.worker.hosted': false, 'tripline.worker.group.id': '1' },
  });
  const commit = { revision, author: 'ada', authorId: '41', authorType: 'User', committer: 'ada', verified: false };
  const answered = at(60_000, 'dev.cdeventsx.tripline-change.looked-up', {
    ...{ ...where, 'vcs.ref.head.revision': revision, 'tripline.lookup.id': lookUp.id },
    'tripline.lookup.outcome': 'found',
    'tripline.lookup.commit': { ...commit, parents: ['b'.repeat(40)] },
    'tripline.lookup.changes': [],
  });
  const { findings } = playTimeline({ rules: [rule], events: [started, answered], untilMs: 3_600_000 });
  expect(findings).toEqual([]);
});
