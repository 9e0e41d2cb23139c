import type { ConcludeContext } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import { commits } from './commits.ts';
import { isKnownReviewed, placeOf } from './review-reader.ts';
import { commitKeyIn } from './things.ts';

/**
 * Whether a tag that somebody moved goes on along the default branch: from a commit that landed there earlier, or before anybody
 * listened, to one that had landed there by then; which somebody else pushed, or which is known to be reviewed. Whoever may only
 * move tags can put it to nothing of their own. `name`: the repository's. It reads what `reviewFacts` name.
 */
export function followsBranch(
  repositoryKey: string,
  { by, time, name }: { by: { id: string }; time: string; name: string },
  { from, to }: { from: string; to: string },
  reads: Pick<ConcludeContext<unknown>, 'read' | 'watch'>,
): boolean {
  const place = placeOf(repositoryKey, name, undefined, reads);
  const known = (revision: string) => reads.watch(commits, commitKeyIn(repositoryKey, revision));
  const landingOf = (revision: string) =>
    known(revision)?.pushes.find(({ type, ref, tip }) => type === 'branch' && tip === revision && place.isDefault(ref));
  const [landing, former] = [landingOf(to), landingOf(from)];
  if (landing?.by === undefined || parseTime(landing.time) > parseTime(time)) return false;
  if (former !== undefined && parseTime(former.time) >= parseTime(landing.time)) return false;
  const isOwn = landing.by.id === by.id || known(to)!.changes.some(({ author }) => author === by.id);
  return !isOwn || isKnownReviewed(repositoryKey, name, { branch: landing.ref, revision: to }, reads);
}
