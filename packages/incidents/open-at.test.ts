import type { Entity, Finding } from '@tripline/contracts/finding';
import { inTransaction } from '@tripline/db/transaction';
import { rules } from '@tripline/rules/registry';
import { retired } from '@tripline/rules/retired';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordFindings, someFinding } from '../../test/faults/recorded-findings.ts';
import { resolve } from './incidents.ts';
import { byAnybody, ofOurOwnDelay, readOpenAt } from './open-at.ts';
import { recordVerdicts } from './record-findings.ts';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const thing = (kind: Entity['kind'], name: string): Entity => ({ kind, id: name, key: `github:github.com:${name}` });
const finding = (subject: string, more: Partial<Finding>): Finding => ({
  ...someFinding(subject, { person: subject }),
  ...more,
});
const open = async (things: readonly Entity[], at?: Date) =>
  (await readOpenAt(database.db, 'acme', things, at)).map(({ severity }) => severity);

test('an incident counts for what its standing findings name, until it is resolved', async () => {
  const [repository, run] = [thing('repository', '1'), thing('run', '1#7')];
  const found = finding('one', { severity: 'high', entities: [repository, run] });
  await recordFindings(database.db, [found]);
  expect(await open([repository])).toEqual(['high']);
  // Another of the name is another; one without a key goes by its name.
  expect(await open([{ ...repository, key: 'github:github.com:2' }])).toEqual([]);
  expect(await open([{ kind: 'repository', id: '1' }])).toEqual(['high']);
  const { rows } = await database.db.pool.query('SELECT incident FROM findings WHERE id = $1', [found.id]);
  await resolve(database.db, rows[0].incident, 'true', { via: 'cli', id: 'ada', name: 'ada' });
  expect(await open([repository])).toEqual([]);
  expect(await open([repository], new Date(Date.now() + 1000))).toEqual([]);
  expect(await open([repository], new Date(0))).toEqual([]);
});

test('what people without write access bring about counts for its own run alone', async () => {
  const [repository, run, other] = [thing('repository', '3'), thing('run', '3#7'), thing('run', '3#8')];
  const theirs = { rule: 'privileged-fork-trigger', severity: 'critical' as const };
  await recordFindings(database.db, [finding('theirs', { ...theirs, entities: [repository, run] })]);
  expect(await open([repository, other])).toEqual([]);
  expect(await open([repository, run])).toEqual(['critical']);
  // It neither spreads an incident of others to what it names, nor makes it graver.
  const user = thing('user', 'ada');
  await recordFindings(database.db, [finding('ours', { severity: 'medium', entities: [run, user] })]);
  expect(await open([user, other])).toEqual(['medium']);
  expect(await open([repository])).toEqual([]);
});

test('what Tripline itself or its provider was late with counts for nobody, and lends others no severity', async () => {
  const [repository, run] = [thing('repository', '9'), thing('run', '9#7')];
  const late = { rule: 'credential-left-alive', severity: 'high' as const };
  await recordFindings(database.db, [finding('late', { ...late, entities: [repository, run] })]);
  expect(await open([repository, run])).toEqual([]);
  await recordFindings(database.db, [finding('used', { severity: 'medium', entities: [repository] })]);
  expect(await open([repository, run])).toEqual(['medium']);
});

test('a finding that was taken back counts no more', async () => {
  const [one, both] = [thing('repository', '5'), thing('user', 'bea')];
  const stands = finding('stands', { severity: 'medium', entities: [both] });
  const gone = finding('gone', { severity: 'critical', entities: [one, both] });
  await recordFindings(database.db, [stands, gone]);
  expect(await open([one])).toEqual(['critical']);
  const retraction = { findingId: gone.id, reason: 'it was allowed', atMs: Date.now() };
  await inTransaction(database.db, (client) => recordVerdicts(client, [{ kind: 'retracted', retraction }], []));
  expect(await open([one])).toEqual([]);
  expect(await open([both])).toEqual(['medium']);
});

/**
 * All other rules: what they find takes a right to write, a membership, a token or a machine of the house, or Tripline's own word. A new
 * rule is to be placed here or in open-at.ts: may somebody with an account and a public repository before them set it off?
 */
const notByOutsiders = `
  access-asked-from-elsewhere access-break-glass access-policy-first-grant access-policy-wider app-permission-escalated
  audit-actions-cache-delete audit-artifact-destroy audit-audit-log-streaming-create audit-audit-log-streaming-destroy
  audit-audit-log-streaming-update audit-business-add-admin audit-business-advanced-security-disabled audit-business-delete
  audit-business-disable-saml audit-business-disable-two-factor-requirement audit-business-invite-billing-manager
  audit-business-invite-unaffiliated-member audit-business-proxy-security-header-disabled audit-business-referrer-override-disable
  audit-business-remove-admin audit-business-remove-organization audit-business-secret-scanning-push-protection-custom-message-disable
  audit-business-update-unaffiliated-users-policy audit-checks-auto-trigger-disabled audit-checks-delete-logs
  audit-code-scanning-alert-closed-by-user audit-codespaces-destroy audit-codespaces-policy-group-deleted
  audit-copilot-content-exclusion-changed audit-copilot-custom-instructions-created audit-copilot-swe-agent-firewall-allowlist-updated
  audit-copilot-swe-agent-repo-enabled audit-dependabot-alerts-disable audit-dependabot-alerts-new-repos-disable
  audit-dependabot-security-updates-disable audit-dependabot-security-updates-new-repos-disable audit-enterprise-role-assign
  audit-environment-delete audit-environment-remove-protection-rule audit-environment-update-protection-rule
  audit-github-hosted-runner-create audit-hook-config-changed audit-hook-create audit-hook-destroy audit-integration-installation-create
  audit-integration-installation-destroy audit-integration-installation-repositories-added
  audit-integration-installation-version-updated audit-integration-transfer audit-ip-allow-list-disable
  audit-ip-allow-list-disable-for-installed-apps audit-ip-allow-list-enable audit-ip-allow-list-entry-create
  audit-ip-allow-list-entry-destroy audit-mcp-registry-allowlist-add-server audit-mcp-registry-allowlist-create
  audit-members-can-create-public-pages-enable audit-members-can-delete-repos-enable audit-merge-queue-pull-request-queue-jump
  audit-migration-create audit-network-configuration-create audit-oauth-access-create audit-oauth-application-generate-client-secret
  audit-org-add-member audit-org-add-member-as-owner audit-org-add-outside-collaborator audit-org-add-security-manager
  audit-org-advanced-security-disabled-for-new-repos audit-org-audit-log-export audit-org-block-user
  audit-org-clear-disallowed-two-factor-methods audit-org-codeql-disabled audit-org-codespaces-trusted-repo-access-granted
  audit-org-configure-self-hosted-jit-runner audit-org-create-actions-secret audit-org-credential-authorization-deauthorize
  audit-org-credential-authorization-grant audit-org-delete audit-org-delete-custom-image audit-org-disable-oauth-app-restrictions
  audit-org-disable-saml audit-org-disable-source-ip-disclosure audit-org-disable-two-factor-requirement
  audit-org-enable-oauth-app-restrictions audit-org-enable-saml audit-org-enable-two-factor-requirement
  audit-org-integration-manager-added audit-org-invite-member audit-org-members-can-update-protected-branches-disable
  audit-org-members-can-update-protected-branches-enable audit-org-oauth-app-access-approved audit-org-recovery-code-failed
  audit-org-recovery-code-used audit-org-recovery-codes-viewed audit-org-register-self-hosted-runner audit-org-remove-actions-secret
  audit-org-remove-member audit-org-remove-outside-collaborator audit-org-remove-security-manager audit-org-remove-self-hosted-runner
  audit-org-required-workflow-delete audit-org-runner-group-created audit-org-runner-group-removed audit-org-runner-group-runners-added
  audit-org-runner-group-updated audit-org-runner-group-visiblity-updated audit-org-secret-scanning-automatic-validity-checks-disabled
  audit-org-secret-scanning-custom-pattern-push-protection-disabled audit-org-secret-scanning-generic-secrets-disabled
  audit-org-secret-scanning-push-protection-bypass-list-add audit-org-secret-scanning-push-protection-disable
  audit-org-secret-scanning-push-protection-new-repos-disable audit-org-set-actions-fork-pr-approvals-policy
  audit-org-set-actions-retention-limit audit-org-set-default-workflow-permissions audit-org-set-workflow-permission-can-approve-pr
  audit-org-transfer audit-org-unblock-user audit-org-update-actions-secret audit-org-update-actions-settings
  audit-org-update-custom-images-policy audit-org-update-default-repository-permission audit-org-update-member
  audit-org-update-member-repository-creation-permission audit-org-update-member-to-owner
  audit-org-update-repo-self-hosted-runners-policy audit-org-update-saml-provider-settings audit-organization-moderators-add-user
  audit-organization-role-create audit-packages-package-deleted audit-personal-access-token-access-granted
  audit-personal-access-token-access-restriction-disabled audit-personal-access-token-access-restriction-enabled
  audit-personal-access-token-access-revoked audit-personal-access-token-auto-approve-grant-requests-disabled
  audit-personal-access-token-auto-approve-grant-requests-enabled audit-personal-access-token-expiration-limit-set
  audit-personal-access-token-expiration-limit-unset audit-personal-access-token-request-created audit-private-repository-forking-enable
  audit-private-vulnerability-reporting-disable audit-project-delete audit-project-update-user-permission audit-protected-branch-create
  audit-protected-branch-destroy audit-protected-branch-policy-override audit-protected-branch-rejected-ref-update
  audit-protected-branch-rejected-ref-update-of-workflow audit-protected-branch-update-admin-enforced
  audit-protected-branch-update-allow-force-pushes-enforcement-level audit-protected-branch-update-required-approving-review-count
  audit-public-key-create audit-public-key-create-may-write audit-public-key-update audit-repo-access-from-public
  audit-repo-access-to-public audit-repo-actions-enabled audit-repo-add-member audit-repo-advanced-security-disabled audit-repo-archived
  audit-repo-codeql-disabled audit-repo-create audit-repo-create-public audit-repo-destroy
  audit-repo-immutable-releases-settings-disabled audit-repo-pages-public audit-repo-register-self-hosted-runner
  audit-repo-remove-member audit-repo-temporary-access-granted audit-repo-transfer audit-repo-unarchived
  audit-repo-update-default-branch audit-repository-branch-protection-evaluation-disable audit-repository-ruleset-create
  audit-repository-ruleset-destroy audit-repository-ruleset-update audit-repository-secret-scanning-disable
  audit-repository-secret-scanning-push-protection-disable audit-repository-security-updates-disable
  audit-repository-visibility-change-enable audit-repository-vulnerability-alert-auto-dismiss
  audit-repository-vulnerability-alert-dismiss audit-repository-vulnerability-alerts-disable
  audit-restrict-notification-delivery-disable audit-secret-scanning-alert-delete audit-secret-scanning-disable
  audit-secret-scanning-new-repos-disable audit-secret-scanning-push-protection-bypass
  audit-secret-scanning-push-protection-request-approve audit-secret-scanning-push-protection-request-request
  audit-security-configuration-delete audit-security-configuration-update audit-ssh-certificate-authority-create
  audit-ssh-certificate-requirement-disable audit-sso-lockdown-disable audit-sso-redirect-disable audit-team-add-member
  audit-team-add-repository audit-team-change-parent-team audit-team-create audit-team-destroy audit-team-promote-maintainer
  audit-team-remove-member audit-team-remove-repository audit-team-sync-tenant-disabled
  audit-two-factor-account-recovery-two-factor-destroy audit-two-factor-authentication-disabled
  audit-two-factor-authentication-recovery-codes-regenerated audit-two-factor-authentication-remove-factor
  audit-vulnerability-alert-rule-create audit-vulnerability-alert-rule-force-disable audit-workflows-bypass-protection-rules
  audit-workflows-created-workflow-run audit-workflows-delete-workflow-run audit-workflows-disable-workflow break-glass-opened
  build-from-unreviewed-commit canary-credential-used checks-skipped commit-identity-mismatch control-disabled-or-audit-silenced
  credential-context-drift credential-new-hosted-class credential-new-runner credential-use-outside-job default-branch-unprotected
  deploy-key-write-added deployment-gate-bypassed dormant-credential-reactivated ephemeral-branch-secret-run ephemeral-runner-reused
  first-address-of-repository first-address-of-token first-address-of-user first-bot-push first-client-of-token first-runner-registrar
  first-token-of-user first-user-of-private-repository grant-outlived-job high-scope-token-approved mass-workflow-push mfa-unproven
  minted-for-no-job organization-role-given others-changes-closed-in-bulk package-manager-acts privilege-grant-outside-job promotion-skipped
  protected-branch-unreviewed protected-branches-forced protected-branches-tried protection-left-relaxed protection-weakened-then-push
  publish-without-run release-tag-moved repository-exposed revoked-credential-still-live rogue-runner-registered runner-crosses-environments
  runner-group-widened secret-fanout secret-new-consumer standing-privilege-covered standing-privilege-unused step-up-link-changed
  step-up-not-me step-up-passkey-added tiers-share token-bulk-clone token-not-minted-by-broker user-bulk-clone
  workflow-changed-unreviewed
`;

test('each rule of the catalogue is set off by anybody, on our own delay, or by nobody who may not write: one of the three', () => {
  const all = [...byAnybody, ...ofOurOwnDelay, ...notByOutsiders.trim().split(/\s+/)];
  const placed = all.filter((id) => !Object.hasOwn(retired, id));
  expect(placed.toSorted()).toEqual(rules.map(({ id }) => id).toSorted());
});

test('whoever posts a token of their own, or closes their own changes, denies nobody anything', async () => {
  const repository = thing('repository', '11');
  for (const rule of ['secret-leaked', 'leak-or-exposure', 'changes-closed-in-bulk'])
    await recordFindings(database.db, [finding(rule, { rule, severity: 'high', entities: [repository] })]);
  expect(await open([repository, thing('run', '11#7')])).toEqual([]);
});

test.each(['repository-exposed', 'others-changes-closed-in-bulk'])(
  'what takes a right in the repository counts for it: %s',
  async (rule) => {
    const repository = thing('repository', rule);
    await recordFindings(database.db, [finding(rule, { rule, severity: 'high', entities: [repository] })]);
    expect(await open([repository, thing('run', `${rule}#7`)])).toEqual(['high']);
  },
);
