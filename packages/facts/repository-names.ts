import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventIs, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { inOwnOrder, inPlaceOf, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { formerNameOf } from './repositories.ts';
import { keyOf, namedRepository, repositoryKeyOf } from './things.ts';
import { isRunOnDefaultBranch } from './workflow-runs.ts';

const holderSchema = observedSchema.extend({
  /** The key of the repository, by its id. */
  repository: z.string(),
});
export type NameHolder = z.infer<typeof holderSchema>;

const isInventory = eventIs('dev.cdeventsx.tripline-inventory.observed');
const isOfControl = eventIs('dev.cdeventsx.tripline-control.changed');
const reads = [
  'dev.cdevents.pipelinerun.queued',
  'dev.cdevents.pipelinerun.started',
  'dev.cdevents.pipelinerun.finished',
  'dev.cdeventsx.tripline-control.changed',
  'dev.cdeventsx.tripline-inventory.observed',
] as const satisfies readonly EventType[];

/**
 * Which repository was the first that was known by a name: whom settings mean that name a repository. Whoever takes the name
 * over later, by renaming or after a deletion, is another.
 */
export const repositoryNames: Fact<NameHolder> = {
  id: 'repository-names',
  description:
    'Which repository bore a name first, by its id: from inventories, runs on default branches, and what was changed of it. It is forgotten after 400 to 600 days in which nothing of it changed.',
  reads,
  value: holderSchema as z.ZodType<NameHolder>,
  keys: (event) => heldBy(event).map(({ name }) => name),
  learn(known, event, at) {
    const repository = heldBy(event).find(({ name }) => name === at.key)?.repository;
    if (repository === undefined || (known !== undefined && inOwnOrder(known, { ...event, eventId: event.id }) <= 0))
      return known;
    return { ...inPlaceOf(known, observedBy(event), at.pinned), repository };
  },
  keepMs: 400 * 86_400_000,
};

/** Keys of names, and of the repositories that an event says bore them; only those whose id it tells. */
function heldBy(event: LoggedEvent): { name: string; repository: string }[] {
  const data: Attributes = event.data;
  if (isInventory(event)) {
    const listed = [...(data['tripline.inventory.protected'] ?? []), ...(data['tripline.inventory.heads'] ?? [])];
    return listed.flatMap(({ repository, repositoryId }) =>
      repositoryId === undefined
        ? []
        : [{ name: nameKeyOf(event, repository), repository: keyOf(event, repositoryId) }],
    );
  }
  const name = data['vcs.repository.name'];
  if (name === undefined || data['vcs.repository.id'] === undefined) return [];
  if (!isOfControl(event) && !isRunOnDefaultBranch(event)) return [];
  const repository = repositoryKeyOf(event)!;
  const former = isOfControl(event) ? formerNameOf(data) : undefined;
  const names = former === undefined ? [name] : [name, former];
  return names.map((one) => ({ name: nameKeyOf(event, one), repository }));
}

const nameKeyOf = (event: LoggedEvent, name: string): string => keyOf(event, namedRepository(clip(name, 256)));
