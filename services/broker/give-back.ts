import { instanceOfIssuer } from '@tripline/identity/github/instance';
import { type Answer, jobAsksTooOften, refuse, tokenSpent } from './answer.ts';
import type { ExchangeParts } from './asking.ts';
import { keysOfJob } from './keys.ts';
import { proveJob } from './prove-job.ts';
import { jobKeyOf } from './store/ends.ts';
import { giveBack } from './store/grants.ts';
import { spend } from './store/spent.ts';

/**
 * A job gives back what it was given, before it ends. By a fresh token of the same job; of another's grant nobody is told that there
 * is one. It is dead once its provider has said so.
 */
export async function returnGrant(
  parts: Pick<ExchangeParts, 'db' | 'clock' | 'verify' | 'workspaces' | 'jobLimit'>,
  { token, grant }: { token: string; grant: string },
): Promise<Answer> {
  const proved = await proveJob(parts, token);
  if ('answer' in proved) return proved.answer;
  const { job, workspace } = proved;
  const keys = keysOfJob(job, { workspace, instance: instanceOfIssuer(job.issuer) });
  const allowed = parts.jobLimit.take(jobKeyOf(keys));
  if (!allowed.ok) return jobAsksTooOften(allowed.retryAfterS);
  const { isFirst } = await spend(parts.db, job, { keys, workspace });
  if (!isFirst) return tokenSpent;
  // What Postgres cannot hold names no grant.
  const state = grant.includes('\0')
    ? 'unknown'
    : await giveBack(parts.db, { id: grant, keys, atMs: parts.clock.nowMs() });
  if (state === 'unknown') return refuse('grant-unknown', `There is no grant ${grant} of this job`);
  return { status: 202, body: { grant, state } };
}
