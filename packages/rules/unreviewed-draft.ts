import type { FindingDraft } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { type Commit, knownUnreviewed, type Run } from './commit-facts.ts';
import { inOrder, noSurerThan, shortSha } from './story.ts';

/** State of runs does not say yet at which provider they are. */
const place = { provider: 'github', instance: 'github.com' };

/** What build-from-unreviewed-commit tells people. `unheard`: nothing says how the commit came into the repository. */
export function draftOf(
  repository: string,
  revision: string,
  commit: Commit,
  run: Run,
  why: string,
  unheard: boolean,
): Omit<FindingDraft, 'subject' | 'occasion'> {
  const push = commit.pushes.find((known) => known.ref === run.ref) ?? commit.pushes[0];
  const first = run.evidence[0]!;
  const merged = Object.keys(commit.changes)[0];
  const story = push
    ? `${push.pusher} pushed ${shortSha(revision)} to ${push.ref} of ${repository}`
    : `Nothing was ever heard of how ${shortSha(revision)} came into ${repository}`;
  const missing =
    merged === undefined
      ? 'no merged change with an approval by somebody else brought it in'
      : `change #${merged} brought it in without a live approval of its last commit by somebody else`;
  const confidence =
    commit.answer === 'unreviewed' || (push && knownUnreviewed(commit, run)) ? 'high' : unheard ? 'low' : 'medium';
  const pusher = push?.pusher ?? run.actor;
  return {
    decidedBy: { eventId: first.eventId, time: first.time },
    title: clip(`${run.name} ran on ${repository} at ${shortSha(revision)}, which nobody else reviewed`, 300),
    summary: `${story}, and ${missing}. Run ${run.id} (attempt ${run.attempt}) is ${why}.`,
    confidence: noSurerThan(confidence, run.trust),
    evidence: inOrder([...commit.pushes.map((known) => known.evidence), ...run.evidence]),
    entities: [
      { kind: 'commit', id: `${repository}@${revision}` },
      { kind: 'run', id: `${repository}#${run.id}` },
      { kind: 'repository', id: repository },
      ...run.environments.map((id) => ({ kind: 'environment' as const, id: clip(id, 500) })),
      ...(pusher === undefined ? [] : [{ kind: 'user' as const, id: pusher }]),
    ],
    response: [{ action: 'stop-run', ...place, repository, runId: run.id }],
    remedy: [
      `Cancel run ${run.id} of ${repository} and hold back whatever it built or deployed.`,
      `Ask ${pusher ?? 'whoever set it off'} what ${shortSha(revision)} is; read its diff at https://github.com/${repository}/commit/${revision}.`,
      'If nobody answers for it: revert the commit, and rotate every secret that the run could read.',
    ],
  };
}
