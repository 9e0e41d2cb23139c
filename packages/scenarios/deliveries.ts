import { createHash } from 'node:crypto';
import { toCloudEvent } from '@tripline/sources/tripline/source';
import type { Cast, Scenario, ScenarioStep } from './scenario.ts';

/** One delivery of a playing, as its feed would send it, or an act of a person; the headers lack only the signature. */
export type ScenarioDelivery = {
  /** Null for the baseline, which comes first. */
  step: ScenarioStep | null;
  /** When it is sent, ms after the start. */
  atMs: number;
  source: ScenarioStep['source'];
  headers: Record<string, string>;
  body: Buffer;
};

export function deliveriesOf(scenario: Scenario, variant: 'attack' | 'benign', cast: Cast): ScenarioDelivery[] {
  const baseline = cloudEvent(cast, 'baseline', 0, {
    event: 'dev.cdeventsx.tripline-inventory.observed',
    body: scenario.baseline(cast),
  });
  const steps = [...scenario[variant](cast)].sort((a, b) => a.atMs - b.atMs);
  return [{ step: null, ...baseline }, ...steps.map((step) => ({ step, ...deliveryOf(cast, step) }))];
}

/** The id under which a step's delivery is sent, of a record its own. A redelivery keeps it. */
export function deliveryId(cast: Cast, step: string): string {
  return `${createHash('sha256').update(`${cast.organization} ${cast.seed} ${step}`).digest('hex').slice(0, 32)}`;
}

/** The id of the event that becomes of a step's delivery. */
export function eventId(cast: Cast, { source, name }: Pick<ScenarioStep, 'source' | 'name'>): string {
  return `${source}:${deliveryId(cast, name)}`;
}

function deliveryOf(cast: Cast, step: ScenarioStep): Omit<ScenarioDelivery, 'step'> {
  if (step.source === 'tripline') return cloudEvent(cast, step.name, step.atMs, step);
  if (step.source === 'github-audit') return auditDelivery(cast, step);
  if (step.source === 'person')
    return { atMs: step.atMs, source: 'person', headers: {}, body: Buffer.from(JSON.stringify(step.body)) };
  return {
    atMs: step.atMs,
    source: 'github',
    headers: {
      'content-type': 'application/json',
      'x-github-event': step.event,
      'x-github-delivery': deliveryId(cast, step.name),
    },
    body: Buffer.from(JSON.stringify(step.body)),
  };
}

/** One record a body, as a stream sends it where little happens. */
function auditDelivery(cast: Cast, { atMs, body }: ScenarioStep): Omit<ScenarioDelivery, 'step'> {
  const sentS = (cast.startMs + atMs) / 1000;
  return {
    atMs,
    source: 'github-audit',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ time: String(sentS), host: 'github.com', source: 'github-audit', event: body })),
  };
}

function cloudEvent(
  cast: Cast,
  name: string,
  atMs: number,
  told: { event: string; body: object },
): Omit<ScenarioDelivery, 'step'> {
  const id = deliveryId(cast, name);
  const event = {
    id,
    type: told.event,
    workspace: cast.organization,
    time: new Date(cast.startMs + atMs).toISOString(),
    data: told.body,
  } as Parameters<typeof toCloudEvent>[0];
  return {
    atMs,
    source: 'tripline',
    headers: { 'content-type': 'application/cloudevents+json', 'webhook-id': id },
    body: Buffer.from(JSON.stringify(toCloudEvent(event))),
  };
}
