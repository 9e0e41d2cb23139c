import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import { z } from 'zod';
import { inOwnOrder, inPlaceOf, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';

/**
 * The last decision of a person about a thing: allowed, when they resolved an incident about it as accepted, or no
 * longer allowed, when they reopened it or resolved it as something else.
 */
export const acceptedSchema = observedSchema.extend({
  isAccepted: z.boolean(),
  heardMs: z.number(),
  by: z.string(),
  reason: z.string().optional(),
});
export type Accepted = z.infer<typeof acceptedSchema>;

/**
 * The runners of an act that accepts them or revokes that; those for which `isOne` holds. Acts of unidentified people
 * teach nothing.
 */
export function teaches(data: Attributes, isOne: (entity: string) => boolean): string[] {
  const kind = data['tripline.act.kind'];
  if (kind !== 'incident-resolved' && kind !== 'incident-reopened') return [];
  // Resolving as false allows nothing.
  if (data['tripline.act.resolution'] === 'false' || (data['tripline.act.proof'] ?? 'none') === 'none') return [];
  const entities = data['tripline.act.entities'] ?? [];
  return [...new Set(entities.flatMap(({ kind, id }) => (kind === 'runner' && isOne(id) ? [id] : [])))];
}

export function acceptedIn(event: LoggedEvent, heardMs: number): Accepted {
  const data: Attributes = event.data;
  const isAccepted =
    data['tripline.act.kind'] === 'incident-resolved' && data['tripline.act.resolution'] === 'accepted';
  const reason = data['tripline.act.reason'];
  const by = data['user.name'] ?? data['user.id'] ?? 'somebody';
  return { ...observedBy(event), isAccepted, heardMs, by, ...(reason === undefined ? {} : { reason }) };
}

/** What was said last, by its own time. */
export function newerAct(known: Accepted | undefined, told: Accepted, pinned: ReadonlySet<string>): Accepted {
  return known !== undefined && inOwnOrder(known, told) >= 0 ? known : inPlaceOf(known, told, pinned);
}
