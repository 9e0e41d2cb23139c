import type { Standing, Trait } from './standing.ts';

/**
 * A condition under which a cloud or a secrets store takes an id token of GitHub's: a claim, and texts of which it must be one. In a text
 * `*` and `?` are wildcards where `isGlob`. `isOther`: it demands something else of the claim, which is not read.
 */
export type ClaimCondition = { claim: string; values: readonly string[]; isGlob: boolean; isOther?: boolean };

/** What a trust lets in, by what must hold of a token together: whose jobs, and what makes that loose. */
export function openedBy(conditions: readonly ClaimCondition[]): Pick<Standing, 'repositories' | 'scope' | 'traits'> {
  const of = (...claims: string[]) => conditions.filter(({ claim, isOther }) => !isOther && claims.includes(claim));
  const isWhole = ({ values, isGlob }: ClaimCondition) => !isGlob || values.every((one) => !/[*?]/.test(one));
  const subjects = of('sub').flatMap(({ values, isGlob }) => values.map((value) => placeOf(value, isGlob)));
  const named = of('repository').flatMap(({ values, isGlob }) =>
    values.map((value) => placeOf(`repo:${value}:`, isGlob)),
  );
  // Both must hold: what names the repository itself is the tighter.
  const places = named.length > 0 ? named : subjects;
  const byId = of('repository_id').some(isWhole);
  const isOwned = of('repository_owner', 'repository_owner_id').some(isWhole) || of('job_workflow_ref').some(isWhole);
  const isSaidOtherwise = conditions.some(({ claim, isOther }) => isOther && claim !== 'aud');
  const isOpen = places.length === 0 || places.some(({ owner }) => owner === null);
  const isAny = isOpen && !byId && !isOwned && !isSaidOtherwise;
  const isEvery = !isAny && !byId && !isSaidOtherwise && (isOpen || places.some(({ name }) => name === null));
  const isNarrow =
    isSaidOtherwise ||
    of('job_workflow_ref', 'ref', 'environment').some(isWhole) ||
    (subjects.length > 0 && subjects.every(({ isJob }) => isJob));
  const hasIds =
    byId || of('repository_owner_id').some(isWhole) || (subjects.length > 0 && subjects.every((one) => one.hasIds));
  const traits: Trait[] = [
    ...(isAny ? (['any-repository'] as const) : []),
    ...(isEvery ? (['every-repository'] as const) : []),
    ...(isNarrow || isAny ? [] : (['every-job-of-repository'] as const)),
    ...(conditions.some((one) => one.claim === 'aud' && (one.isOther || isWhole(one)))
      ? []
      : (['no-audience'] as const)),
    ...(hasIds ? [] : (['names-in-subject'] as const)),
  ];
  const names = [...new Set(places.flatMap(({ owner, name }) => (owner && name ? [`${owner}/${name}`] : [])))].sort();
  return {
    repositories: isAny || isEvery || names.length === 0 ? 'all' : names,
    scope: conditions.flatMap(({ claim, values }) => values.map((value) => `${claim}=${value}`)).slice(0, 50),
    traits,
  };
}

/** Null: whichever. `isJob`: only jobs of one ref, environment or event. */
type Place = { owner: string | null; name: string | null; isJob: boolean; hasIds: boolean };

/** Which repositories a subject is of, `repo:acme/api:ref:refs/heads/main` or, with ids, `repo:acme@65/api@74:…`. */
function placeOf(subject: string, isGlob: boolean): Place {
  const [, owner = '', name = '', rest = ''] = /^repo:([^/:]*)\/?([^:]*):?(.*)$/s.exec(subject) ?? [];
  const isWild = (text: string) => text === '' || (isGlob && /[*?]/.test(text));
  const bare = (text: string) => text.replace(/@(?:\d+|\*)$/, '');
  return {
    owner: isWild(bare(owner)) ? null : bare(owner),
    name: isWild(bare(name)) ? null : bare(name),
    isJob: !isWild(rest),
    hasIds: [owner, name].every((one) => /@\d+$/.test(one)),
  };
}
