import type { AnyRule } from '@tripline/contracts/rule';
import { rule as breakGlassOpened } from './break-glass-opened.ts';
import { rule as buildFromUnreviewedCommit } from './build-from-unreviewed-commit.ts';
import { rule as credentialNewRunner } from './credential-new-runner.ts';
import { rule as grantOutlivedJob } from './grant-outlived-job.ts';
import { rule as privilegeGrantOutsideJob } from './privilege-grant-outside-job.ts';

/** The rules of the house, in the order in which each event meets them. */
export const rules: readonly AnyRule[] = [
  credentialNewRunner,
  buildFromUnreviewedCommit,
  privilegeGrantOutsideJob,
  grantOutlivedJob,
  breakGlassOpened,
];
