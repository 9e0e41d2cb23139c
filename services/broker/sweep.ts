import { randomUUID } from 'node:crypto';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import type { EndedGrant } from '@tripline/db/end-grants';
import type { GiveKind, Minter, MintOrder } from '@tripline/integrations/minter';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { brokerEvent, jobAttributes } from './append-events.ts';
import type { EndMeasures } from './end-measures.ts';
import type { End } from './store/ends.ts';
import {
  claimUnrecorded,
  endExpired,
  endLongest,
  endUnheard,
  type Look,
  markLost,
  takeLooks,
  type Unrecorded,
} from './store/sweeping.ts';

export type SweepParts = {
  db: Db;
  clock: Clock;
  logger: Logger;
  measures: Pick<EndMeasures, 'sweepFound'>;
  minterOf: (kind: GiveKind, tier: string) => Pick<Minter, 'revoke' | 'recover' | 'mostLifeMs'> | undefined;
  append: (events: readonly TriplineEvent[]) => Promise<unknown>;
  /** Asks the provider. @returns ids of the grants whose job or run has ended, as far as it says so. */
  whichEnded: (asked: readonly Asked[]) => Promise<ReadonlySet<string>>;
};

/** A live grant, and whether its job or its run is asked for. */
export type Asked = { of: End['of']; look: Look };

const everyMs = 10_000;
/** The same job is not asked for more often. With `asksAtOnce` a sweep, more than 54 live grants are each asked for less often. */
const askAgainMs = 60_000;
/** A job takes a request of the installation's 5,000 an hour, on which the responses draw too, and a repository two beside. */
const asksAtOnce = 9;
const repositoriesAtOnce = 3;
/** A mint that takes longer was ours that died: its record never comes. */
const mintedWithinMs = 120_000;
const recoverClaimMs = 60_000;
/** A provider that cannot be asked what it has under a grant's id is asked for so long. */
const recoverForMs = 600_000;
const recoveriesAtOnce = 20;
/** What a provider's clock may be behind ours. */
const expiryMarginMs = 60_000;

/** Ends what nothing else ended: ends that nobody told of, grants that lived longest, mints whose record never came. Until `close`. */
export function startSweeping(parts: SweepParts): { close: () => Promise<void> } {
  const { clock, logger } = parts;
  const closing = new AbortController();
  const by = randomUUID();
  const sweeping = (async () => {
    while (!closing.signal.aborted) {
      try {
        await sweep(parts, by);
      } catch (error) {
        logger.error({ err: error }, 'sweeping up grants failed; retrying at the next sweep');
      }
      await clock.pause(everyMs, closing.signal);
    }
  })();
  return {
    async close() {
      closing.abort();
      await sweeping;
    },
  };
}

/** One sweep. Replicas may sweep at once: each row is taken by one of them. */
export async function sweep(parts: SweepParts, by: string): Promise<void> {
  const { db, clock } = parts;
  const nowMs = clock.nowMs();
  found(parts, 'longest', await endLongest(db, nowMs));
  await endExpired(db, { nowMs, expiredBeforeMs: nowMs - expiryMarginMs });
  const bounds = { limit: asksAtOnce, repositories: repositoriesAtOnce };
  await lookAt(parts, await takeLooks(db, { nowMs, againMs: nowMs + askAgainMs, ...bounds }));
  const claim = { by, nowMs, forMs: recoverClaimMs, askedBeforeMs: nowMs - mintedWithinMs };
  const unrecorded = await claimUnrecorded(db, { ...claim, limit: recoveriesAtOnce });
  for (const one of unrecorded) await giveUp(parts, one);
}

function found({ measures, logger }: SweepParts, why: string, ended: readonly EndedGrant[]): void {
  if (ended.length === 0) return;
  measures.sweepFound.inc({ why }, ended.length);
  logger.warn({ why, grants: ended.map(({ id }) => id) }, 'the sweep ended grants that nothing else had ended');
}

/** Asks which jobs still run. Without an answer they are asked for again; what their policy allows at most ends them all the same. */
async function lookAt(parts: SweepParts, looks: readonly Look[]): Promise<void> {
  const { db, clock } = parts;
  if (looks.length === 0) return;
  const asked = looks.map(
    (look): Asked => ({ of: look.until === 'run' || look.jobKey === look.runKey ? 'run' : 'job', look }),
  );
  const ended = await parts.whichEnded(asked);
  for (const { of, look } of asked) {
    if (!ended.has(look.id)) continue;
    const nowMs = clock.nowMs();
    const end = { of, key: of === 'run' ? look.runKey : look.jobKey, endedAtMs: nowMs };
    found(parts, `${of}-ended`, await endUnheard(db, end, nowMs));
  }
}

/** Nobody was given it. What its provider has under the grant's id is revoked, where it can be asked; else it expires by itself. */
async function giveUp(parts: SweepParts, one: Unrecorded): Promise<void> {
  const { db, clock, logger, append, measures, minterOf } = parts;
  const log = logger.child({ grant: one.grant, nth: one.nth, kind: one.kind });
  try {
    const minter = minterOf(one.kind, one.tier);
    const isOld = clock.nowMs() >= one.askedMs + recoverForMs;
    const isDead = minter?.recover !== undefined && (await isRecovered(minter, one));
    if (minter?.recover && !isDead && !isOld) {
      log.warn('what may have been minted could not be found and revoked yet; trying again');
      return;
    }
    const life = isDead ? 'dead' : minter?.mostLifeMs;
    await append([lostEvent(one, { atMs: clock.nowMs(), life })]);
    if (await markLost(db, one)) measures.sweepFound.inc({ why: 'lost' });
    log.warn('a credential was minted for nobody, or not at all: its broker died, or no answer came');
  } catch (error) {
    log.error({ err: error }, 'giving up a credential failed; it is tried again');
  }
}

/** Whether the provider has nothing alive any more under the grant's id. */
async function isRecovered(minter: Pick<Minter, 'revoke' | 'recover'>, one: Unrecorded): Promise<boolean> {
  const order: MintOrder = {
    ...{ grantId: one.grant, tier: one.tier, pins: {}, untilMs: one.longestUntilMs },
    give: one.scope[one.kind] as MintOrder['give'],
    run: `${one.job.repository.name}#${one.job.run.id}`,
  };
  const answer = await minter.recover?.(order);
  if (answer?.result !== 'known') return false;
  const revoked = await Promise.all(answer.found.map((minted) => minter.revoke(minted)));
  return revoked.every(({ result }) => result === 'dead');
}

/** `life`: how long it may live from when it was made, ms; undefined where that is not known. */
function lostEvent(
  { grant, nth, workspace, policy, tier, kind, job, askedMs }: Unrecorded,
  { atMs, life }: { atMs: number; life: number | 'dead' | undefined },
): TriplineEvent {
  const expiresMs = typeof life === 'number' ? askedMs + mintedWithinMs + life : undefined;
  return brokerEvent(
    'dev.cdeventsx.tripline-access.ended',
    { id: `access:${grant}:lost:${nth}`, workspace, atMs },
    {
      ...jobAttributes(job),
      'tripline.access.grant': grant,
      'tripline.access.policy': policy,
      'tripline.access.tier': tier,
      'tripline.access.end': 'lost',
      'tripline.credential.kind': kind,
      ...(life === 'dead' ? { 'tripline.credential.dead_by': 'revoked' as const } : {}),
      ...(expiresMs === undefined ? {} : { 'tripline.credential.expires_at': new Date(expiresMs).toISOString() }),
    },
  );
}
