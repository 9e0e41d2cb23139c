import { createHash } from 'node:crypto';
import type { Decision } from '@tripline/access/decide';
import type { Known } from '@tripline/access/known';
import type { Give, Policy } from '@tripline/access/policy';
import { failed } from '@tripline/access/reason';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Entity } from '@tripline/contracts/finding';
import { describeDatabaseFault } from '@tripline/db/database-fault';
import type { AccessEnd } from '@tripline/db/end-grants';
import type { GiveKind, Left, MintAnswer, Minted, Minter, MintOrder } from '@tripline/integrations/minter';
import type { Minters } from '@tripline/integrations/minters';
import { redactText } from '@tripline/runtime/redact';
import { type Answer, jobEnded, refuse } from './answer.ts';
import { appendEvents, brokerEvent } from './append-events.ts';
import type { Asking, ExchangeParts, Giving } from './asking.ts';
import { decidedEvent, grantAttributes } from './decided.ts';
import { noteNotMinted, recordMinted } from './store/credentials.ts';
import { type Intended, type IntendedGrant, intend, mostOfJob, undo } from './store/grants.ts';
import { type Meanwhile, readMeanwhile } from './store/meanwhile.ts';

type GiveParts = ExchangeParts & { giving: Giving };

/** One credential of a grant, with what mints it. */
type Part = { nth: number; kind: GiveKind; give: Give; minter: Minter };
type MintedPart = Part & { minted: Minted };
/** One of which all is known that revoking it takes. */
type LeftPart = Part & { minted: Left };

/** `things`: that an incident may name of the job. `decideAgain`: by the incidents that are open by then. */
type Granted = {
  things: readonly Entity[];
  decision: Decision;
  decideAgain: (incidents: Known['incidents']) => Decision;
};

/**
 * Gives what a policy says to a job that was granted it: writes down what is to be minted, mints each part, records it under the
 * job's lock, tells the log, and only then hands it out, all of it or nothing. What was minted and is not handed out is revoked.
 */
export async function give(
  parts: GiveParts,
  asking: Asking,
  { things, decision, decideAgain }: Granted,
): Promise<Answer> {
  const { db, clock, giving, measures, logger } = parts;
  const { id, policyName, askedMs } = asking;
  const planned = plan(asking, giving.minters);
  if ('answer' in planned) return planned.answer;
  const longestUntilMs = askedMs + asking.policy.max;
  const minds = { workspace: asking.workspace, things: asking.policy.needs.noIncident === undefined ? [] : things };
  const intended = await intend(db, grantOf(asking, planned.parts, things, longestUntilMs), {
    mostAnHour: giving.mostAnHour,
    minds,
  });
  if (intended.result === 'ended') return jobEnded;
  if (intended.result === 'capped') return capReached(parts, asking, intended);
  if (intended.isFirst) logger.warn({ policy: policyName, grant: id }, 'the first grant of this policy');
  const minted: MintedPart[] = [];
  let fault: Fault | undefined;
  try {
    const mintMs = clock.nowMs();
    fault = await mintAll(parts, asking, planned.parts, {
      ...{ minted, untilMs: longestUntilMs },
      refusalNow: (nth) =>
        refusalNow(parts, asking, {
          read: () => (nth === 0 ? intended.meanwhile : readMeanwhile(db.pool, minds)),
          decideAgain,
        }),
    });
    if (fault === undefined) {
      const mintedMs = clock.nowMs();
      await appendEvents(parts, eventsOf(parts, asking, minted, decision));
      measures.granted(Math.max(0, clock.nowMs() - askedMs - (mintedMs - mintMs)) / 1000);
      return handOut(asking, minted, longestUntilMs);
    }
  } catch (error) {
    await takeBack(parts, asking, minted, []);
    throw error;
  }
  const untouched = planned.parts.slice(minted.length + (fault.mayBeAlive ? 1 : 0));
  await takeBack(
    parts,
    asking,
    fault.left === undefined ? minted : [...minted, fault.left],
    untouched.map(({ nth }) => nth),
  );
  return fault.answer;
}

/**
 * Why nothing is given after all, as it is right before a mint. To be asked once the grant is written down: an incident that opens from
 * then on ends it, and one that opened before, after what is open was read, saw no grant that it could end.
 */
async function refusalNow(
  parts: GiveParts,
  asking: Asking,
  { read, decideAgain }: Pick<Granted, 'decideAgain'> & { read: () => Promise<Meanwhile> },
): Promise<Answer | undefined> {
  const inForce = parts.policies();
  if (!('sha256' in inForce) || inForce.sha256 !== asking.policies.sha256)
    return refuse('ended-meanwhile', 'The policies changed while it was decided: ask again');
  const meanwhile = await read().catch((error: NodeJS.ErrnoException) => {
    const fault = describeDatabaseFault(error);
    parts.logger.error(
      { fault, code: error.code },
      'the kill switch and open incidents could not be read; nothing is given',
    );
    return undefined;
  });
  // Whoever cannot say whether it is stopped gives nothing, and does not say that somebody stopped it.
  if (meanwhile === undefined) return meanwhileUnread;
  if (meanwhile.isStopped) return stopped;
  const decision = decideAgain(meanwhile.incidents);
  if (decision.decision === 'granted') return undefined;
  const event = decidedEvent(asking, decision, { atMs: parts.clock.nowMs(), isDryRun: false });
  await appendEvents(parts, [event]);
  const { reasons } = decision;
  return refuse('denied', `Policy ${asking.policyName} gives this job nothing`, { reasons });
}

/** What mints each part. Before anything is written: what cannot be given whole is not begun. */
function plan({ policy, policyName }: Asking, minters: Pick<Minters, 'of'>): { parts: Part[] } | { answer: Answer } {
  const parts: Part[] = [];
  for (const [nth, one] of policy.give.entries()) {
    const kind = kindOf(one);
    const minter = minters.of(kind, policy.tier);
    if (minter === undefined) {
      const message = `Nothing is configured that mints ${kind} for tier ${policy.tier}, which policy ${policyName} gives`;
      return { answer: refuse('nothing-mints', message) };
    }
    parts.push({ nth, kind, give: one, minter: minter as Minter });
  }
  return { parts };
}

const kindOf = (give: Give): GiveKind => Object.keys(give)[0] as GiveKind;

function grantOf(
  { id, workspace, policyName, policies, policy, keys, job, askedMs }: Asking,
  parts: readonly Part[],
  things: readonly Entity[],
  longestUntilMs: number,
): IntendedGrant {
  return {
    ...{ id, workspace, policy: policyName, policySha256: policies.sha256, policyRevision: policies.revision },
    ...{ tier: policy.tier, keys, job, until: policy.until, onIncident: policy.onIncident, askedMs, longestUntilMs },
    incidentSeverity: policy.needs.noIncident ?? null,
    things: things.flatMap(({ key }) => (key === undefined ? [] : [key])),
    credentials: parts.map(({ kind, give: scope }) => ({ kind, scope })),
  };
}

/** `mayBeAlive`: no whole answer came to the one after those that were minted. `left`: that one, where it was recorded. */
type Fault = { answer: Answer; mayBeAlive: boolean; left?: LeftPart };

/** Mints and records one part after the other into `minted`; stops at the first that fails, and says why. */
async function mintAll(
  parts: GiveParts,
  asking: Asking,
  planned: readonly Part[],
  options: { minted: MintedPart[]; untilMs: number; refusalNow: (nth: number) => Promise<Answer | undefined> },
): Promise<Fault | undefined> {
  const { minted, untilMs, refusalNow } = options;
  for (const part of planned) {
    const refusal = await refusalNow(part.nth);
    if (refusal !== undefined) return { answer: refusal, mayBeAlive: false };
    const answer = await part.minter.mint(orderOf(asking, part, untilMs));
    if (answer.result !== 'minted') {
      parts.logger.error(
        { grant: asking.id, policy: asking.policyName, kind: part.kind, reason: answer.reason, fault: answer.message },
        'minting a credential failed; nothing is given',
      );
      await noteMintFault(parts, asking, part, answer);
      if (answer.result === 'refused') return { answer: notMinted(part, answer), mayBeAlive: false };
      const left = answer.left === undefined ? {} : { left: { ...part, minted: answer.left } };
      if (left.left !== undefined) await record(parts, asking, left.left);
      return { answer: notMinted(part, answer), mayBeAlive: true, ...left };
    }
    const one = { ...part, minted: answer.minted };
    minted.push(one);
    const why = await record(parts, asking, one);
    if (why !== undefined) return { answer: endedMeanwhile(why), mayBeAlive: false };
  }
  return undefined;
}

/** For the doctor: what a provider refuses is mended by people. Without Postgres the log alone says so. */
async function noteMintFault(
  { db, logger }: GiveParts,
  { id }: Asking,
  { nth }: Part,
  { reason, message }: Exclude<MintAnswer, { result: 'minted' }>,
): Promise<void> {
  try {
    await noteNotMinted(db, { grant: id, nth, fault: redactText(`${reason}: ${message}`) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    logger.warn({ grant: id, code }, 'noting why a credential was not minted failed; the log alone says so');
  }
}

function orderOf(
  { id, policy, policies: { lock, files }, job }: Asking,
  { kind, give: what }: Part,
  untilMs: number,
): MintOrder {
  return {
    ...{ grantId: id, give: (what as Record<GiveKind, MintOrder['give']>)[kind], tier: policy.tier, untilMs },
    pins: kind === 'gitlab' ? lock.gitlab : lock.github,
    ...(files === undefined ? {} : { files }),
    run: `${job.repository.name}#${job.run.id}`,
  };
}

/**
 * Records what was minted. Where that fails nobody would know of it but we, so it is revoked at once, by what we hold.
 * @returns why its grant has ended meanwhile, where it has: then it is revoked, and nobody may be given it.
 */
async function record(
  parts: GiveParts,
  asking: Asking,
  { nth, minter, minted }: LeftPart,
): Promise<AccessEnd | undefined> {
  const { db, clock, giving, logger } = parts;
  const { handle, keep, tokenHash, expiresAtMs } = minted;
  const sealed = keep === undefined ? null : giving.seals.seal(keep, { grantId: asking.id, nth });
  try {
    const recorded = await recordMinted(db, asking.keys, {
      ...{ grant: asking.id, nth, handle, sealed, tokenHash, mintedAtMs: clock.nowMs(), expiresAtMs },
    });
    return recorded.state === 'ending' ? recorded.why : undefined;
  } catch (error) {
    const { result } = await minter.revoke({ handle, ...(keep === undefined ? {} : { value: keep }) });
    logger.error(
      { grant: asking.id, nth, revoked: result },
      'a credential could not be recorded; it was to be revoked at once',
    );
    throw error;
  }
}

/** Sets ending what was minted and is not handed out. Where even that cannot be written, it is revoked by what we hold. */
async function takeBack(
  { db, clock, logger }: GiveParts,
  { id }: Asking,
  minted: readonly LeftPart[],
  notMinted: readonly number[],
): Promise<void> {
  try {
    await undo(db, { id, notMinted, atMs: clock.nowMs() });
  } catch (error) {
    logger.error(
      { grant: id, code: (error as NodeJS.ErrnoException).code },
      'ending a grant that was not handed out failed',
    );
    for (const {
      minter,
      minted: { handle, keep },
    } of minted)
      await minter.revoke({ handle, ...(keep === undefined ? {} : { value: keep }) });
  }
}

/** What the log must name before anybody is given it, and the decision that it rests on. */
function eventsOf(
  { clock }: GiveParts,
  asking: Asking,
  minted: readonly MintedPart[],
  decision: Decision,
): TriplineEvent[] {
  const { id, workspace, policy } = asking;
  const atMs = clock.nowMs();
  const entry = entryOf(policy);
  return [
    decidedEvent(asking, decision, { atMs, isDryRun: false }),
    ...minted.map(({ nth, kind, minted: { tokenHash, scopes, expiresAtMs } }) =>
      brokerEvent(
        'dev.cdeventsx.tripline-credential.minted',
        { id: `access:${id}:minted:${nth}`, workspace, atMs },
        {
          ...grantAttributes(asking),
          'tripline.access.entry_sha256': entry,
          'tripline.credential.kind': kind,
          'tripline.credential.token_hash': tokenHash,
          'tripline.credential.scopes': [...scopes],
          'tripline.credential.expires_at': new Date(expiresAtMs).toISOString(),
        },
      ),
    ),
  ];
}

/** SHA-256 of a policy, each hashed once: those of one version are given by again and again. */
const entries = new WeakMap<Policy, string>();

function entryOf(policy: Policy): string {
  const known = entries.get(policy);
  if (known !== undefined) return known;
  const entry = createHash('sha256').update(JSON.stringify(policy)).digest('hex');
  entries.set(policy, entry);
  return entry;
}

/** What the job gets. Nobody else is told a value, and it is told once. */
function handOut({ id }: Asking, minted: readonly MintedPart[], longestUntilMs: number): Answer {
  const expiresAtMs = Math.min(longestUntilMs, ...minted.map(({ minted: { expiresAtMs } }) => expiresAtMs));
  const credentials = Object.fromEntries(minted.map(({ kind, minted: { credential } }) => [kind, credential]));
  return { status: 201, body: { grant: id, expiresAt: new Date(expiresAtMs).toISOString(), ...credentials } };
}

const stopped = refuse('kill-switch', 'Tripline’s kill switch is on: nothing is given until somebody turns it off', {
  retryAfterS: 30,
});

const meanwhileUnread = refuse(
  'unavailable',
  'Whether the kill switch is on or an incident is open cannot be read now: ask again',
  {
    retryAfterS: 2,
  },
);

function endedMeanwhile(why: AccessEnd): Answer {
  if (why === 'job-ended' || why === 'run-ended') return jobEnded;
  return refuse('ended-meanwhile', `The grant was ended while it was made (${why}): nothing is given`);
}

function notMinted({ kind }: Part, answer: Exclude<MintAnswer, { result: 'minted' }>): Answer {
  const { reason, message } = answer;
  const help = 'Ask again in a few seconds.';
  if (answer.result === 'unknown' || answer.retry) {
    const retryAfterS = answer.result === 'refused' && answer.afterMs ? Math.ceil(answer.afterMs / 1000) : 5;
    return refuse('mint-failed', `No ${kind} credential could be made (${reason}): ${message}. ${help}`, {
      retryAfterS,
    });
  }
  return refuse('mint-refused', `No ${kind} credential could be made (${reason}): ${message}`);
}

async function capReached(
  parts: GiveParts,
  asking: Asking,
  { granted, to }: Extract<Intended, { result: 'capped' }>,
): Promise<Answer> {
  const { giving, logger, clock } = parts;
  const { policyName } = asking;
  const most = to === 'job' ? `${mostOfJob} grants of it to one job` : `${giving.mostAnHour} grants of it`;
  const help =
    to === 'job'
      ? 'Have the job keep what it is given until it ends.'
      : 'Find out who asks so often, or raise broker.grantsPerHour.';
  const reasons = [failed('cap', `at most ${most} within an hour`, `granted ${granted} times`, help)];
  logger.error({ policy: policyName, granted, to }, 'a policy is granted too often; nothing more is given for now');
  const event = decidedEvent(asking, { decision: 'denied', reasons }, { atMs: clock.nowMs(), isDryRun: false });
  await appendEvents(parts, [event]);
  const whom = to === 'job' ? ' to this job' : '';
  const message = `Policy ${policyName} was granted${whom} ${granted} times within an hour: nothing more is given for now`;
  return refuse('cap-reached', message, { reasons, retryAfterS: 60 });
}
