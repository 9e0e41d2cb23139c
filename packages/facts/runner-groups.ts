import type { Attributes } from '@tripline/contracts/attributes';
import type { Fact } from '@tripline/contracts/fact';
import { z } from 'zod';
import { inOwnOrder, inPlaceOf, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { keyBeside, runnerGroupId, runnerGroupKeyOf } from './runner-keys.ts';
import { onceAnEvent } from './things.ts';

export const runnerGroupSchema = z.object({
  /** As inventories told it last, of each organisation that has a group of this number. */
  listings: z.array(
    observedSchema.extend({
      ownerId: z.string().optional(),
      name: z.string(),
      hosted: z.array(z.string()),
      selfHosted: z.number(),
      isDefault: z.boolean().optional(),
    }),
  ),
});
export type RunnerGroup = z.infer<typeof runnerGroupSchema>;

export const runnerGroups: Fact<RunnerGroup> = {
  id: 'runner-groups',
  description:
    'A group of runners, by its number: which machines of the provider’s own work in it (GitHub: larger runners), and how many self-hosted ones. Inventories tell it.',
  reads: ['dev.cdeventsx.tripline-inventory.observed'],
  value: runnerGroupSchema,
  keys: (event) => [...listedIn(event).keys()],
  learn(known, event, at) {
    let listings = known?.listings ?? [];
    for (const { ownerId, name, hosted, selfHosted, isDefault } of listedIn(event).get(at.key) ?? []) {
      const more = { ...(ownerId === undefined ? {} : { ownerId }), ...(isDefault === undefined ? {} : { isDefault }) };
      const one = { ...observedBy(event), name, hosted, selfHosted, ...more };
      const same = listings.find((other) => other.ownerId === ownerId);
      if (same !== undefined && inOwnOrder(same, one) >= 0) continue;
      const last = inPlaceOf(same, one, at.pinned);
      listings = [...listings.filter((other) => other !== same), last].sort(inOwnOrder);
    }
    return listings === known?.listings ? known : { listings };
  },
  keepMs: 36_500 * 86_400_000,
};

/** By the key of each group in an inventory, what it tells of it. */
const listedIn = onceAnEvent((event) =>
  Map.groupBy((event.data as Attributes)['tripline.inventory.runner_groups'] ?? [], ({ id }) =>
    runnerGroupKeyOf(event, id),
  ),
);

/**
 * Whether the group holds machines of the provider's own and no others. With both in it nobody can say whose a runner is
 * by its group, since its name and labels are chosen by whoever registers it.
 */
export function isHostedGroup(group: RunnerGroup | undefined, ownerId: string | undefined): boolean {
  const holdsOnlyTheirs = ({ hosted, selfHosted }: RunnerGroup['listings'][number]) =>
    hosted.length > 0 && selfHosted === 0;
  const listings = group?.listings ?? [];
  // Organisations number their groups alike: of whom it is not known whose it is, it must hold for all.
  if (ownerId === undefined) return listings.length > 0 && listings.every(holdsOnlyTheirs);
  const listing = listings.find((one) => one.ownerId === undefined || one.ownerId === ownerId);
  return listing !== undefined && holdsOnlyTheirs(listing);
}

/**
 * Whether the group is one that the organisation made, with machines of its own in it: only who may administer its runners puts one
 * there. A repository's own runners are told of as in the default group (assumed of GitHub), so that one proves nothing.
 */
export const isMadeGroup = (group: RunnerGroup | undefined, ownerId: string | undefined): boolean =>
  ownerId !== undefined &&
  group?.listings.some((one) => one.ownerId === ownerId && one.isDefault === false && one.selfHosted > 0) === true;

type Worker = { hosted: boolean; groupId?: string | undefined };
/** Whether a job of a run (by its key) was taken by a machine of one's own, and not by a larger one of the provider's in a group of the customer's. */
export function isOwnMachine(
  worker: Worker | undefined,
  runKey: string,
  read: (fact: typeof runnerGroups, key: string) => RunnerGroup | undefined,
): boolean {
  if (worker === undefined || worker.hosted) return false;
  const { groupId } = worker;
  return (
    groupId === undefined || !isHostedGroup(read(runnerGroups, keyBeside(runKey, runnerGroupId(groupId))), undefined)
  );
}
