import { matches } from './ref-patterns.ts';

/** Names that by custom move with each release: a major or minor version, a channel. */
const floatingForm = /^v?(\d+)(?:\.\d+)?$|^(?:latest|stable|edge|nightly|next)$/;

export const floatsByForm = (tag: string): boolean => floatingForm.test(tag);

/** Whether both float by their form and are of two major versions, of which no release makes one commit. */
export function areOfTwoMajors(a: string, b: string): boolean {
  const [one, other] = [floatingForm.exec(a)?.[1], floatingForm.exec(b)?.[1]];
  return one !== undefined && other !== undefined && one !== other;
}

/** Whether a branch is called as a release may have been: whoever uses the tag by name gets the branch once it is gone. */
export const isNameOfRelease = (branch: string): boolean => /^v?\d/.test(branch);

/** A pattern names tags, or with `owner/name@` before it tags of one repository. A tag's name may hold an `@` itself. */
export function isNamedBy(pattern: string, tag: string, repository: string | undefined): boolean {
  const [, of, own] = /^([^/@]+\/[^/@]+)@(.+)$/.exec(pattern) ?? [];
  const isOfIt = of !== undefined && of.toLowerCase() === repository?.toLowerCase();
  return matches(pattern, tag) || (isOfIt && matches(own!, tag));
}
