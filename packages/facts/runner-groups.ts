import type { Fact } from '@tripline/contracts/fact';
import { z } from 'zod';
import { inOwnOrder, inPlaceOf, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { runnerGroupKeyOf } from './runner-keys.ts';

export const runnerGroupSchema = z.object({
  /** As inventories told it last, of each organisation that has a group of this number. */
  listings: z.array(
    observedSchema.extend({
      ownerId: z.string().optional(),
      name: z.string(),
      hosted: z.array(z.string()),
      selfHosted: z.number(),
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
  keys: (event) => (event.data['tripline.inventory.runner_groups'] ?? []).map(({ id }) => runnerGroupKeyOf(event, id)),
  learn(known, event, at) {
    let listings = known?.listings ?? [];
    for (const { id, ownerId, name, hosted, selfHosted } of event.data['tripline.inventory.runner_groups'] ?? []) {
      if (runnerGroupKeyOf(event, id) !== at.key) continue;
      const one = { ...observedBy(event), name, hosted, selfHosted, ...(ownerId === undefined ? {} : { ownerId }) };
      const same = listings.find((other) => other.ownerId === ownerId);
      if (same !== undefined && inOwnOrder(same, one) >= 0) continue;
      const last = inPlaceOf(same, one, at.pinned);
      listings = [...listings.filter((other) => other !== same), last].sort(inOwnOrder);
    }
    return listings === known?.listings ? known : { listings };
  },
  keepMs: 36_500 * 86_400_000,
};

/**
 * Whether the group holds machines of the provider's own and no others. With both in it nobody can say whose a runner is
 * by its group, since its name and labels are chosen by whoever registers it.
 */
export function isHostedGroup(group: RunnerGroup | undefined, ownerId: string | undefined): boolean {
  const listing = group?.listings.find(
    (one) => one.ownerId === undefined || ownerId === undefined || one.ownerId === ownerId,
  );
  return listing !== undefined && listing.hosted.length > 0 && listing.selfHosted === 0;
}
