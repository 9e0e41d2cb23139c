import { drillPrefix } from '@tripline/contracts/drill';
import type { LoggedEvent } from '@tripline/contracts/event';

/** What the engine itself knows of a workspace, under the pseudo-rule `@workspace`. Replaced, never changed in place. */
export type WorkspaceFacts = {
  /** The log's time of its first event, ms since the epoch. */
  firstSeenMs: number;
  /** The log's time at which the last outstanding part of an inventory came; absent until then. */
  inventoryMs?: number;
  /** Parts of the inventory that have come, of how many. */
  parts?: { of: number; come: number[] };
  /** Settings by rule id; only in a drill's workspace. */
  settings?: Record<string, Record<string, unknown>>;
};

type Inventory = LoggedEvent<'dev.cdeventsx.tripline-inventory.observed'>;

/** The facts after a part of an inventory. Parts may come in any order and more than once. */
export function observeInventory(facts: WorkspaceFacts, event: Inventory, nowMs: number): WorkspaceFacts {
  const part = event.data['tripline.inventory.part'];
  const of = event.data['tripline.inventory.parts'];
  const before = facts.parts?.of === of ? facts.parts.come : [];
  const come = [...new Set([...before, part])].sort((a, b) => a - b);
  const next: WorkspaceFacts = { ...facts, parts: { of, come } };
  if (facts.inventoryMs === undefined && come.length >= of) next.inventoryMs = nowMs;
  const settings = event.data['tripline.inventory.settings'];
  if (settings !== undefined && event.workspace.startsWith(drillPrefix)) {
    next.settings = { ...facts.settings, ...settings };
  }
  return next;
}

/** The log's time before which what is received is learned: when the inventory was whole, or so long after the first event. */
export function learnedUntilMsOf(facts: WorkspaceFacts | undefined, learningMs: number): number {
  const firstSeenMs = facts?.firstSeenMs ?? 0;
  // The inventory itself is learned.
  return Math.min(firstSeenMs + learningMs, (facts?.inventoryMs ?? Number.POSITIVE_INFINITY) + 1);
}

/** Whether a rule that learns still learns here. */
export function isLearning(facts: WorkspaceFacts | undefined, nowMs: number, learningMs: number): boolean {
  if (facts === undefined) return learningMs > 0;
  return facts.inventoryMs === undefined && nowMs < facts.firstSeenMs + learningMs;
}
