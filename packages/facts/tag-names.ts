import { matches } from './ref-patterns.ts';

/** Names that by custom move with each release: a major or minor version, a channel. */
const floatingForm = /^v?(\d+)(?:\.\d+)?$|^(?:latest|stable|edge|nightly|next)$/;

/**
 * Whether `moved`, beside `other` that was moved with it, is a release: its name is not of a form that floats, or both float
 * and stand on one commit for two major versions, which no release makes.
 */
export function isRelease(moved: MovedTag, other: MovedTag): boolean {
  return !floatingForm.test(moved.tag) || (moved.commit === other.commit && areOfTwoMajors(moved.tag, other.tag));
}
type MovedTag = { tag: string; commit: string };

function areOfTwoMajors(a: string, b: string): boolean {
  const [one, other] = [floatingForm.exec(a)?.[1], floatingForm.exec(b)?.[1]];
  return one !== undefined && other !== undefined && one !== other;
}

/** Whether a branch is called as a release may have been: whoever uses the tag by name gets the branch once it is gone. */
export const isNameOfRelease = (branch: string): boolean => /^v?\d/.test(branch);

/**
 * A pattern names tags, or with `owner/name@` before it tags of one repository, by the name that it had then. A tag's name may
 * hold an `@` itself.
 */
export function isNamedBy(patterns: readonly string[], tag: string, repository: string | undefined): boolean {
  return patterns.some((pattern) => isNamedByOne(pattern, tag, repository));
}
function isNamedByOne(pattern: string, tag: string, repository: string | undefined): boolean {
  const [, of, own] = /^([^/@]+\/[^/@]+)@(.+)$/.exec(pattern) ?? [];
  const isOfIt = of !== undefined && of.toLowerCase() === repository?.toLowerCase();
  return matches(pattern, tag) || (isOfIt && matches(own!, tag));
}
