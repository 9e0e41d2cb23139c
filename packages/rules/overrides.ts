import { protectionOverridden } from '@tripline/contracts/fact';
import type { ConcludeContext } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import { commits } from '@tripline/facts/commits';
import { commitKeyIn } from '@tripline/facts/things';

/** A push and the record that it went past a protection lie so far apart at most, ms. */
const apartMs = 30_000;
const mostPushes = 8;

/**
 * The acts of going past a protection by which these commits may have come in, as the audit log calls them: by the commit, or by the
 * branch, account and minute of a push. `key`: the repository's.
 */
export function overridesOf(
  key: string,
  revisions: readonly string[],
  { read }: Pick<ConcludeContext<unknown>, 'read'>,
): string[] {
  const repository = key.split(':').slice(2).join(':');
  const acts = revisions.flatMap((revision) => {
    const pushes = (read(commits, commitKeyIn(key, revision))?.pushes ?? []).filter(({ type }) => type === 'branch');
    const byPush = pushes.slice(0, mostPushes).flatMap(({ ref, by, time }) =>
      [-apartMs, apartMs].map((ms) => {
        const minute = new Date(parseTime(time) + ms).toISOString().slice(0, 16);
        return `${ref}/${by?.id}/${minute}`;
      }),
    );
    return [revision, ...byPush];
  });
  return [...new Set(acts)].map((act) => protectionOverridden(repository, act));
}
