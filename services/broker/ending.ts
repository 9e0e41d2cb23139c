import type { Config } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import type { Minters } from '@tripline/integrations/minters';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Metrics } from '@tripline/runtime/metrics';
import type { Stream } from '@tripline/stream/stream';
import { appendEvents } from './append-events.ts';
import { createEndsAtGitHub } from './ask-ends.ts';
import { checkSeals } from './check-seals.ts';
import { createEndMeasures } from './end-measures.ts';
import { startEndingByIncidents } from './incidents-end.ts';
import { startRevoking, toldAfterMs } from './revoke.ts';
import type { Seals } from './seal.ts';
import { countAlive } from './store/revocations.ts';
import { type SweepParts, startSweeping } from './sweep.ts';
import { createWatch, type WatchParts } from './watch.ts';

export type EndingParts = {
  config: Config;
  db: Db;
  stream: Stream;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  minters: Pick<Minters, 'of'>;
  seals: Pick<Seals, 'open'>;
  /** One consumer reads the log for all. */
  alsoHears?: WatchParts['alsoHears'];
  /** Which jobs and runs have ended, in the place of GitHub's API: for tests. */
  whichEnded?: SweepParts['whichEnded'];
};

export type Ending = {
  /** See {@link createWatch}: until then nobody is given anything. */
  caughtUp: () => boolean;
  ready: () => Promise<void>;
  close: () => Promise<void>;
};

/** Ends what was given: hears of ends, sweeps up what was not heard, heeds incidents, and revokes. Starts with creation. */
export async function startEnding(parts: EndingParts): Promise<Ending> {
  const { config, db, stream, clock, logger, metrics, minters, seals, alsoHears } = parts;
  const measures = createEndMeasures(metrics, () => countAlive(db, clock.nowMs() - toldAfterMs));
  await checkSeals({ db, logger, seals });
  const append = (events: Parameters<typeof appendEvents>[1]) => appendEvents({ stream, config }, events);
  const revoking = startRevoking({
    ...{ db, clock, logger, measures, append },
    minterOf: (kind, tier) => minters.of(kind, tier),
    unseal: (sealed, of) => seals.open(sealed, of),
  });
  const watch = await createWatch({ stream, db, clock, logger, measures, ...(alsoHears && { alsoHears }) });
  const sweeping = startSweeping({
    ...{ db, clock, logger, measures, append },
    whichEnded: parts.whichEnded ?? createEndsAtGitHub({ config, clock, logger }),
    minterOf: (kind, tier) => minters.of(kind, tier),
  });
  const incidents = startEndingByIncidents({ db, clock, logger });
  return {
    caughtUp: watch.caughtUp,
    ready: watch.ready,
    async close() {
      await watch.close();
      await Promise.all([sweeping.close(), incidents.close()]);
      await revoking.close();
    },
  };
}
