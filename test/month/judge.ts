import { createHash } from 'node:crypto';
import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import type { Finding } from '@tripline/contracts/finding';
import { createEngine } from '@tripline/engine/engine';
import { joinKey, type StateKey } from '@tripline/engine/keyed-state/keys';
import type { StateRow } from '@tripline/engine/keyed-state/state';
import type { ConfiguredRule } from '@tripline/engine/settings';
import { github } from '@tripline/sources/github/source';
import { signGithub } from '@tripline/sources/github/verify';
import { createWorkspaces } from '@tripline/sources/workspace';
import { type StreamRecord, topics } from '@tripline/stream/stream';
import { answer } from './answers.ts';
import { inventoryOf } from './organisation.ts';
import type { Delivery, World } from './world.ts';

/** What the rules made of a month. */
export type Judged = {
  /** All that were found, with what became of each. */
  findings: { finding: Finding; became: 'stands' | 'retracted' | 'superseded' }[];
  events: number;
  ignored: Map<string, number>;
  lookUps: number;
  faults: Map<string, number>;
  /** CPU µs an event of the engine alone. */
  cpuMicros: number;
  stateKeys: number;
  stateBytes: number;
};

const secret = 'a secret of the month';
const settings = { github: { webhookSecrets: [secret] }, workspaces: [], drills: false, dataDir: '.' };
/** A detector that keeps up takes what came within so long as one batch. */
const batchMs = 500;
/** How long GitHub's API takes to answer. */
const answersMs = 800;

/**
 * Takes signed deliveries as the receiver does, and judges them as a detector does that has GitHub's API: each is verified and
 * normalised, in batches, and what is asked is answered at the batch's end.
 */
export function createMonthJudge(rules: readonly ConfiguredRule[], worldOf: () => World) {
  const workspaces = createWorkspaces(settings);
  const secrets = github.secrets(settings);
  const state = new Map<string, { row: StateRow; bytes: number }>();
  const rowOf = ({ workspace, rule, key }: StateKey): StateRow | null =>
    state.get(joinKey(workspace, rule, key))?.row ?? null;
  const engine = createEngine(
    { rules, learningDays: 14, peek: rowOf },
    { logTimeMs: 0, engineRows: [], timers: [], dedup: [] },
  );
  const findings = new Map<string, Judged['findings'][number]>();
  const [ignored, faults] = [new Map<string, number>(), new Map<string, number>()];
  let [events, lookUps, cpuMicros, offset, logMs, sweptMs] = [0, 0, 0, 0, 0, 0];
  let open: StreamRecord[] = [];
  const count = (map: Map<string, number>, name: string) => map.set(name, (map.get(name) ?? 0) + 1);

  function append(event: TriplineEvent, atMs: number): void {
    if (open.length > 0 && atMs - open[0]!.appendedAtMs > batchMs)
      judge(Math.min(atMs, open.at(-1)!.appendedAtMs + batchMs));
    logMs = Math.max(logMs, atMs);
    open.push({ ...toEventRecord(event), topic: topics.events, partition: 0, offset: offset++, appendedAtMs: logMs });
    events += 1;
  }

  function judge(caughtUpAtMs: number | null): void {
    const records = open;
    open = [];
    const before = process.cpuUsage();
    let missing = engine.plan({ records, caughtUpAtMs });
    for (;;) {
      engine.hold(
        missing,
        missing.flatMap((key) => rowOf(key) ?? []),
      );
      const result = engine.evaluate();
      if (!('effects' in result)) {
        missing = result.missing;
        continue;
      }
      const { effects } = result;
      for (const { workspace, rule, key, json, expiresMs } of effects.state) {
        const name = joinKey(workspace, rule, key);
        if (json === null) state.delete(name);
        else state.set(name, { row: { workspace, rule, key, value: JSON.parse(json), expiresMs }, bytes: json.length });
      }
      engine.commit();
      if (effects.logTimeMs > sweptMs + 3_600_000) {
        engine.sweep();
        sweptMs = effects.logTimeMs;
      }
      const { user, system } = process.cpuUsage(before);
      cpuMicros += user + system;
      for (const verdict of effects.verdicts) lay(verdict);
      for (const { rule, reason } of effects.poison) count(faults, `${rule ?? 'record'}: ${reason}`);
      lookUps += effects.lookUps.length;
      for (const { workspace, lookup } of effects.lookUps) {
        const world = worldOf();
        world.at(logMs + answersMs, () => append(answer(world, workspace, lookup), logMs + answersMs));
      }
      return;
    }
  }

  function lay(verdict: ReturnType<typeof effectsOf>['verdicts'][number]): void {
    if (verdict.kind === 'retracted') {
      const known = findings.get(verdict.retraction.findingId);
      if (known !== undefined) known.became = 'retracted';
    } else if ('finding' in verdict) {
      const became = verdict.supersededBy == null ? 'stands' : 'superseded';
      const known = findings.get(verdict.finding.id);
      if (known === undefined) findings.set(verdict.finding.id, { finding: verdict.finding, became });
      else known.became = became;
    } else {
      const known = findings.get(verdict.change.findingId);
      if (known === undefined) return;
      if (verdict.kind === 'superseded') known.became = verdict.change.by == null ? 'stands' : 'superseded';
      if (verdict.kind === 'lowered') known.finding = { ...known.finding, severity: 'low' };
      if (verdict.kind === 'grown')
        known.finding = { ...known.finding, severity: verdict.change.severity ?? known.finding.severity };
    }
  }

  return {
    /** What GitHub's API told on the first day. */
    importInventory(world: World): void {
      const { organisation, startMs } = world;
      const workspace = organisation.login;
      const [id, source, time] = ['inventory', `//github.com/${workspace}`, new Date(startMs - 60_000).toISOString()];
      const type = 'dev.cdeventsx.tripline-inventory.observed';
      append(
        { id, source, type, time, workspace, trust: 'high', data: inventoryOf(organisation) } as TriplineEvent,
        startMs - 60_000,
      );
    },
    receive(delivery: Delivery, receivedAtMs: number): void {
      const { event, id, body: rawBody } = delivery;
      const headers = {
        ...{ 'content-type': 'application/json', 'x-github-event': event, 'x-github-delivery': id },
        'x-hub-signature-256': signGithub(rawBody, secret),
      };
      const verified = github.verify(rawBody, headers, secrets, receivedAtMs);
      if ('refusal' in verified) throw new Error(`a delivery of the month is not proved: ${verified.refusal.message}`);
      const bodySha256 = createHash('sha256').update(rawBody).digest('hex');
      const made = github.normalise(
        { headers, rawBody, bodySha256, receivedAtMs, secretScope: verified.secretScope },
        workspaces,
      );
      if ('event' in made) append(made.event, receivedAtMs);
      else if ('ignored' in made) count(ignored, `${event}: ${made.ignored}`);
      else
        throw new Error(
          `a delivery of the month is refused: ${JSON.stringify(made)} ${rawBody.toString().slice(0, 300)}`,
        );
    },
    /** Ends the log, and waits for what is held. */
    end(atMs: number): Judged {
      while (open.length > 0) judge(null);
      judge(atMs);
      while (open.length > 0) judge(null);
      const stateBytes = [...state.values()].reduce((sum, { bytes }) => sum + bytes, 0);
      return {
        findings: [...findings.values()],
        events,
        ignored,
        lookUps,
        faults,
        cpuMicros: cpuMicros / events,
        stateKeys: state.size,
        stateBytes,
      };
    },
  };
}

/** For its type alone. */
declare function effectsOf(): Extract<
  ReturnType<ReturnType<typeof createEngine>['evaluate']>,
  { effects: unknown }
>['effects'];
