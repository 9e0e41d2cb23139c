import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { expect, test } from 'vitest';
import { rule } from './package-manager-acts.ts';

test.each([
  'npm/10.2.4 node/v18.19.0 linux x64 workspaces/false',
  'yarn/3.6.4-core npm/? node/v20.10.0 darwin arm64',
  'pip/24.0 {"ci":null}',
  'Ruby, RubyGems/3.4.22 linux-x86_64 Ruby/3.1.4',
  'cargo/1.75.0',
])('an act with %s is found', (client) => {
  const { findings } = expectTimeline(
    rule,
    `09:00  mallory  does repo.create in acme/xfj (as ${client.replaceAll(';', ',')})     ← FOUND user:mallory [medium/high]`,
  );
  expect(findings[0]!.title).toBe('A package manager did repo.create as mallory');
});

test('what installs, what publishes, and other clients are work', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  does git.fetch in acme/app (as npm/10.2.4 node/v18)
    09:01  ada  does packages.package_published in acme (as npm/10.2.4 node/v18)
    09:02  ada  does repo.create in acme/app (as GitHub CLI 2.40.0)
    09:03  ada  does repo.create in acme/app (as Mozilla/5.0 npm/10)
    09:04  ada  does repo.create in acme/app
    `,
  );
});
