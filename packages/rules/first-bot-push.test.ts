import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { test } from 'vitest';
import { rule } from './first-bot-push.ts';

test('a job pushes where none did before, by webhook or audit log, and is told once a repository', () => {
  expectTimeline(
    rule,
    `
    09:00          github-actions[bot]  pushes c1 to acme/app gh-pages
    day 2   09:00  github-actions[bot]  pushes c2 to acme/site main
    day 40  09:00  github-actions[bot]  pushes c3 to acme/app gh-pages
    day 40  09:10  ada                  pushes c4 to acme/vault main
    day 40  09:20  github-actions[bot]  pushes c5 to acme/vault main     ← FOUND acme/vault [low/high]
    day 41  09:20  github-actions[bot]  pushes c6 to acme/vault main
    day 41  09:30  github-actions[bot]  does git.push in acme/other      ← FOUND acme/other [low/high]
    day 41  09:40  github-actions[bot]  does repo.rename in acme/third
    `,
  );
});

test('where jobs begin to push at all, that is being learned', () => {
  expectTimeline(
    rule,
    `
    09:00          ada                  pushes c1 to acme/app main
    day 40  09:00  github-actions[bot]  pushes c2 to acme/app main
    day 60  09:00  github-actions[bot]  pushes c3 to acme/lib main
    `,
  );
});
