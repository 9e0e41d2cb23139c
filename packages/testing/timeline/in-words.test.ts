import { defineRule } from '@tripline/contracts/rule';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventsOf, expectTimeline } from './in-words.ts';
import { verbs } from './verbs/all.ts';

/** Finds every push by mallory; with `forgetful`, only where no other push was received before: which is no rule, as order decides. */
const ruleOf = (forgetful: boolean) =>
  defineRule<object, unknown>({
    ...{
      id: 'push-by-mallory',
      title: 'Mallory pushed',
      description: 'For this test.',
      severity: 'high',
      confidence: 'high',
    },
    ...{ principles: [1], attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: [], learns: false },
    reads: ['dev.cdeventsx.tripline-ref.pushed'],
    settings: z.strictObject({}),
    state: z.object({}),
    keys: () => ['pushes'],
    judge(event, context) {
      const heard = context.get('pushes') !== undefined;
      context.set('pushes', {}, 86_400_000);
      if (event.data['user.name'] !== 'mallory' || (forgetful && heard)) return;
      context.find({
        ...{
          subject: `${event.data['vcs.repository.name']}@${event.data['vcs.ref.head.revision']}`,
          title: 'Mallory pushed',
        },
        ...{ summary: '', confidence: 'high', evidence: [], entities: [], response: [], remedy: [] },
      });
    },
  });
const honest = `
  09:00  ada      pushes c1 to acme/app main
`;

describe('a timeline in words', () => {
  test('holds a rule to what its marks say, in every order', () => {
    const played = expectTimeline(
      ruleOf(false),
      `
      09:00         ada      pushes c1 to acme/app main
      # A commit's name stands for its hash, in marks too.
      day 2  10:00  mallory  pushes c2,c3 to acme/app main (touching a.yml, b.yml; heard 10:30)  ← FOUND acme/app@c3 [high/high]
      `,
    );
    expect(played.findings[0]?.occurredAt).toBe('2026-03-12T10:00:00.000Z');
  });

  test('a mark without a finding, and a finding without a mark, fail with their lines', () => {
    expect(() => expectTimeline(ruleOf(false), `${honest.trimEnd()}  ← FOUND acme/app@c1`)).toThrow(
      /line 2 should have FOUND acme\/app@c1\n {4}09:00 {2}ada/,
    );
    expect(() => expectTimeline(ruleOf(false), honest.replace('ada    ', 'mallory'))).toThrow(
      /line 2 says nothing of: FOUND acme\/app@c1 \[high\/high\] by push-by-mallory: Mallory pushed/,
    );
    expect(() => expectTimeline(ruleOf(false), '09:00  mallory  makes acme/app public   ← FOUND acme/app@c1')).toThrow(
      /it tells dev\.cdeventsx\.tripline-control\.changed, which the rule does not read; it reads dev\.cdeventsx\.tripline-ref\.pushed/,
    );
    const milder = `${honest.replace('ada    ', 'mallory').trimEnd()}  ← FOUND acme/app@c1 [low]`;
    expect(() => expectTimeline(ruleOf(false), milder)).toThrow(/should have FOUND/);
  });

  test('a rule that the order decides fails with the timeline in that order', () => {
    const text = `
      09:00  mallory  pushes c1 to acme/app main   ← FOUND acme/app@c1
      09:05  ada      pushes c2 to acme/app main
    `;
    expect(() => expectTimeline(ruleOf(true), text)).toThrow(
      /line 2 an hour late: it ends otherwise\.\n {4}heard 11 09:05:00 \| 09:05 {2}ada {6}pushes c2 to acme\/app main\n {4}heard 11 10:00:00 \| 09:00 {2}mallory/,
    );
    expectTimeline(ruleOf(true), text, { anyOrder: false });
  });

  test('a line that cannot be read says why, and which forms there are', () => {
    const read = (line: string) => () => eventsOf(`\n${line}`);
    expect(read('9:00 ada pushes c1 to acme/app main')).toThrow(/line 2: a line begins with `HH:MM`/);
    expect(read('09:00 ada pushes c1')).toThrow(
      /no verb has this form\. There are:\n {4}<who> {2}pushes \{commits\} to/,
    );
    expect(read('09:00 ada pushes c1 to acme/app main (kindly)')).toThrow(/knows no option kindly/);
    expect(read('09:00 ada pushes c1 to app main')).toThrow(/app is no repository: owner\/name/);
    expect(read('09:00 ada pushes c1 to acme/app main (heard 08:00)')).toThrow(/received before it happens/);
    expect(read('09:00 ada approves #7 in acme/app')).toThrow(/nobody has opened #7/);
    expect(read('09:00 ada pushes c1 to acme/app main ← SEEN it')).toThrow(/a mark says FOUND or RETRACTED/);
  });
});

test('numbers stay with a thing whose name changes, and whoever takes the name has another', () => {
  const [first, , renamed, , other] = eventsOf(`
    09:00  ada    pushes c1 to acme/app main
    09:01  ada    renames repository acme/app to acme/web
    09:02  ada    pushes c2 to acme/web main
    09:03  ada    renames repository acme/web to acme/site
    09:04  ada    pushes c3 to acme/web main
  `);
  expect(renamed!.data['vcs.repository.id']).toBe(first!.data['vcs.repository.id']);
  expect(other!.data['vcs.repository.id']).not.toBe(first!.data['vcs.repository.id']);
});

test('the refs of a repository stand where the timeline left them', () => {
  const pushes = eventsOf(`
    09:00  ada      pushes c1,c2 to acme/app main
    09:01  mallory  pushes c3 to acme/app main (forced; authored by bob; committed by web-flow; touching .github/workflows/ci.yml)
    09:02  ada      tags c3 of acme/app as v1
    09:03  ada      moves tag v1 of acme/app to c2
    09:04  ada      deletes tag v1 of acme/app
  `).map(({ data }) => data);
  expect(pushes[1]!['tripline.ref.before']).toBe(pushes[0]!['vcs.ref.head.revision']);
  expect(pushes[1]!['tripline.push.commits']).toMatchObject([
    { author: 'bob', committer: 'web-flow', ciPaths: ['.github/workflows/ci.yml'] },
  ]);
  expect(pushes.map((data) => data['tripline.ref.forced'])).toEqual([false, true, false, true, false]);
  expect(pushes[4]).toMatchObject({
    'tripline.ref.deleted': true,
    'tripline.ref.before': pushes[0]!['vcs.ref.head.revision'],
  });
});

/** One line for each form, so that a form which GitHub's normaliser would not take is noticed at once. */
const oneOfEach = `
  09:00:01  ada      pushes c1,c2 to acme/app main
  09:00:02  ada      deletes branch old of acme/app (from c1)
  09:00:03  ada      tags c2 of acme/app as v1 (annotated as t1)
  09:00:04  ada      moves tag v1 of acme/app to c1
  09:00:05  ada      deletes tag v1 of acme/app
  09:00:06  mallory  opens #7 in acme/app from feature at c3 (of fork mallory; association NONE; into main)
  09:00:07  mallory  updates #7 in acme/app to c4
  09:00:08  mallory  retargets #7 in acme/app to release/1
  09:00:09  bob      rejects #7 in acme/app
  09:00:10  bob      comments on #7 in acme/app
  09:00:11  bob      approves #7 in acme/app (at c3; association OWNER)
  09:00:12  ada      dismisses #7 in acme/app of bob
  09:00:13  ada      queues #7 in acme/app as g1
  09:00:14  ada      merges #7 in acme/app as m1
  09:00:15  ada      opens #8 in acme/app from other at c5
  09:00:16  ada      closes #8 in acme/app
  09:00:17  ada      starts run 7 of ci in acme/app at m1 (trigger pull_request; of fork mallory; attempt 2; using acme/shared/.github/workflows/x.yml@main; on feature; path .github/workflows/z.yml)
  09:00:18  ada      starts job build of run 7 (on box-1; group mine; group id 3; labels self-hosted, gpu; to production)
  09:00:19  ada      finishes job build of run 7
  09:00:20  ada      finishes run 7
  09:00:21  ada      deploys m1 of acme/app to production (on main)
  09:00:22  ada      gives bob admin on acme/app
  09:00:23  ada      gives bob maintain on acme/app (formerly admin)
  09:00:24  ada      takes bob off acme/app
  09:00:25  ada      invites eve to acme
  09:00:26  eve      joins acme
  09:00:27  ada      adds eve to team ops of acme (permission admin)
  09:00:28  ada      removes eve from team ops of acme
  09:00:29  ada      gives team ops push on acme/app
  09:00:30  ada      takes team ops off acme/app
  09:00:31  ada      removes eve from acme
  09:00:32  ada      adds deploy key "the deployer" to acme/app (read-only; id 12)
  09:00:33  ada      removes deploy key "the deployer" from acme/app (id 12)
  09:00:34  ada      installs app helper on acme (on acme/app; to contents, workflows)
  09:00:35  ada      removes app helper from acme
  09:00:36  bob      asks for token t1 on acme (to contents)
  09:00:37  ada      approves token t1 of bob on acme
  09:00:38  bob      renames account bob to robert
  09:00:39  ada      creates ruleset main of acme/app (protecting ~DEFAULT_BRANCH; bypassed by deployer)
  09:00:40  ada      relaxes ruleset main of acme/app (enforcement active → disabled)
  09:00:41  ada      puts back ruleset main of acme/app
  09:00:42  ada      tightens ruleset main of acme/app (bypassed by nobody)
  09:00:43  ada      changes ruleset main of acme/app (name main → trunk)
  09:00:44  ada      deletes ruleset main of acme/app
  09:00:45  ada      creates protection main of acme/app
  09:00:46  ada      relaxes protection main of acme/app (required_approving_review_count 1 → 0; admin_enforced true → false)
  09:00:47  ada      puts back protection main of acme/app
  09:00:48  ada      tightens protection main of acme/app (required_approving_review_count 1 → 2)
  09:00:49  ada      changes protection main of acme/app (required_approving_review_count 2 → 1)
  09:00:50  ada      deletes protection main of acme/app
  09:00:51  ada      disables protection of acme/app
  09:00:52  ada      enables protection of acme/app
  09:00:53  ada      makes acme/app public
  09:00:53  ada      makes trunk the default of acme/app
  09:00:54  ada      renames repository acme/app to acme/web
  09:00:55  ada      clones acme/web with token t1
  09:00:55  ada      does org.disable_saml in acme
  09:00:56  ada      assigns role auditor of acme to bob
  09:00:56  ada      registers runner box-2 in acme (in group 3; for one job)
  09:00:56  grace    accepts runner box-2 (as false; unlinked)
  09:00:57  ada      removes runner box-2 from acme
  09:00:58  ada      uses credential DEPLOY_KEY in acme/web
  09:00:58  ada      proves who they are by passkey to acme (mfa yes)
  09:00:58  ada      uses token t1 in acme (for org.list; from 192.0.2.1; by client "gh/2.1"; id 4)
  09:00:58  ada      hands A,B to job build of acme/web (of workflow acme/web/.github/workflows/x.yml@refs/heads/main; in run 7; environment production)
  09:00:59  ada      opens #9 in acme/web from late at c6
  09:01:00  ada      merged #9 of acme/web as m2
  09:01:01  github   answers about m2 in acme/web (verified; committed by web-flow; authored by ada; parents c1, c6; change #9; merged as m2; merged by ada; listing c6, u<c6+c1; approved by bob; at c6; association NONE; permission write; approved at 09:01:00)
  09:01:02  tripline cannot ask about c6 in acme/web
  09:01:03  mallory  writes ticket #10 in acme/web (titled x $⟨id⟩¦ y; saying hello; association NONE)
  09:01:04  mallory  comments on ticket #10 in acme/web (saying hello)
  09:01:05  ada      changes runner group pool of acme (visible to all; public no; restricted yes)
  09:01:06  ada      requests review of run 7 for production
  09:01:07  bob      approves run 7 for production
  09:01:08  bob      rejects run 7 for staging
  09:01:09  ada      reports deployment of run 7 to production (state failure)
  09:01:10  ada      publishes package left 1.2.3 of acme/web
  09:01:11  ada      publishes release v1.2.3 of acme/web
  09:01:12  mallory  creates public repository acme/loot (described as it is)
  09:01:13  github   has npm_token found in acme/web (in public; validity active)
  09:01:14  tripline misses feed github since 08:00 as below-usual
  09:01:15  ada      deletes webhook audit of acme
  09:01:16  ada      is recorded to delete webhook audit of acme
  09:01:17  ada      deletes the audit stream of acme
  09:01:18  ada      switches webhook audit of acme (as config_changed)
  09:01:19  mallory  edits ticket #10 in acme/web (titled z)
  09:01:20  ada      reopens ticket #10 in acme/web (of mallory)
  09:01:21  broker   mints g1 for run 7 of acme/web (token h1)
  09:01:22  broker   revokes g1 (token h1)
  09:01:23  broker   cannot revoke g1 (token h1)
  09:01:23  broker   loses g3 of run 7 of acme/app (for 62)
  09:01:24  broker   is denied deploy in run 7 of acme/web (job 71; from 203.0.113.7; for network, ref)
  09:01:25  broker   is granted deploy in run 7 of acme/web (job 71; from 203.0.113.7)
  09:01:26  grace    is given write on acme/web as a1 (for 60)
  09:01:27  grace    has a1 on acme/web ended
  09:01:28  grace    keeps a1 on acme/web beyond its end
  09:01:28  broker   puts policies p1 in force (giving wider)
  09:01:28  broker   promotes to production of acme/api (from staging)
  09:01:29  broker   sees deploy-key/74/12 stand (in acme/web)
  09:01:30  github   asks the gate about run 7 for staging
  09:01:31  broker   answers the gate about run 7 for staging with denied
  09:01:32  ada      says that run 7 is not theirs
  09:01:33  ada      has a passkey confirmed by grace
  09:01:33  ada      has a sign-in confirmed by grace
`;
test('each form says what the feed’s normaliser takes', () => {
  const events = eventsOf(oneOfEach);
  const saysIt = ({ says }: { says: string }) => {
    const form = says.split(' ');
    const lines = oneOfEach.split('\n').map((line) => line.trim().replace(/\s*\(.*\)$/, ''));
    return lines.some((line) => {
      const words = line.match(/"[^"]*"|\S+/g)?.slice(2) ?? [];
      return words.length === form.length && form.every((part, place) => part.startsWith('{') || part === words[place]);
    });
  };
  expect(verbs.filter((one) => !saysIt(one)).map(({ says }) => says)).toEqual([]);
  // To rename an account tells nothing, and a merge is two deliveries: the push, and the change.
  const lines = oneOfEach.trim().split('\n').length;
  expect(events.length).toBe(lines - 1 + 1);
});
