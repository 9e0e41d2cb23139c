import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventIs, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { inOwnOrder, inPlaceOf, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { formerNameOf } from './repositories.ts';
import { keyOf, namedRepository, onceAnEvent, repositoryKeyOf, runTypes } from './things.ts';
import { isRunOnDefaultBranch } from './workflow-runs.ts';

const holderSchema = observedSchema.extend({
  /** The key of the repository, by its id. */
  repository: z.string(),
});
export type NameHolder = z.infer<typeof holderSchema>;

const isInventory = eventIs('dev.cdeventsx.tripline-inventory.observed');
const isOfControl = eventIs('dev.cdeventsx.tripline-control.changed');
const reads = [
  ...runTypes,
  'dev.cdeventsx.tripline-control.changed',
  'dev.cdeventsx.tripline-inventory.observed',
] as const satisfies readonly EventType[];

/**
 * Which repository first had a name: the one meant by settings that name a repository. A repository that takes over the
 * name later, by renaming or after a deletion, is another.
 */
export const repositoryNames: Fact<NameHolder> = {
  id: 'repository-names',
  description:
    'Which repository bore a name first, by its id: from inventories, runs on default branches, and what was changed of it. It is forgotten after 400 to 600 days in which nothing of it changed.',
  reads,
  value: holderSchema as z.ZodType<NameHolder>,
  keys(event) {
    if (isInventory(event)) return [...listedIn(event).keys()];
    const { 'vcs.repository.name': name, 'vcs.repository.id': id }: Attributes = event.data;
    if (name === undefined || id === undefined) return none;
    if (!isOfControl(event)) return isRunOnDefaultBranch(event) ? [nameKeyOf(event, name)] : none;
    const former = formerNameOf(event.data);
    return (former === undefined ? [name] : [name, former]).map((one) => nameKeyOf(event, one));
  },
  learn(known, event, at) {
    if (known !== undefined && inOwnOrder(known, { time: event.time, eventId: event.id }) <= 0) return known;
    const repository = isInventory(event) ? listedIn(event).get(at.key) : repositoryKeyOf(event);
    if (repository === undefined) return known;
    return { ...inPlaceOf(known, observedBy(event), at.pinned), repository };
  },
  keepMs: 400 * 86_400_000,
};

const none: readonly string[] = [];
/** By the key of each name in an inventory, the key of the repository that bears it; only of those whose id it tells. */
const listedIn = onceAnEvent((event) => {
  const { 'tripline.inventory.protected': guarded = [], 'tripline.inventory.heads': heads = [] }: Attributes =
    event.data;
  const byName = new Map<string, string>();
  for (const { repository, repositoryId } of [...guarded, ...heads]) {
    if (repositoryId === undefined) continue;
    const name = nameKeyOf(event, repository);
    // Of two with the same name the first counts.
    if (!byName.has(name)) byName.set(name, keyOf(event, repositoryId));
  }
  return byName;
});

const nameKeyOf = (event: LoggedEvent, name: string): string => keyOf(event, namedRepository(clip(name, 256)));
