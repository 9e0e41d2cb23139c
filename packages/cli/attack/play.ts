import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { deliveriesOf, eventId, type ScenarioDelivery } from '@tripline/scenarios/deliveries';
import type { Cast, Scenario, ScenarioStep } from '@tripline/scenarios/scenario';
import { deliver, type Receiver, signDelivery } from './deliver.ts';
import { alsoFound, type DrillEvent, type Expected, faults, round, type Timing, timings } from './seen.ts';
import { listening, type Timeline } from './timeline.ts';

/** One thing that happened, for the viewer. `ms` counts from the start of the playing. */
export type Report =
  | { what: 'sent'; ms: number; step: string; event: string; says: string; status: number }
  | { what: 'acted'; ms: number; step: string; says: string }
  | (DrillEvent & { ms: number });

export type DrillVerdict = {
  /**
   * Expectations that failed or, in the benign twin, findings that should not exist; empty when all is as the scenario
   * says.
   */
  faults: string[];
  /** Further findings of an attack that the scenario does not expect, such as those of a user's own rule. */
  alsoFound: string[];
  timings: Timing[];
};

export type Playing = {
  scenario: Scenario;
  benign: boolean;
  receiver: Receiver;
  cast: Cast;
  /** How long the log delays timers, ms: the clock skew that Kafka is allowed, 0 on the embedded log. */
  skewMs: number;
  /** What is new in the drill's workspace since the last call. */
  look: () => Promise<DrillEvent[]>;
  /** How often it is asked, in ms: the figures that are shown are no finer. */
  lookEveryMs: number;
  /** Does what a person does in this step: resolves the incidents of the drill's workspace. */
  act: (step: ScenarioStep) => Promise<void>;
  report: (item: Report) => void;
};

export function castFor(scenario: Scenario, nowMs: number): Cast {
  const seed = randomInt(1, 2 ** 32);
  return { organization: `tripline-drill-${scenario.id}-${seed.toString(36)}`, startMs: nowMs, seed };
}

/** Sends the baseline and every step at its time, watches what Tripline does, and compares it with the expectations. */
export async function play(playing: Playing): Promise<DrillVerdict> {
  const { scenario, benign, cast, receiver } = playing;
  const [baseline, ...deliveries] = deliveriesOf(scenario, benign ? 'benign' : 'attack', cast);
  const steps = deliveries.flatMap(({ step }) => step ?? []);
  const expects = benign ? [] : expectedOf(scenario, steps, cast);
  const seen: DrillEvent[] = [];
  await deliver(receiver, signDelivery(baseline!, receiver.secret));

  const timeline: Timeline = { startMs: performance.now() - (Date.now() - cast.startMs), sentMs: new Map() };
  const wrong = () => faults(expects, seen, { strict: benign });
  const reportSeen = (item: DrillEvent) => {
    seen.push(item);
    playing.report({ ...item, ms: round(item.atMs - timeline.startMs) });
  };
  const sending = sendAll(deliveries, timeline, async (delivery, step) => {
    const { name, event, says } = step;
    const ms = round(timeline.sentMs.get(name)! - timeline.startMs);
    if (step.source === 'person') {
      await playing.act(step);
      playing.report({ what: 'acted', ms, step: name, says });
      return;
    }
    const status = await deliver(receiver, signDelivery(delivery, receiver.secret));
    playing.report({ what: 'sent', ms, step: name, event, says, status });
  });
  let sent = false;
  // Rejections surface at the `await` below; this only records the end.
  const noted = sending.then(
    () => {
      sent = true;
    },
    () => {
      sent = true;
    },
  );

  const settings = scenario.baseline(cast)['tripline.inventory.settings'] ?? {};
  const { quietMs, mostMs } = listening(scenario, steps, settings, playing.skewMs);
  for (;;) {
    for (const item of await playing.look()) reportSeen(item);
    if (sent) {
      await sending;
      const sinceMs = performance.now() - Math.max(timeline.startMs, ...timeline.sentMs.values());
      if (sinceMs > mostMs || (sinceMs > quietMs && wrong().length === 0)) break;
    }
    await pause(playing.lookEveryMs);
  }
  await noted;
  const also = benign ? [] : alsoFound(expects, seen);
  return { faults: wrong(), alsoFound: also, timings: timings(expects, seen, timeline) };
}

function expectedOf({ expects, id }: Scenario, steps: readonly ScenarioStep[], cast: Cast): Expected[] {
  return expects.map((expectation) => {
    const step = steps.find(({ name }) => name === expectation.decidingStep);
    if (step === undefined) throw new Error(`${id} has no step ${expectation.decidingStep}`);
    return { ...expectation, decidingEvent: eventId(cast, step) };
  });
}

/** One after the other, each at its time: the order of the deliveries is part of the scenario. */
async function sendAll(
  deliveries: readonly ScenarioDelivery[],
  timeline: Timeline,
  send: (delivery: ScenarioDelivery, step: ScenarioStep) => Promise<void>,
): Promise<void> {
  for (const delivery of deliveries) {
    if (delivery.step === null) continue;
    await pause(Math.max(0, timeline.startMs + delivery.atMs - performance.now()));
    timeline.sentMs.set(delivery.step.name, performance.now());
    await send(delivery, delivery.step);
  }
}
