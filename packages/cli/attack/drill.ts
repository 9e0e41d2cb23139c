import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '@tripline/config/config';
import type { Resolution } from '@tripline/contracts/incident';
import type { Db } from '@tripline/db/database';
import { listIncidents, resolve } from '@tripline/incidents/incidents';
import type { Cast, Scenario, ScenarioStep } from '@tripline/scenarios/scenario';
import { whoRuns } from '../actor.ts';
import { drillKeyOf, receiverUrl } from '../target.ts';
import type { Receiver } from './deliver.ts';
import { createLook } from './look.ts';
import { type DrillVerdict, play, type Report } from './play.ts';

/** Against which Tripline drills are played. */
export type DrillTarget = { db: Db; config: Config; receiver: Receiver; lookEveryMs: number };

/** @throws {UserError} when no drill key is known. */
export function receiverOf(config: Config, url: string | undefined): Receiver {
  return { url: receiverUrl(config, url), secret: drillKeyOf(config) };
}

/** Plays a scenario or its twin, and leaves nothing open: its incidents are resolved, in the name of whoever ran it. */
export async function playDrill(
  { db, config, receiver, lookEveryMs }: DrillTarget,
  { scenario, benign, cast }: { scenario: Scenario; benign: boolean; cast: Cast },
  report: (item: Report) => void,
): Promise<DrillVerdict> {
  const { organization } = cast;
  try {
    return await play({
      ...{ scenario, benign, receiver, cast, lookEveryMs, report },
      skewMs: config.kafka.brokers ? config.kafka.clockSkewMs : 0,
      look: createLook(db.pool, organization),
      act: (step) => resolveAll(db, organization, step),
    });
  } finally {
    for (const { id, state } of await listIncidents(db, { workspace: organization })) {
      const reason = `A drill: tripline attack ${scenario.id}`;
      if (state !== 'resolved') await resolve(db, id, 'accepted', whoRuns(), reason);
    }
  }
}

/** How long a person waits for an incident to resolve, in ms. */
const patienceMs = 5000;

/** As a person resolves the drill's incidents. Where none is opened in time, nothing is done: what follows is not found then. */
async function resolveAll(db: Db, workspace: string, { body, says }: ScenarioStep): Promise<void> {
  const as = body['tripline.act.resolution'] as Resolution;
  for (const untilMs = performance.now() + patienceMs; performance.now() < untilMs; await pause(50)) {
    const open = (await listIncidents(db, { workspace })).filter(({ state }) => state !== 'resolved');
    for (const { id } of open) await resolve(db, id, as, whoRuns(), `A drill: ${says}`);
    if (open.length > 0) return;
  }
}
