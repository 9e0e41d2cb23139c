import { brokerKeyStolen } from './broker-key-stolen.ts';
import { buildFromUnreviewedCommit } from './build-from-unreviewed-commit.ts';
import { credentialNewRunner } from './credential-new-runner.ts';
import { deployUnreviewed } from './deploy-unreviewed.ts';
import { dropboxPhish } from './dropbox-phish.ts';
import { fakeDependabot } from './fake-dependabot.ts';
import { ghostAction } from './ghost-action.ts';
import { githubInternal } from './github-internal.ts';
import { grafanaFork } from './grafana-fork.ts';
import { grantOutlivedJob } from './grant-outlived-job.ts';
import { hackerbotClaw } from './hackerbot-claw.ts';
import { homebrewReview } from './homebrew-review.ts';
import { megalodon } from './megalodon.ts';
import { missedToken } from './missed-token.ts';
import { nxSingularity } from './nx-singularity.ts';
import { oauthIntegrator } from './oauth-integrator.ts';
import { oktaSource } from './okta-source.ts';
import { phpGit } from './php-git.ts';
import { privilegeGrantOutsideJob } from './privilege-grant-outside-job.ts';
import { prtScan } from './prt-scan.ts';
import { pytorchRunner } from './pytorch-runner.ts';
import { salesloftGuest } from './salesloft-guest.ts';
import { sapCap } from './sap-cap.ts';
import type { Scenario } from './scenario.ts';
import { selfGrantedAdmin } from './self-granted-admin.ts';
import { shaiHulud1 } from './shai-hulud-1.ts';
import { shaiHulud2 } from './shai-hulud-2.ts';
import { stolenOidcToken } from './stolen-oidc-token.ts';
import { tanstack } from './tanstack.ts';
import { tjActions } from './tj-actions.ts';
import { tokenUsedAfterJob } from './token-used-after-job.ts';
import { trivyTags } from './trivy-tags.ts';
import { ultralytics } from './ultralytics.ts';
import { xygeni } from './xygeni.ts';

/** The scenarios that `tripline attack` plays. */
export const scenarios: readonly Scenario[] = [
  tjActions,
  credentialNewRunner,
  privilegeGrantOutsideJob,
  grantOutlivedJob,
  buildFromUnreviewedCommit,
  oauthIntegrator,
  phpGit,
  dropboxPhish,
  oktaSource,
  fakeDependabot,
  githubInternal,
  missedToken,
  ultralytics,
  ghostAction,
  xygeni,
  prtScan,
  hackerbotClaw,
  grafanaFork,
  nxSingularity,
  tanstack,
  pytorchRunner,
  homebrewReview,
  salesloftGuest,
  shaiHulud2,
  megalodon,
  trivyTags,
  shaiHulud1,
  sapCap,
  stolenOidcToken,
  tokenUsedAfterJob,
  brokerKeyStolen,
  selfGrantedAdmin,
  deployUnreviewed,
];
