import type { AnyRule } from '@tripline/contracts/rule';
import { rule as stateFlooded } from '@tripline/engine/state-flooded';
import { rule as accessAskedFromElsewhere } from './access-asked-from-elsewhere.ts';
import { rule as accessBreakGlass } from './access-break-glass.ts';
import { rule as accessDeniedBurst } from './access-denied-burst.ts';
import { rule as accessPolicyFirstGrant } from './access-policy-first-grant.ts';
import { rule as accessPolicyWider } from './access-policy-wider.ts';
import { rule as accessRightLeftAlive } from './access-right-left-alive.ts';
import { rule as appPermissionEscalated } from './app-permission-escalated.ts';
import { rules as auditActions } from './audit-actions/all.ts';
import { rules as auditCounts } from './audit-counts.ts';
import { rule as breakGlassOpened } from './break-glass-opened.ts';
import { rule as buildFromUnreviewedCommit } from './build-from-unreviewed-commit.ts';
import { rule as canaryCredentialUsed } from './canary-credential-used.ts';
import { rule as checksSkipped } from './checks-skipped.ts';
import { rule as commitIdentityMismatch } from './commit-identity-mismatch.ts';
import { rule as controlDisabledOrAuditSilenced } from './control-disabled-or-audit-silenced.ts';
import { rule as credentialContextDrift } from './credential-context-drift.ts';
import { rule as credentialLeftAlive } from './credential-left-alive.ts';
import { rule as credentialNewHostedClass } from './credential-new-hosted-class.ts';
import { rule as credentialNewRunner } from './credential-new-runner.ts';
import { rule as credentialUseOutsideJob } from './credential-use-outside-job.ts';
import { rule as defaultBranchUnprotected } from './default-branch-unprotected.ts';
import { rule as deployKeyWriteAdded } from './deploy-key-write-added.ts';
import { rule as deploymentGateBypassed } from './deployment-gate-bypassed.ts';
import { rule as dormantCredentialReactivated } from './dormant-credential-reactivated.ts';
import { rule as ephemeralBranchSecretRun } from './ephemeral-branch-secret-run.ts';
import { rule as ephemeralRunnerReused } from './ephemeral-runner-reused.ts';
import { rule as firstBotPush } from './first-bot-push.ts';
import { rules as firstSights } from './first-sights.ts';
import { rule as forkBuildUnreviewed } from './fork-build-unreviewed.ts';
import { rule as forkCacheToRelease } from './fork-cache-to-release.ts';
import { rule as gateUnanswered } from './gate-unanswered.ts';
import { rule as grantOutlivedJob } from './grant-outlived-job.ts';
import { rule as highScopeTokenApproved } from './high-scope-token-approved.ts';
import { rule as massWorkflowPush } from './mass-workflow-push.ts';
import { rule as mfaUnproven } from './mfa-unproven.ts';
import { rule as mintOutcomeUnknown } from './mint-outcome-unknown.ts';
import { rule as mintedForNoJob } from './minted-for-no-job.ts';
import { rule as organizationRoleGiven } from './organization-role-given.ts';
import { rule as packageManagerActs } from './package-manager-acts.ts';
import { rules as plainRuns } from './plain-runs.ts';
import { rule as privilegeGrantOutsideJob } from './privilege-grant-outside-job.ts';
import { rule as privilegedForkTrigger } from './privileged-fork-trigger.ts';
import { rule as promotionSkipped } from './promotion-skipped.ts';
import { rule as protectedBranchUnreviewed } from './protected-branch-unreviewed.ts';
import { rule as protectionLeftRelaxed } from './protection-left-relaxed.ts';
import { rule as protectionWeakenedThenPush } from './protection-weakened-then-push.ts';
import { rule as publishWithoutRun } from './publish-without-run.ts';
import { rule as releaseTagMoved } from './release-tag-moved.ts';
import { rule as repositoryExposed } from './repository-exposed.ts';
import { rule as revokedCredentialStillLive } from './revoked-credential-still-live.ts';
import { rule as rogueRunnerRegistered } from './rogue-runner-registered.ts';
import { rule as runnerCrossesEnvironments } from './runner-crosses-environments.ts';
import { rule as runnerGroupWidened } from './runner-group-widened.ts';
import { rule as secretFanout } from './secret-fanout.ts';
import { rule as secretLeaked } from './secret-leaked.ts';
import { rule as secretNewConsumer } from './secret-new-consumer.ts';
import { rule as selfHostedRunnerFork } from './self-hosted-runner-fork.ts';
import { rule as standingPrivilegeCovered } from './standing-privilege-covered.ts';
import { rule as standingPrivilegeUnused } from './standing-privilege-unused.ts';
import { rule as stepUpLinkChanged } from './step-up-link-changed.ts';
import { rule as stepUpNotMe } from './step-up-not-me.ts';
import { rule as stepUpPasskeyAdded } from './step-up-passkey-added.ts';
import { rule as tiersShare } from './tiers-share.ts';
import { rule as tokenBulkClone } from './token-bulk-clone.ts';
import { rule as tokenNotMintedByBroker } from './token-not-minted-by-broker.ts';
import { rule as untrustedMetadataInjection } from './untrusted-metadata-injection.ts';
import { rule as watchedWorkflowFailed } from './watched-workflow-failed.ts';
import { rule as webhookAuthenticityFailure } from './webhook-authenticity-failure.ts';
import { rule as workflowChangedUnreviewed } from './workflow-changed-unreviewed.ts';

/** The rules of the house, in the order in which each event meets them. */
export const rules: readonly AnyRule[] = [
  credentialNewRunner,
  buildFromUnreviewedCommit,
  privilegeGrantOutsideJob,
  grantOutlivedJob,
  breakGlassOpened,
  deployKeyWriteAdded,
  massWorkflowPush,
  tokenBulkClone,
  selfHostedRunnerFork,
  releaseTagMoved,
  protectionWeakenedThenPush,
  protectionLeftRelaxed,
  credentialNewHostedClass,
  canaryCredentialUsed,
  secretNewConsumer,
  secretFanout,
  dormantCredentialReactivated,
  credentialContextDrift,
  revokedCredentialStillLive,
  webhookAuthenticityFailure,
  mfaUnproven,
  credentialUseOutsideJob,
  privilegedForkTrigger,
  forkBuildUnreviewed,
  highScopeTokenApproved,
  appPermissionEscalated,
  untrustedMetadataInjection,
  workflowChangedUnreviewed,
  protectedBranchUnreviewed,
  defaultBranchUnprotected,
  commitIdentityMismatch,
  ephemeralBranchSecretRun,
  runnerGroupWidened,
  ephemeralRunnerReused,
  runnerCrossesEnvironments,
  secretLeaked,
  repositoryExposed,
  rogueRunnerRegistered,
  deploymentGateBypassed,
  gateUnanswered,
  stepUpNotMe,
  stepUpPasskeyAdded,
  stepUpLinkChanged,
  promotionSkipped,
  publishWithoutRun,
  ...auditCounts,
  packageManagerActs,
  firstBotPush,
  ...firstSights,
  ...plainRuns,
  checksSkipped,
  watchedWorkflowFailed,
  forkCacheToRelease,
  controlDisabledOrAuditSilenced,
  tokenNotMintedByBroker,
  credentialLeftAlive,
  mintOutcomeUnknown,
  accessRightLeftAlive,
  accessBreakGlass,
  organizationRoleGiven,
  mintedForNoJob,
  accessAskedFromElsewhere,
  accessDeniedBurst,
  accessPolicyWider,
  accessPolicyFirstGrant,
  standingPrivilegeUnused,
  standingPrivilegeCovered,
  tiersShare,
  stateFlooded,
  ...auditActions,
];

/** Those that run where nobody has configured anything. */
export const rulesByDefault: readonly AnyRule[] = rules.filter(({ offByDefault }) => offByDefault === undefined);
