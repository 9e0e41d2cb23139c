import type { LoggedEvent } from '@tripline/contracts/event';
import { fromEventRecord } from '@tripline/contracts/event-record';
import type { StreamRecord } from '@tripline/stream/stream';
import type { Batch, Step } from './batch.ts';
import type { Judging } from './judging.ts';
import type { Planning, proofType } from './plan.ts';
import type { Scopes } from './scopes.ts';
import type { ConfiguredRule } from './settings.ts';
import type { Unproven, Waiting } from './unproven.ts';
import type { WorkspaceFacts } from './workspace-facts.ts';

export type Doubting = ReturnType<typeof createDoubting>;

/**
 * Handles an event whose body was received before under another id, until the provider's list says whether the delivery
 * is its own, and then.
 */
export function createDoubting(parts: {
  ruleById: ReadonlyMap<string, ConfiguredRule>;
  unproven: Unproven;
  planning: Planning;
  judging: Judging;
  scopes: Scopes;
  batch: Batch;
}) {
  const { ruleById, unproven, planning, judging, scopes, batch } = parts;

  /** The delivery cannot be verified: the event is processed, but retracts nothing and triggers no response. */
  function giveUp(workspace: string, id: string, nowMs: number): void {
    const row = unproven.read(workspace, id, nowMs);
    if (row?.waiting === undefined) return;
    unproven.giveUp(workspace, id, row, nowMs);
    judgeInFull(workspace, row.heardMs, row.waiting, nowMs, true);
  }
  function judgeInFull(workspace: string, heardMs: number, waiting: Waiting, nowMs: number, isUnproven: boolean): void {
    const { value, fact, ...place } = waiting;
    const record: StreamRecord = { ...place, value: Buffer.from(value), appendedAtMs: heardMs };
    const read = fromEventRecord(record, record);
    const event = fact === undefined ? read : { ...read, fact };
    const known = scopes.knownOf(workspace, nowMs);
    const told = { ...planning.partsOf(event, known), record };
    judging.judgeWhole(told, { workspace, event, nowMs, unproven: isUnproven }, known);
  }

  return {
    giveUp,
    /**
     * The provider's list is asked whether the delivery is its own. Until then, findings from it are reported with a
     * mark, and all other effects are undone.
     */
    doubt(step: Step, event: LoggedEvent, known: WorkspaceFacts | undefined): void {
      const { workspace, record, atMs } = step;
      const { id: eventId, source, fact } = event;
      const teller = event.data['tripline.fact.teller'] ?? null;
      const sentMs = Math.min(atMs, Date.parse(event.time));
      batch.questions.push({ workspace, eventId, source, event: teller, heardMs: atMs, sentMs });
      const at = { workspace, event, nowMs: atMs, unproven: true };
      if (unproven.wait(event, record, fact, atMs)) judging.judgeProvisionally(step, at, known);
      else judging.judgeWhole(step, at, known);
      const old = unproven.oneTooMany(workspace, atMs);
      if (old !== undefined) giveUp(workspace, old, atMs);
    },
    takeAnswer({ workspace, data }: LoggedEvent<typeof proofType>, record: StreamRecord, nowMs: number): void {
      const { 'tripline.delivery.id': id, 'tripline.delivery.proof': proof } = data;
      const row = unproven.read(workspace, id, nowMs);
      if (row === undefined) return;
      if (proof === 'unavailable') {
        giveUp(workspace, id, nowMs);
        return;
      }
      const { waiting } = row;
      // An event that was processed already stays doubted in what rules know of it.
      if (proof === 'listed' || waiting !== undefined) unproven.forget(workspace, id, nowMs);
      else unproven.refute(workspace, id, row, nowMs);
      if (proof === 'listed' && waiting !== undefined) judgeInFull(workspace, row.heardMs, waiting, nowMs, false);
      const as = proof === 'not-listed' ? 'refuted' : waiting === undefined ? 'vouched' : 'judged-anew';
      judging.settle(workspace, nowMs, id, row.findings, as);
      const at = { workspace, nowMs, event: null, unproven: false };
      // What it explained is found after all, also where nothing had stood that it could lower.
      if (proof === 'not-listed' && row.learned !== undefined) judging.concludeAnew(row.learned, at, record);
      for (const { rule, subject } of row.asks ?? []) {
        const configured = ruleById.get(rule);
        if (configured?.rule.concludes === undefined) continue;
        judging.conclude(configured, subject, at, scopes.knownOf(workspace, nowMs), { record, timer: null });
      }
    },
  };
}
