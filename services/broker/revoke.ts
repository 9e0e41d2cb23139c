import { randomUUID } from 'node:crypto';
import type { Attributes } from '@tripline/contracts/attributes';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import { accessChannel } from '@tripline/db/end-grants';
import type { GiveKind, Minter, Revoked } from '@tripline/integrations/minter';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { redactText } from '@tripline/runtime/redact';
import { brokerEvent, jobAttributes } from './append-events.ts';
import type { EndMeasures } from './end-measures.ts';
import { claimRevocations, giveBack, markDead, noteDead, type Revocation } from './store/revocations.ts';
import { workOnSignals } from './work-on-signals.ts';

export type RevokerParts = {
  db: Db;
  clock: Clock;
  logger: Logger;
  measures: Pick<EndMeasures, 'revocations' | 'endToDead'>;
  /** What mints, and so revokes, a kind of credential in a tier. */
  minterOf: (kind: GiveKind, tier: string) => Pick<Minter, 'revoke'> | undefined;
  /** The value of a credential that is kept sealed. @throws an error that says why it cannot be opened. */
  unseal: (sealed: Buffer, of: { grantId: string; nth: number }) => string;
  /** Appends to the log; resolves once it has it on disk. */
  append: (events: readonly TriplineEvent[]) => Promise<unknown>;
};

/** From when on a credential that is to be dead is told of. */
export const toldAfterMs = 60_000;
/** Longer than a minter's calls take: a revoker that died or is frozen loses its claims then. */
export const claimMs = 30_000;
/** Of revocations of a kind under way at once: they mostly wait for its provider. */
const most: Readonly<Record<GiveKind, number>> = { github: 32, aws: 32, vault: 32, gitlab: 32 };
/** Of revocations under way at once, those that are dead and wait for the log included: fewer than finish before their claims expire. */
const mostInHand = 512;
/** New ones are signalled by NOTIFY; polling finds those that become due. */
const pollMs = 1000;
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** A provider's clock may be behind ours: what expired by itself counts as dead only after this. */
const expiryMarginMs = 60_000;

/**
 * Revokes what is to be dead, until `close`: at once when it is set ending, again with growing pauses while its provider does
 * not say that it is dead. Neither the kill switch nor a policy is asked: to end what we gave is always allowed. A revocation may
 * be sent twice, after a crash, which providers tolerate.
 */
export function startRevoking(parts: RevokerParts): { close: () => Promise<void> } {
  const by = randomUUID();
  const inHand = new Set<Promise<void>>();
  /** Kinds of those that their provider has yet to answer about: what the log is told of takes no other’s room. */
  const atProvider = new Map<Revocation, GiveKind>();
  const working = workOnSignals(
    parts,
    {
      ...{ channel: accessChannel, pollMs },
      failing: 'reading which credentials are to be revoked failed; retrying',
    },
    async () => {
      if (inHand.size >= mostInHand) return;
      for (const revocation of await claim(parts, by, [...atProvider.values()])) {
        atProvider.set(revocation, revocation.kind);
        const answered = () => {
          if (atProvider.delete(revocation)) working.notify();
        };
        const revoking: Promise<void> = revoke(parts, by, revocation, answered).finally(() => {
          if (inHand.size >= mostInHand) working.notify();
          inHand.delete(revoking);
          answered();
        });
        inHand.add(revoking);
      }
    },
  );
  return {
    async close() {
      await working.close();
      await Promise.all(inHand);
    },
  };
}

/** Revokes all that is due now, once each. @returns how many those were. */
export async function revokeDue(parts: RevokerParts, by: string): Promise<number> {
  const due = await claim(parts, by, []);
  await Promise.all(due.map((revocation) => revoke(parts, by, revocation)));
  return due.length;
}

/** `atProvider`: kinds of those that are under way there. */
async function claim({ db, clock }: RevokerParts, by: string, atProvider: readonly GiveKind[]): Promise<Revocation[]> {
  const rooms = new Map(Object.entries(most) as [GiveKind, number][]);
  for (const kind of atProvider) rooms.set(kind, rooms.get(kind)! - 1);
  if ([...rooms.values()].every((room) => room === 0)) return [];
  const nowMs = clock.nowMs();
  return claimRevocations(db, { by, nowMs, forMs: claimMs }, rooms);
}

/** When the provider said that it is dead, and how it came to be; the latter is not kept while the log is away. */
type Death = { atMs: number; deadBy?: Attributes['tripline.credential.dead_by'] };

/**
 * Never rejects: what cannot be noted is due again when its claim expires. `answered` is called once its provider says that it is dead;
 * not where that was known before, so that what the log is owed is told a few at a time.
 */
async function revoke(
  parts: RevokerParts,
  by: string,
  revocation: Revocation,
  answered: () => void = () => {},
): Promise<void> {
  const { clock, logger, measures } = parts;
  const { grant, nth, kind, why, deadMs } = revocation;
  const log = logger.child({ grant, nth, kind, why });
  try {
    // The provider said so before, and the log did not take it.
    if (deadMs !== null) return await finish(parts, by, revocation, { atMs: deadMs });
    const answer = await ask(parts, revocation);
    measures.revocations.inc({ why, outcome: answer.result === 'dead' ? answer.by : 'not-yet' });
    if (answer.result === 'dead') answered();
    const nowMs = clock.nowMs();
    if (answer.result === 'dead') return await finish(parts, by, revocation, { atMs: nowMs, deadBy: answer.by });
    if (nowMs >= revocation.expiresAtMs + expiryMarginMs)
      return await finish(parts, by, revocation, { atMs: nowMs, deadBy: 'expired' });
    log.warn({ reason: answer.reason, said: answer.message }, 'revoking a credential failed; retrying');
    await postpone(parts, by, revocation, answer);
  } catch (error) {
    log.error({ err: error }, 'noting what became of a revocation failed; it is done again');
  }
}

async function ask({ minterOf, unseal }: RevokerParts, revocation: Revocation): Promise<Revoked> {
  const { grant, nth, kind, tier, handle, sealed } = revocation;
  const minter = minterOf(kind, tier);
  if (minter === undefined) {
    const message = `nothing is configured any more that revokes ${kind} in ${tier}: put its settings back`;
    return { result: 'not-yet', retry: true, reason: 'not-configured', message };
  }
  try {
    const value = sealed === null ? {} : { value: unseal(sealed, { grantId: grant, nth }) };
    return await minter.revoke({ handle, ...value });
  } catch (error) {
    const message = redactText(String((error as Error).message ?? error));
    return { result: 'not-yet', retry: true, reason: 'internal', message };
  }
}

/** Tells the log, then notes that it is dead; a log that is away is told later, and the value goes all the same. */
async function finish(
  { db, append, clock, measures }: RevokerParts,
  by: string,
  revocation: Revocation,
  death: Death,
): Promise<void> {
  const { atMs } = death;
  try {
    await append([revokedEvent(revocation, death)]);
  } catch (error) {
    await noteDead(db, revocation, atMs);
    const fault = redactText(`dead, and the log does not take it: ${(error as Error).message}`);
    const dueMs = clock.nowMs() + pauseAfter(revocation.attempts);
    return giveBack(db, revocation, { by, dueMs, fault, isStuck: false });
  }
  if (await markDead(db, revocation, atMs)) measures.endToDead.observe(Math.max(0, atMs - revocation.endingMs) / 1000);
}

async function postpone(
  { db, append, clock, logger }: RevokerParts,
  by: string,
  revocation: Revocation,
  { reason, message, afterMs }: Extract<Revoked, { result: 'not-yet' }>,
): Promise<void> {
  const nowMs = clock.nowMs();
  let { isStuck } = revocation;
  if (!isStuck && nowMs >= revocation.endingMs + toldAfterMs) {
    // A log that is away is told at a later attempt.
    isStuck = await append([outlivedEvent(revocation, nowMs)]).then(
      () => true,
      (error: unknown) => {
        logger.warn({ err: error, grant: revocation.grant }, 'telling that a credential outlived its end failed');
        return false;
      },
    );
  }
  // Told at the very minute, though the next attempt would be later.
  const toldMs = isStuck ? Number.POSITIVE_INFINITY : Math.max(revocation.endingMs + toldAfterMs, nowMs + firstPauseMs);
  // A provider may ask for more time than that, and not for less.
  const pauseMs = Math.max(pauseAfter(revocation.attempts), afterMs ?? 0);
  const dueMs = Math.min(nowMs + Math.min(pauseMs, longestPauseMs), toldMs);
  await giveBack(db, revocation, { by, dueMs, fault: `${reason}: ${message}`, isStuck });
}

const pauseAfter = (attempts: number) => Math.min(firstPauseMs * 2 ** Math.min(attempts - 1, 20), longestPauseMs);

function revokedEvent(revocation: Revocation, { atMs, deadBy }: Death): TriplineEvent {
  return brokerEvent(
    'dev.cdeventsx.tripline-credential.revoked',
    { id: `access:${revocation.grant}:revoked:${revocation.nth}`, workspace: revocation.workspace, atMs },
    { ...credentialAttributes(revocation), ...(deadBy && { 'tripline.credential.dead_by': deadBy }) },
  );
}

function outlivedEvent(revocation: Revocation, atMs: number): TriplineEvent {
  return brokerEvent(
    'dev.cdeventsx.tripline-credential.outlived',
    { id: `access:${revocation.grant}:outlived:${revocation.nth}`, workspace: revocation.workspace, atMs },
    credentialAttributes(revocation),
  );
}

function credentialAttributes({ grant, policy, tier, job, kind, tokenHash, expiresAtMs, why }: Revocation): Attributes {
  return {
    ...jobAttributes(job as Parameters<typeof jobAttributes>[0]),
    'tripline.access.grant': grant,
    'tripline.access.policy': policy,
    'tripline.access.tier': tier,
    'tripline.access.end': why,
    'tripline.credential.kind': kind,
    'tripline.credential.token_hash': tokenHash,
    'tripline.credential.expires_at': new Date(expiresAtMs).toISOString(),
  };
}
