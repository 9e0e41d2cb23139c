import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventTypes } from '@tripline/contracts/event';
import { describe, expect, test } from 'vitest';
import { rules as auditActions } from './audit-actions/all.ts';
import { pages } from './catalogue.ts';
import { rules } from './registry.ts';

test.each(Object.entries(pages))('%s is what the rules say; `npm run docs` writes it anew', (name, render) => {
  expect(readFileSync(join(import.meta.dirname, name), 'utf8')).toBe(render(rules));
});

test('ids are unique, and in an order that somebody chose', () => {
  expect(new Set(rules.map((rule) => rule.id)).size).toBe(rules.length);
  expect(rules.map((rule) => rule.id).filter((id) => !auditActions.some((rule) => rule.id === id))).toEqual([
    'credential-new-runner',
    'build-from-unreviewed-commit',
    'privilege-grant-outside-job',
    'grant-outlived-job',
    'break-glass-opened',
    'deploy-key-write-added',
    'mass-workflow-push',
    'token-bulk-clone',
    'self-hosted-runner-fork',
    'release-tag-moved',
    'protection-weakened-then-push',
    'protection-left-relaxed',
    'credential-new-hosted-class',
    'canary-credential-used',
    'secret-new-consumer',
    'secret-fanout',
    'dormant-credential-reactivated',
    'credential-context-drift',
    'revoked-credential-still-live',
    'webhook-authenticity-failure',
    'mfa-unproven',
    'credential-use-outside-job',
    'privileged-fork-trigger',
    'fork-build-unreviewed',
    'high-scope-token-approved',
    'app-permission-escalated',
    'untrusted-metadata-injection',
    'workflow-changed-unreviewed',
    'protected-branch-unreviewed',
    'default-branch-unprotected',
    'commit-identity-mismatch',
    'ephemeral-branch-secret-run',
    'runner-group-widened',
    'ephemeral-runner-reused',
    'runner-crosses-environments',
    'secret-leaked',
    'repository-exposed',
    'rogue-runner-registered',
    'deployment-gate-bypassed',
    'gate-unanswered',
    'step-up-not-me',
    'step-up-passkey-added',
    'step-up-link-changed',
    'promotion-skipped',
    'publish-without-run',
    'user-bulk-clone',
    'protected-branches-forced',
    'protected-branches-tried',
    'changes-closed-in-bulk',
    'others-changes-closed-in-bulk',
    'package-manager-acts',
    'first-bot-push',
    'first-user-of-private-repository',
    'first-address-of-repository',
    'first-address-of-token',
    'first-address-of-user',
    'first-client-of-token',
    'first-token-of-user',
    'first-runner-registrar',
    'run-of-fork',
    'run-on-own-machine',
    'checks-skipped',
    'watched-workflow-failed',
    'fork-cache-to-release',
    'control-disabled-or-audit-silenced',
    'token-not-minted-by-broker',
    'credential-left-alive',
    'mint-outcome-unknown',
    'access-right-left-alive',
    'access-break-glass',
    'organization-role-given',
    'minted-for-no-job',
    'access-asked-from-elsewhere',
    'access-denied-burst',
    'access-policy-wider',
    'access-policy-first-grant',
    'standing-privilege-unused',
    'standing-privilege-covered',
    'tiers-share',
    'state-flooded',
  ]);
});

describe.each(rules.map((rule) => [rule.id, rule] as const))('%s', (_, rule) => {
  test('says all that the catalogue needs, and refuses settings that it does not have', () => {
    expect(rule.falseAlarms.length).toBeGreaterThan(0);
    expect(rule.attack.every((id) => /^T\d{4}(\.\d{3})?$/.test(id))).toBe(true);
    expect(rule.owasp.every((id) => /^CICD-SEC-\d{1,2}$/.test(id))).toBe(true);
    expect(rule.reads.every((type) => Object.hasOwn(eventTypes, type))).toBe(true);
    expect(new Set(rule.reads).size).toBe(rule.reads.length);
    expect(rule.settings.safeParse({ noSuchSetting: 1 }).success).toBe(false);
  });
});
