import type { Known } from '@tripline/access/known';
import type { StoredHead } from './store/policies.ts';

/** More commits between two versions are read by nobody. */
const mostBetween = 1000;

/**
 * Whether `head` is reviewed with all that was pushed between it and `inForce`, whose content is in force: a reviewed commit on top
 * of an unreviewed one holds both. `inForce` undefined: down to what is known, beneath which lies what was there before.
 */
export function reviewedSince(
  head: string,
  inForce: string | undefined,
  known: ReadonlyMap<string, StoredHead>,
): Known['reviewed'] {
  let at = head;
  for (let place = 0; place < mostBetween; place += 1) {
    if (at === inForce) return { is: 'reviewed', why: known.get(head)?.why ?? 'it is in force' };
    const one = known.get(at);
    const isBase = at !== head && inForce === undefined;
    if (one === undefined && isBase) break;
    if (one === undefined)
      return {
        is: 'unknown',
        why: `no push of ${short(at)} was received${at === head ? ' yet' : ', on which it rests'}`,
      };
    if (one.reviewed !== 'reviewed')
      return { is: one.reviewed, why: at === head ? one.why : `${short(at)} beneath it: ${one.why}` };
    if (one.before === null) break;
    at = one.before;
  }
  if (inForce !== undefined)
    return { is: 'unknown', why: `it does not come after ${short(inForce)}, which is in force` };
  return { is: 'reviewed', why: known.get(head)!.why };
}

const short = (revision: string): string => revision.slice(0, 12);
