import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cast, Expectation, Scenario, Step } from '@tripline/scenarios/contract';
import { deliveriesOf, type ScenarioDelivery } from '@tripline/scenarios/deliveries';
import { deliver, type Receiver, signDelivery } from './deliver.ts';
import { afterDeciding, faults, pairUp, type Seen } from './seen.ts';
import { dueMs, listening, type Timeline } from './timeline.ts';

/** One thing that happened, for the viewer. `ms` counts from the deciding event; before it, from when that is planned. */
export type Report =
  | { what: 'sent'; ms: number; step: string; event: string; says: string; status: number }
  | (Seen & { ms: number });

export type Verdict = {
  /** What did not come true, or should not have; empty when all is as the scenario says. */
  faults: string[];
  /** Milliseconds from the deciding event to the finding, the first telling and the last recorded response. */
  timings: { rule: string; foundMs: number; toldMs: number | null; revokedMs: number | null }[];
};

export type Playing = {
  scenario: Scenario;
  benign: boolean;
  receiver: Receiver;
  cast: Cast;
  /** What the log holds its timers back by: the skew that Kafka is allowed, 0 on the embedded log. */
  skewMs: number;
  /** What is new in the drill's workspace since the last call. */
  look: () => Promise<Seen[]>;
  report: (item: Report) => void;
};

/** How often Tripline is asked what it did, in ms: fine enough for the figures that are shown. */
const pollMs = 15;

export function castFor(scenario: Scenario, nowMs: number): Cast {
  const seed = randomInt(1, 2 ** 40);
  return { organization: `tripline-drill-${scenario.id}-${seed.toString(36)}`, startMs: nowMs, seed };
}

/** Sends the baseline and every step in time, watches what Tripline makes of it, and judges. */
export async function play(playing: Playing): Promise<Verdict> {
  const { scenario, benign, cast, receiver } = playing;
  const expects: readonly Expectation[] = benign ? [] : scenario.expects;
  const [baseline, ...deliveries] = deliveriesOf(scenario, benign ? 'benign' : 'attack', cast);
  const steps = deliveries.flatMap(({ step }) => step ?? []);
  const seen: Seen[] = [];
  await deliver(receiver, signDelivery(baseline!, receiver.secret));

  const timeline: Timeline = { startMs: performance.now() - (Date.now() - cast.startMs), sentMs: new Map() };
  const zeroMs = () => zeroOf(expects, steps, timeline);
  const reportSeen = (item: Seen) => {
    seen.push(item);
    playing.report({ ...item, ms: round(afterDeciding(item, expects, seen, timeline) ?? item.atMs - zeroMs()) });
  };
  const sending = sendAll(deliveries, timeline, async (delivery, { name, event, says }) => {
    const status = await deliver(receiver, signDelivery(delivery, receiver.secret));
    const ms = round(timeline.sentMs.get(name)! - zeroMs());
    playing.report({ what: 'sent', ms, step: name, event, says, status });
  });
  let sent = false;
  // Rejections surface at the `await` below; this only notes the end.
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
      if (sinceMs > mostMs || (sinceMs > quietMs && faults(expects, seen).length === 0)) break;
    }
    await pause(pollMs);
  }
  await noted;
  return { faults: faults(expects, seen), timings: timings(expects, seen, timeline) };
}

/** One after the other, each in its time: the order of the deliveries is part of the scenario. */
async function sendAll(
  deliveries: readonly ScenarioDelivery[],
  timeline: Timeline,
  send: (delivery: ScenarioDelivery, step: Step) => Promise<void>,
): Promise<void> {
  for (const delivery of deliveries) {
    if (delivery.step === null) continue;
    await pause(Math.max(0, timeline.startMs + delivery.atMs - performance.now()));
    timeline.sentMs.set(delivery.step.name, performance.now());
    await send(delivery, delivery.step);
  }
}

/** Where the milliseconds of the whole playing count from: the first expectation's deciding step, or the last step of a benign twin. */
function zeroOf(expects: readonly Expectation[], steps: readonly Step[], timeline: Timeline): number {
  const first = expects[0];
  const deciding = steps.find((step) => step.name === first?.decidingStep) ?? steps.at(-1);
  const planned = timeline.startMs + (deciding?.atMs ?? 0) + (first?.afterMs ?? 0);
  const sentMs = first ? dueMs(first, timeline) : deciding && timeline.sentMs.get(deciding.name);
  return sentMs ?? planned;
}

function timings(expects: readonly Expectation[], seen: readonly Seen[], timeline: Timeline): Verdict['timings'] {
  const pairs = pairUp(expects, seen);
  return seen.flatMap((found) => {
    const expectation = found.what === 'found' ? pairs.get(found.id) : undefined;
    const due = expectation && dueMs(expectation, timeline);
    if (found.what !== 'found' || due === undefined) return [];
    const told = seen.filter(
      (item) => item.what === 'told' && item.incident === found.incident && item.atMs >= found.atMs,
    );
    const revoked = seen.filter((item) => item.what === 'revoked' && item.finding === found.id);
    return [
      {
        rule: found.rule,
        foundMs: round(found.atMs - due),
        toldMs: told.length > 0 ? round(Math.min(...told.map((item) => item.atMs)) - due) : null,
        revokedMs: revoked.length > 0 ? round(Math.max(...revoked.map((item) => item.atMs)) - due) : null,
      },
    ];
  });
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
