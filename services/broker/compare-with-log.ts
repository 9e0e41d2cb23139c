import type { Disagreement } from '@tripline/access/known';
import type { LoggedJob } from '@tripline/access/known-run';
import { inSmallLetters } from '@tripline/contracts/text';
import type { GitHubJob } from '@tripline/identity/workload';

/**
 * Events whose token and webhook name one commit and ref. Of a change, a comment or another run the token names what GitHub
 * checks out, and the webhook what set it off.
 */
const ofOneCommit: ReadonlySet<string> = new Set([
  ...['push', 'workflow_dispatch', 'schedule', 'release', 'repository_dispatch', 'merge_group', 'create'],
]);

/**
 * What the log tells of a job otherwise than its token. What the log has not told is no difference. `first`: a job of the run's
 * first attempt, by which its actor is known: a token names who set the run off, and the log who ran it again.
 */
export function disagreementsOf(job: GitHubJob, told: LoggedJob, first: LoggedJob | undefined): Disagreement[] {
  const { job: log, known } = told;
  const pairs: [what: string, token: string, log: string | undefined][] = [['event', job.event, log.event]];
  if (job.event === log.event && ofOneCommit.has(job.event))
    pairs.push(['commit', job.sha, log.sha], ['ref', shortRef(job.ref), shortRef(log.ref)]);
  pairs.push(['workflow', fileOf(job.caller.ref), fileOf(log.caller.ref)]);
  // Jobs of one attempt may have several.
  if (isOf(job, told)) {
    pairs.push(['environment', nameOfEnvironment(job.environment ?? 'none')!, nameOfEnvironment(log.environment)]);
    pairs.push(['machine', job.runnerEnvironment, known.runner === undefined ? undefined : log.runnerEnvironment]);
  }
  const actor = first?.job.actor.id;
  pairs.push(['actor', job.actor.id, actor === '' ? undefined : actor]);
  return pairs.flatMap(([what, token, other]) =>
    other === undefined || token === other ? [] : [{ what, token, log: other }],
  );
}

/** Whether the log tells of this very job, and not of another of its attempt. */
export const isOf = ({ checkRunId }: GitHubJob, { job }: LoggedJob): boolean =>
  checkRunId !== null && job.checkRunId === checkRunId;

/** By which environments are compared; undefined where there is none. */
export const nameOfEnvironment = (environment: string | null | undefined): string | undefined =>
  environment == null ? undefined : inSmallLetters(environment);

/** GitHub's events name a ref by its short name alone. */
const shortRef = (ref: string): string => ref.replace(/^refs\/(?:heads|tags)\//, '');

/** `owner/name/.github/workflows/release.yml@…`: the path alone, since repositories are renamed. */
function fileOf(ref: string): string {
  const [path = ''] = ref.split('@');
  return path.split('/').slice(2).join('/');
}
