import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inOwnOrder, inPlaceOf, keepBounded, observedBy } from './bounds.ts';
import { isEarlier, keepEarliest } from './earliest.ts';
import { isPrivilege } from './grants.ts';
import { observedSchema } from './observed.ts';
import { type Account, accountSchema, keyOf, senderOf } from './things.ts';

const dayMs = 86_400_000;

const proofSchema = observedSchema.extend({ method: z.string() });
const actSchema = observedSchema.extend({ what: z.string(), heardMs: z.number() });
const personSchema = z.object({
  who: accountSchema.optional(),
  /** The first proof of each day with a second factor, the latest days. */
  proofs: z.array(proofSchema),
  /** The earliest of all. */
  first: proofSchema.optional(),
  /** The latest times that a second factor was switched off. */
  off: z.array(proofSchema),
  /** What they did by a privilege: the first of each hour, the latest hours. Whoever gives a hundred rights in a morning writes them once. */
  acts: z.array(actSchema),
});
export type SecondFactor = z.infer<typeof personSchema>;
type Proof = z.infer<typeof proofSchema>;
type Act = z.infer<typeof actSchema>;

/** One’s own, so that others crowd out nothing; only the latest count. */
const proofs: Bound<Proof> = { kind: 'proofs', authorOf: () => '', mostPerAuthor: 20, most: 20, rolls: 'all' };
const acts: Bound<Act> = { kind: 'privileged acts', authorOf: () => '', mostPerAuthor: 40, most: 40, rolls: 'all' };

const reads = [
  'dev.cdeventsx.tripline-identity.authenticated',
  'dev.cdeventsx.tripline-grant.added',
  'dev.cdeventsx.tripline-grant.changed',
  'dev.cdeventsx.tripline-deployment.requested',
] as const satisfies readonly EventType[];

/** People: when they gave a second factor, and what they did by a privilege. */
export const secondFactors: Fact<SecondFactor> = {
  id: 'second-factors',
  description:
    'A person: on which days they gave a second factor, when one of theirs was switched off, and which rights they gave and deployments they made by hand. Under a name of its own, since when any feed tells of second factors at all.',
  reads,
  value: personSchema as z.ZodType<SecondFactor>,
  keys(event) {
    const data: Attributes = event.data;
    const who = senderOf(data);
    if (who === undefined || who.type === 'Bot' || who.login.endsWith('[bot]')) return [];
    const key = personKey(event, who);
    const mfa = data['tripline.identity.mfa'];
    if (mfa === 'yes') return [key, feedKey(event)];
    return mfa === 'no' || actOf(event, 0) !== undefined ? [key] : [];
  },
  learn(known, event, at) {
    const data: Attributes = event.data;
    const method = clip(data['tripline.identity.method'] ?? 'an unnamed means', 100);
    const before: SecondFactor = known ?? { proofs: [], off: [], acts: [] };
    const proof = { ...observedBy(event), method };
    const isFirst = data['tripline.identity.mfa'] === 'yes' && isEarlier(event, before.first);
    const first = isFirst ? { first: inPlaceOf(before.first, proof, at.pinned) } : {};
    if (at.key === feedKey(event)) return isFirst ? { ...before, ...first } : known;
    const whole = { who: senderOf(data)!, ...before, ...first };
    if (data['tripline.identity.mfa'] === 'yes') {
      const isSameDay = (other: Proof) => dayOf(other.time) === dayOf(event.time);
      const kept = keepEarliest<Proof>(before.proofs, proof, isSameDay, proofs, at);
      return kept === before.proofs && !isFirst ? known : { ...whole, proofs: [...kept] };
    }
    if (data['tripline.identity.mfa'] === 'no') {
      const kept = keepBounded<Proof>(before.off, proof, proofs, at);
      return kept === before.off ? known : { ...whole, off: [...kept] };
    }
    const isSameHour = (other: Act) => hourOf(other.time) === hourOf(event.time);
    const kept = keepEarliest<Act>(before.acts, actOf(event, at.nowMs)!, isSameHour, acts, at);
    return kept === before.acts ? known : { ...whole, acts: [...kept] };
  },
  keepMs: 120 * dayMs,
};

/** Where it stands since when any feed tells of second factors. */
export const feedKeyBeside = (key: string): string => `${key.split(':', 2).join(':')}:second-factors`;
const feedKey = (event: LoggedEvent): string => keyOf(event, 'second-factors');
const personKey = (event: LoggedEvent, { id, login }: Account): string =>
  keyOf(event, `second-factor:${id ?? `name:${login.toLowerCase()}`}`);

const dayOf = (time: string): number => Math.floor(parseTime(time) / dayMs);
const hourOf = (time: string): number => Math.floor(parseTime(time) / 3_600_000);

/** What was done by a privilege; undefined where it was none, or somebody merely accepted what others gave them. */
function actOf(event: LoggedEvent, heardMs: number): Act | undefined {
  const data: Attributes = event.data;
  const { 'tripline.grant.kind': kind, 'tripline.grant.grantee': grantee, 'tripline.grant.target': target } = data;
  if (kind !== undefined) {
    const isOwn =
      data['tripline.grant.grantee_id'] !== undefined && data['tripline.grant.grantee_id'] === data['user.id'];
    const isChange = event.type === 'dev.cdeventsx.tripline-grant.changed';
    if (isOwn || isPrivilege(kind, data, isChange) !== true) return undefined;
    const what = `gave ${kind.replaceAll('-', ' ')} ${clip(grantee ?? '', 100)} on ${clip(target ?? '', 150)}`;
    return { ...observedBy(event), what, heardMs };
  }
  const environment = data['deployment.environment.name'];
  if (event.type !== 'dev.cdeventsx.tripline-deployment.requested' || environment === undefined) return undefined;
  // A job's deployment is the workflow's, which is judged by its commit.
  if (data['cicd.pipeline.run.id'] !== undefined) return undefined;
  const what = `deployed ${clip(data['vcs.repository.name'] ?? '', 150)} to ${clip(environment, 100)} by hand`;
  return { ...observedBy(event), what, heardMs };
}

/** A sign-in and what is done by it may be told with clocks that differ. */
const skewMs = 300_000;

/** An act without a second factor: the last word on it before, and whether that was that it was switched off. */
export type Unproven = { act: Act; last: Proof | undefined; isOff: boolean };

/**
 * What somebody did by a privilege with no second factor given within `staleMs` before, or with one that was switched off.
 * `since`: since when any feed tells of second factors.
 */
export function unprovenIn({ acts, proofs, off }: SecondFactor, since: Proof, staleMs: number): Unproven[] {
  return acts.flatMap((act): Unproven[] => {
    const atMs = parseTime(act.time);
    const before = ({ time }: Proof) => parseTime(time) <= atMs + skewMs;
    const given = proofs.toSorted(inOwnOrder).findLast(before);
    const ended = off.toSorted(inOwnOrder).findLast(before);
    if (ended !== undefined && (given === undefined || inOwnOrder(given, ended) < 0))
      return [{ act, last: ended, isOff: true }];
    if (given !== undefined && parseTime(given.time) > atMs - staleMs) return [];
    // Where no feed told of second factors for as long, theirs may have been given before.
    return parseTime(since.time) <= atMs - staleMs ? [{ act, last: given, isOff: false }] : [];
  });
}
