import type { Config } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { listIncidents, resolve } from '@tripline/incidents/incidents';
import type { Cast, Scenario } from '@tripline/scenarios/scenario';
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
    });
  } finally {
    for (const { id, state } of await listIncidents(db, { workspace: organization })) {
      const reason = `A drill: tripline attack ${scenario.id}`;
      if (state !== 'resolved') await resolve(db, id, 'accepted', whoRuns(), reason);
    }
  }
}
