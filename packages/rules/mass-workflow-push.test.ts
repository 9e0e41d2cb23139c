import { eventsOf, expectTimeline } from '@tripline/testing/timeline/in-words';
import { playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule } from './mass-workflow-push.ts';

test('three repositories within ten minutes, whatever lies between, and those beyond add nothing new', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  mallory  pushes c1 to acme/app main (touching .github/workflows/ci.yml)
    09:02  mallory  pushes c2 to acme/lib x (touching .github/workflows/ci.yml; authored by ada)
    09:03  ada      pushes c3 to acme/web main (touching .github/workflows/ci.yml)
    09:08  mallory  pushes c4 to acme/web x (touching src/index.ts, .github/workflows/new.yml)   ← FOUND user:mallory [critical/high]
    09:09  mallory  pushes c5 to acme/api main (touching action.yml)
    `,
  );
  expect(findings[0]!.title).toBe('mallory changed CI files in 3 repositories within 10 minutes');
  expect(findings[0]!.entities).toContainEqual(expect.objectContaining({ kind: 'repository', id: 'acme/lib' }));
  expect(findings[0]!.response).toMatchObject([
    {
      ...{ action: 'revoke-credential', credential: 'credential-authorization', organization: 'acme' },
      ...{ user: 'mallory', userId: expect.stringMatching(/^\d+$/) },
    },
  ]);
});

test('what somebody does in the afternoon is another finding than what was in order in the morning, but for an app beside main', () => {
  const spree = (hour: string, who: string, branch: string) =>
    ['app', 'lib', 'web'].map(
      (name, nth) =>
        `${hour}:0${nth} ${who} pushes ${who}-${hour}-${nth} to acme/${name} ${branch} (touching .github/workflows/ci.yml)`,
    );
  const found = (who: string, branch: string) => foundOf([...spree('09', who, branch), ...spree('15', who, branch)]);
  const foundOf = (lines: readonly string[]) =>
    playTimeline({
      ...{ rules: [rule], untilMs: Date.parse('2026-03-12T00:00:00Z') },
      events: eventsOf(lines.join('\n')),
    }).all.length;
  expect(found('ada', 'main')).toBe(2);
  expect(found('update-bot[bot]', 'updates')).toBe(1);
});

test('an app that changes what is there on branches of its own is told once a month, one that adds files each day', () => {
  const spree = (day: number, how: string) =>
    ['app', 'lib', 'web'].map(
      (name, nth) =>
        `day ${day} 09:0${nth} update-bot[bot] pushes ${day}-${nth} to acme/${name} updates (${how} .github/workflows/ci.yml)`,
    );
  const found = (how: string) =>
    playTimeline({
      ...{ rules: [rule], untilMs: Date.parse('2026-04-12T00:00:00Z') },
      events: eventsOf([...spree(1, how), ...spree(3, how), ...spree(25, how)].join('\n')),
    }).all.map(({ severity }) => severity);
  expect(found('touching')).toEqual(['medium', 'medium']);
  expect(found('adding')).toEqual(['medium', 'medium', 'medium']);
});

test('the provider’s own bot on branches of its own is at work; on default branches it is found as anybody', () => {
  const pushes = (who: string, branch: string, mark = '') =>
    ['a', 'b', 'c']
      .map(
        (of) =>
          `09:0${'abc'.indexOf(of)}  ${who}  pushes ${of}1 to acme/${of} ${branch} (touching .github/workflows/x.yml)`,
      )
      .join('\n') + mark;
  expectTimeline(rule, pushes('dependabot[bot]', 'dependabot/actions'));
  expectTimeline(rule, pushes('dependabot[bot]', 'main', '  ← FOUND user:dependabot[bot] [critical]'));
  expectTimeline(rule, pushes('dependabot', 'dependabot/actions', '  ← FOUND user:dependabot [critical]'));
});

const merges = (who: string, many: number, how: string, mark = '') => {
  const of = how.startsWith('under a merge') ? (nth: number) => `u${nth},m${nth}` : (nth: number) => `u${nth}`;
  return (
    Array.from(
      { length: many },
      (_, nth) =>
        `09:${String(Math.floor(nth / 2)).padStart(2, '0')}  ${who}  pushes ${of(nth)} to acme/app${nth} main (${how}; touching .github/workflows/ci.yml)`,
    ).join('\n') + mark
  );
};

test('whoever merges updates of dependencies in a row is at work; twelve within ten minutes are not', () => {
  const ofBot = 'authored by dependabot[bot]; committed by web-flow';
  expectTimeline(rule, merges('ada', 11, ofBot));
  expectTimeline(rule, merges('ada', 12, ofBot, '  ← FOUND user:ada [critical]'), { anyOrder: false });
  expectTimeline(rule, merges('ada', 5, 'under a merge; authored by dependabot[bot]'));
  for (const bot of ['renovate[bot]', 'github-merge-queue[bot]']) {
    expectTimeline(rule, merges(bot, 5, 'authored by ada; committed by web-flow'));
  }
});

test('one’s own work is counted as it is, by whichever way it lands; so is what no page merged', () => {
  const found = '  ← FOUND user:ada [critical]';
  expectTimeline(rule, merges('ada', 3, 'authored by ada; committed by web-flow', found));
  expectTimeline(rule, merges('ada', 3, 'under a merge; authored by ada', found));
  expectTimeline(rule, merges('ada', 3, 'authored by dependabot[bot]', found));
});

test('one repository again and again, or three in half an hour, or files that configure no CI, are work', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  pushes c1 to acme/app main (touching .github/workflows/ci.yml)
    09:01  ada  pushes c2 to acme/app main (touching .github/workflows/ci.yml)
    09:02  ada  pushes c3 to acme/app next (touching .github/workflows/ci.yml)
    09:03  ada  pushes c4 to acme/lib main
    09:04  ada  pushes c5 to acme/web main
    09:05  ada  pushes c6 to acme/lib main (touching .github/workflows/ci.yml)
    09:30  ada  pushes c7 to acme/web main (touching .github/workflows/ci.yml)
    09:50  ada  deletes branch next of acme/web (from c7)
    `,
  );
});

test('a name that changes hides nothing: accounts and repositories are counted by their numbers', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  pushes c1 to acme/app main (touching .github/workflows/ci.yml)
    09:01  mallory  renames account mallory to ada-bot
    09:02  ada-bot  pushes c2 to acme/lib main (touching .github/workflows/ci.yml)
    09:04  ada-bot  pushes c3 to acme/web main (touching .github/workflows/ci.yml)   ← FOUND user:ada-bot
    `,
    // Under which of the two names it is told, the order decides.
    { anyOrder: false },
  );
  expectTimeline(
    rule,
    `
    09:00  ada  pushes c1 to acme/app main (touching .github/workflows/ci.yml)
    09:01  ada  renames repository acme/app to acme/web
    09:02  ada  pushes c2 to acme/web main (touching .github/workflows/ci.yml)
    09:03  ada  pushes c3 to acme/lib main (touching .github/workflows/ci.yml)
    `,
  );
});

test('who rolls templates out may have a number of their own', () => {
  const templates = (settings: object) => ({ settings: { 'mass-workflow-push': settings as Record<string, unknown> } });
  const text = `
    09:00  roll[bot]  pushes c1 to acme/app main (touching .github/workflows/ci.yml)
    09:01  roll[bot]  pushes c2 to acme/lib main (touching .github/workflows/ci.yml)
    09:02  roll[bot]  pushes c3 to acme/web main (touching .github/workflows/ci.yml)
  `;
  expectTimeline(rule, text, templates({ quotas: { 'roll[bot]': 4 } }));
  const id = eventsOf(text)[0]!.data['user.id']!;
  expectTimeline(rule, text, templates({ quotas: { [id]: 4 } }));
  expect(() => expectTimeline(rule, text)).toThrow(/says nothing of: FOUND user:roll\[bot\]/);
});

test('a login that is a word of the language is a login; a number of one’s own is by login without case', () => {
  const text = `
    09:00  constructor  pushes c1 to acme/a main (touching .github/workflows/x.yml)
    09:01  constructor  pushes c2 to acme/b main (touching .github/workflows/x.yml)
    09:02  constructor  pushes c3 to acme/c main (touching .github/workflows/x.yml)`;
  expectTimeline(rule, `${text}   ← FOUND user:constructor`);
  const id = eventsOf(text)[0]!.data['user.id']!;
  expectTimeline(rule, text, { settings: { 'mass-workflow-push': { quotas: { [`Constructor:${id}`]: 4 } } } });
});

test('whoever takes a login over has no number of the one who bore it, nor whose login is another’s id', () => {
  const text = `
    09:00  roll  pushes c1 to acme/a main (touching .github/workflows/x.yml)
    09:01  roll  pushes c2 to acme/b main (touching .github/workflows/x.yml)
    09:02  roll  renames account roll to roll-2
    09:03  mallory  renames account mallory to roll
    09:04  roll  pushes c1 to acme/a main (touching .github/workflows/x.yml)
    09:05  roll  pushes c2 to acme/b main (touching .github/workflows/x.yml)
    09:06  roll  pushes c3 to acme/c main (touching .github/workflows/x.yml)   ← FOUND user:roll`;
  const id = eventsOf(text)[0]!.data['user.id']!;
  const quotas = { [`roll:${id}`]: 4 };
  expectTimeline(rule, text, { settings: { [rule.id]: { quotas } } });
  const digits = text
    .replaceAll('mallory', '4711')
    .split('\n')
    .slice(5)
    .join('\n')
    .replaceAll('roll ', '4711 ')
    .replace('user:roll', 'user:4711');
  expectTimeline(rule, digits, { settings: { [rule.id]: { quotas: { 4711: 4 } } } });
  expect(() => expectTimeline(rule, text, { settings: { [rule.id]: { quotas: { roll: 4 } } } })).toThrow(/login:id/);
});

test('an app on branches of its own is medium, on default branches and beside people critical', () => {
  const pushes = (who: string, branch: string) =>
    ['a', 'b', 'c'].map((of, nth) => {
      const mark =
        nth === 2 ? `← FOUND user:${who} [${who.endsWith('[bot]') && branch !== 'main' ? 'medium' : 'critical'}]` : '';
      return `09:0${nth}  ${who}  pushes ${of}1 to acme/${of} ${branch} (touching .github/workflows/x.yml)  ${mark}`;
    });
  expectTimeline(rule, pushes('renovate[bot]', 'renovate/actions').join('\n'));
  expectTimeline(rule, pushes('renovate[bot]', 'main').join('\n'));
  expectTimeline(rule, pushes('mallory', 'renovate/actions').join('\n'));
  const quotas = { 'renovate[bot]': 4 };
  const silent = pushes('renovate[bot]', 'renovate/actions').join('\n').replace(/←.*/, '');
  expectTimeline(rule, silent, { settings: { [rule.id]: { quotas } } });
});
