import { expectTimeline } from '@tripline/testing/timeline/in-words';
import { createStage } from '@tripline/testing/timeline/stage';
import { expect, test } from 'vitest';
import { rule } from './secret-leaked.ts';

test('a secret that was seen in public, or that opens something, is one finding an alert', () => {
  const { findings } = expectTimeline(
    rule,
    `
    09:00  ada  has github_personal_access_token found in acme/app (validity active)   ← FOUND acme/app#alert-${alert('github_personal_access_token')} [high]
    09:05  ada  has aws_access_key_id found in acme/app (in public)                    ← FOUND acme/app#alert-${alert('aws_access_key_id')} [high]
    09:10  ada  has aws_access_key_id found in acme/app (action publicly_leaked)
    `,
  );
  expect(findings[0]!.title).toBe('github_personal_access_token of acme/app still opens something');
  expect(findings[0]!.response).toMatchObject([
    { action: 'revoke-credential', credential: 'leaked-token', repository: 'acme/app' },
  ]);
});

test('it was found, and later it was seen that it opens something', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  has npm_token found in acme/app
    09:05  ada  has npm_token found in acme/app (validity active; action validated)  ← FOUND acme/app#alert-${alert('npm_token')} [high]
    `,
  );
});

test('alerts of which nobody knows, or that are over, are silent', () => {
  expectTimeline(
    rule,
    `
    09:00  ada  has npm_token found in acme/app
    09:01  ada  has slack_token found in acme/app (validity inactive; in public)
    09:02  ada  has other_token found in acme/app (validity active; action resolved)
    09:03  ada  has other_token found in acme/app (validity active; action assigned)
    `,
  );
});

/** The number that the stage gives an alert, by what leaked. */
function alert(secret: string): number {
  return createStage().id('alert', secret) % 1000;
}
