import { type EventType, isEvent, type LoggedEvent, receiverWorkspace } from '@tripline/contracts/event';
import type { Batch, Step } from './batch.ts';
import { engineRules } from './context.ts';
import type { Arrival } from './dedup.ts';
import type { Doubting } from './doubting.ts';
import { factKeyOf, resolveFact } from './facts.ts';
import type { Judging } from './judging.ts';
import type { KeyedState } from './keyed-state/state.ts';
import { inventoryType, proofType } from './plan.ts';
import type { Scopes } from './scopes.ts';
import { observeInventory } from './workspace-facts.ts';

const dayMs = 86_400_000;
/** Acts that the provider may tell twice, by two webhooks or by a webhook and in its audit log: of them facts are made. */
const factTypes: ReadonlySet<EventType> = new Set([
  'dev.cdeventsx.tripline-grant.added',
  'dev.cdeventsx.tripline-grant.changed',
  'dev.cdeventsx.tripline-grant.removed',
  'dev.cdeventsx.tripline-credential.requested',
  'dev.cdeventsx.tripline-audit.recorded',
]);
/** And of what is done to controls these kinds. */
const factControls: ReadonlySet<string> = new Set([
  ...['visibility', 'hook', 'repository', 'secret-scanning'],
  ...['branch-protection', 'branch-protection-switch', 'ruleset'],
]);
const isToldTwice = ({ type, data }: Pick<LoggedEvent, 'type' | 'data'>): boolean =>
  factTypes.has(type) ||
  (type === 'dev.cdeventsx.tripline-control.changed' && factControls.has(data['tripline.control.kind'] ?? ''));
const factMs = 3 * dayMs;
/** Where the provider sends no time, a body of long ago looks like a new act: these are remembered for longer. */
const bodyMs = 60 * dayMs;
/** In a workspace and a month, as many. */
const mostBodies = 10_000;
/** Of the deliveries that had it so many are known, by the end of their ids: with the body that tells them apart. */
const mostIds = 10;
const idEnd = 12;

/** Takes the events of a batch, one after the other. */
export function createTaking(parts: {
  state: KeyedState;
  scopes: Scopes;
  judging: Judging;
  doubting: Doubting;
  batch: Batch;
}) {
  const { state, scopes, judging, doubting, batch } = parts;
  const ownSlot = (workspace: string, rule: string, key: string) => state.slot(workspace, rule, key);

  /** The event with the fact that it tells, where the provider may tell it twice. */
  function withFact(event: LoggedEvent, atMs: number): LoggedEvent {
    const id = event.data['tripline.fact.id'];
    if (id === undefined || !isToldTwice(event)) return event;
    const key = factKeyOf(id);
    if (key === undefined) return { ...event, fact: id };
    const slot = ownSlot(event.workspace, engineRules.fact, key);
    const teller = event.data['tripline.fact.teller'] ?? '';
    const former = state.get(slot, atMs) as Parameters<typeof resolveFact>[2];
    const { name, row } = resolveFact(event, { id, teller }, former);
    state.set(slot, row, factMs, atMs);
    return { ...event, fact: name };
  }

  /**
   * How a body, which bears no time, was received within the last two months or more: under the same id it is the same
   * delivery, however long after it is made again.
   */
  function formerArrival(event: LoggedEvent, atMs: number): Arrival {
    const { workspace, type, bodySha256, data, id } = event;
    if (data['tripline.time.received'] !== true || bodySha256 === undefined || !isToldTwice(event)) return 'new';
    const name = `${type.slice(type.lastIndexOf('.') + 1)}:${bodySha256.slice(0, 32)}`;
    const slot = ownSlot(workspace, engineRules.body, name);
    // Former versions kept no ids.
    const known = state.get(slot, atMs) as readonly string[] | number | undefined;
    const month = ownSlot(workspace, engineRules.body, new Date(atMs).toISOString().slice(0, 7));
    const count = (state.get(month, atMs) as number | undefined) ?? 0;
    if (known === undefined && count >= mostBodies) return 'new';
    const ids = typeof known === 'object' ? known : [];
    const end = id.slice(-idEnd);
    if (ids.includes(end)) return 'duplicate';
    // The first stay: whoever sends a body again under many ids must not have the provider's own forgotten.
    state.set(slot, ids.length < mostIds ? [...ids, end] : ids, bodyMs, atMs);
    if (known === undefined) state.set(month, count + 1, bodyMs, atMs);
    return known === undefined ? 'new' : 'repeated';
  }

  return function take(step: Step): void {
    const { record, workspace, event, atMs, fault } = step;
    if (fault !== null) {
      batch.poison.push({ rule: null, reason: fault, record, timer: null });
      return;
    }
    let known = scopes.knownOf(workspace, atMs);
    if (known === undefined) {
      known = { firstSeenMs: atMs };
      // What the receiver says of itself is nobody's: nothing is imported or learned there.
      if (workspace !== receiverWorkspace) {
        batch.newWorkspaces.push(workspace);
        scopes.know(workspace, known, atMs);
      }
    }
    if (event === null) {
      if (step.repeated) batch.counts.repeated += 1;
      return;
    }
    if (isEvent(event, inventoryType)) {
      known = observeInventory(known, event as LoggedEvent<typeof inventoryType>, atMs);
      scopes.know(workspace, known, atMs);
    }
    if (isEvent(event, proofType)) {
      doubting.takeAnswer(event as LoggedEvent<typeof proofType>, record, atMs);
      // An answer may say more of the delivery than whether it is the provider's.
      const { learnings } = step;
      const at = { workspace, event, nowMs: atMs, unproven: false };
      if (learnings.length > 0) judging.judgeWhole({ learnings, readings: [], record }, at, known);
      return;
    }
    const arrival = formerArrival(event, atMs);
    const isRepeated = arrival !== 'new' || step.repeated;
    if (isRepeated) batch.counts.repeated += 1;
    if (arrival === 'duplicate') return;
    if (step.readings.length === 0 && step.learnings.length === 0) return;
    const told = withFact(event, atMs);
    if (isRepeated) doubting.doubt(step, told, known);
    else judging.judgeWhole(step, { workspace, event: told, nowMs: atMs, unproven: false }, known);
  };
}
