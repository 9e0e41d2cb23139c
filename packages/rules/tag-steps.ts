import type { LoggedEvent } from '@tripline/contracts/event';
import { clip } from '@tripline/contracts/text';
import { noRevision } from '@tripline/facts/ref-steps';
import { isNameOfRelease } from '@tripline/facts/tag-names';
import { z } from 'zod';

const texts = { tag: z.string(), before: z.string(), after: z.string(), commit: z.string() };
/** What a push did to a tag, or to a branch of a release's name. */
export const stepSchema = z.object({ ...texts, isBranch: z.literal(true).optional() });
export type TagStep = z.infer<typeof stepSchema>;

/** Of branches only those that are made by a name that a release may have had. */
export function isStep({ data }: LoggedEvent): boolean {
  if (data['vcs.ref.head.type'] === 'tag') return true;
  return data['tripline.ref.created'] === true && isNameOfRelease(data['vcs.ref.head.name']!);
}
export function stepOf({ data }: LoggedEvent): TagStep {
  const after = data['vcs.ref.head.revision']!;
  const { 'tripline.ref.before': before = noRevision, 'tripline.push.head_revision': commit = after } = data;
  const isBranch = data['vcs.ref.head.type'] === 'branch' ? ({ isBranch: true } as const) : {};
  return { tag: clip(data['vcs.ref.head.name']!, 200), before, after, commit, ...isBranch };
}
