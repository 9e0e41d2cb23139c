import type { EventType } from '@tripline/contracts/event';
import { internalEventTypes } from '@tripline/contracts/internal';
import { inventoryType, proofType } from './plan.ts';
import type { ConfiguredRule } from './settings.ts';

/**
 * The types of events of which the engine reads more than type and workspace under these rules: a reader of the log may spare
 * itself the rest of all others. What only Tripline may say is read for its MAC, whoever reads it.
 */
export function typesRead(rules: readonly ConfiguredRule[]): Set<EventType> {
  const types = new Set<EventType>([inventoryType, proofType, ...internalEventTypes]);
  for (const { rule } of rules) {
    for (const type of [...rule.reads, ...(rule.concludes?.uses ?? []).flatMap(({ reads }) => reads)]) types.add(type);
  }
  return types;
}
