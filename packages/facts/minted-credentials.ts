import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, eventIs, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { usualPlace } from '@tripline/contracts/place';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { audited, tokenUsed, tokenUseOf, tokenUseSchema } from './audited.ts';
import { type Bound, inOwnOrder, keepBounded, observedBy } from './bounds.ts';
import { keepEarliest } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { type Account, accountOf, accountSchema, keyOf, repositoryKeyOf, runKeyOf } from './things.ts';

const dayMs = 86_400_000;
const minuteMs = 60_000;

/** A credential that the broker minted: for which job, by which policy, until when at the longest. */
const mintSchema = observedSchema.extend({
  grant: z.string(),
  /** Under which all that is known of the grant stands. */
  grantKey: z.string(),
  policy: z.string(),
  kind: z.string(),
  hash: z.string().optional(),
  /** By itself, ms since the epoch. */
  expiresMs: z.number(),
  scopes: z.array(z.string()),
  repository: z.object({ name: z.string(), key: z.string() }).optional(),
  run: z.object({ id: z.string(), key: z.string(), attempt: z.number().optional() }).optional(),
  /** From where the job asked. */
  address: z.string().optional(),
  /** Who set the job off. */
  by: accountSchema.optional(),
  heardMs: z.number(),
});
/**
 * `revoked`: the provider said that it is dead; `outlived`: it was to be dead, and could not be revoked for a minute. Former versions
 * kept here what was `lost`, which was never minted as far as anybody knows.
 */
const endSchema = observedSchema.extend({
  did: z.enum(['revoked', 'outlived', 'lost']),
  kind: z.string(),
  why: z.string(),
  hash: z.string().optional(),
});
const useSchema = tokenUseSchema.extend({ heardMs: z.number() });
const mintedSchema = z.object({ mints: z.array(mintSchema), ends: z.array(endSchema), uses: z.array(useSchema) });
export type MintedCredential = z.infer<typeof mintedSchema>;
export type Mint = z.infer<typeof mintSchema>;
export type MintEnd = z.infer<typeof endSchema>;
export type MintUse = z.infer<typeof useSchema>;

const mints: Bound<Mint> = { kind: 'mints', authorOf: () => '', mostPerAuthor: 20, most: 20, first: true };
const ends: Bound<MintEnd> = { kind: 'ends', authorOf: () => '', mostPerAuthor: 20, most: 20, first: true };
/** A token lives an hour: the first use in each minute of two. */
const uses: Bound<MintUse> = { kind: 'uses', authorOf: () => '', mostPerAuthor: 120, most: 120, rolls: 'all' };

const isEnd = eventIs('dev.cdeventsx.tripline-credential.revoked', 'dev.cdeventsx.tripline-credential.outlived');
const reads = [
  ...audited,
  'dev.cdeventsx.tripline-credential.minted',
  'dev.cdeventsx.tripline-credential.revoked',
  'dev.cdeventsx.tripline-credential.outlived',
] as const satisfies readonly EventType[];

/**
 * What the access broker minted, by the hash of its value and by its grant: for whom, until when, when it ended, and what was done
 * with it. Of a token that no mint names, its uses are kept only where settings want those of the account (`wantedUser`).
 */
export const mintedCredentials: Fact<MintedCredential> = {
  id: 'minted-credentials',
  description:
    'A credential that the access broker minted: for which job and policy, when it was revoked, when it expires, and in which minutes it was used, which the audit log alone tells. ' +
    'Of tokens that it did not mint the uses by accounts that settings name.',
  reads,
  value: mintedSchema as z.ZodType<MintedCredential>,
  keys(event) {
    const { 'tripline.access.grant': grant, 'tripline.credential.token_hash': told }: Attributes = event.data;
    if (isMint(event) || isEnd(event))
      return [grantKeyOf(event, grant ?? ''), ...(told === undefined ? [] : [hashKey(told)])];
    const { hash } = mayBeMinted(event.data) ? (tokenUsed(event) ?? {}) : {};
    return hash === undefined ? [] : [hashKey(hash)];
  },
  learn(known, event, at) {
    const before = known ?? { mints: [], ends: [], uses: [] };
    if (isMint(event)) {
      const kept = keepBounded(before.mints, mintOf(event, at.nowMs), mints, at);
      return kept === before.mints ? known : { ...before, mints: [...kept] };
    }
    if (isEnd(event)) {
      const kept = keepBounded(before.ends, endOf(event), ends, at);
      return kept === before.ends ? known : { ...before, ends: [...kept] };
    }
    const use: MintUse = { ...tokenUseOf(event), heardMs: at.nowMs };
    const isKept = before.mints.length > 0 || wantedUser(use.by).some(at.wants);
    if (!isKept) return known;
    const minuteOf = ({ time }: Pick<MintUse, 'time'>) => Math.floor(parseTime(time) / minuteMs);
    // From another address it is another use, within the same minute too.
    const isSame = (other: MintUse) => minuteOf(other) === minuteOf(use) && other.address === use.address;
    const kept = keepEarliest(before.uses, use, isSame, uses, at);
    return kept === before.uses ? known : { ...before, uses: [...kept] };
  },
  keepMs: 7 * dayMs,
};

const grantKeyOf = (event: LoggedEvent, grant: string): string => keyOf(event, `access:${clip(grant, 200)}`);
/** A hash is one value's, wherever it is told. */
const hashKey = (hash: string): string => `${ofHash}${clip(hash, 200)}`;
const ofHash = `${usualPlace}:minted:`;
/** The hash that a key names; undefined of a grant's. */
export const hashIn = (key: string): string | undefined =>
  key.startsWith(ofHash) ? key.slice(ofHash.length) : undefined;

/** Under which names settings may want an account’s uses: its id, and the login of an app, which keeps its own. */
const wantedUser = (by: Account | undefined): string[] =>
  by === undefined
    ? []
    : [...(by.id === undefined ? [] : [by.id]), ...(by.login.endsWith('[bot]') ? [by.login.toLowerCase()] : [])];
/** The name by which settings want the uses of an account, `login:id`, an id or `name[bot]`. */
export const wantedAs = (entry: string): string =>
  entry.endsWith('[bot]') ? entry.toLowerCase() : entry.slice(entry.indexOf(':') + 1);

/** How long a credential is one, ms since the epoch: from its mint until it ended or, where nobody heard of that, expires by itself. */
type MintLife = { fromMs: number; toMs: number; end: MintEnd | undefined };

export function lifeOf(mint: Mint, ends: readonly MintEnd[]): MintLife {
  // A grant may be of several credentials: its end is told for each, by hash where it has one.
  const own = ends.filter(
    ({ hash, kind, did }) => did !== 'lost' && (hash === undefined ? kind === mint.kind : hash === mint.hash),
  );
  const end = own.toSorted(inOwnOrder)[0];
  const endedMs = end === undefined ? Number.POSITIVE_INFINITY : parseTime(end.time);
  return { fromMs: parseTime(mint.time), toMs: Math.min(endedMs, mint.expiresMs), end };
}

const isMint = (event: LoggedEvent): event is LoggedEvent<'dev.cdeventsx.tripline-credential.minted'> =>
  isEvent(event, 'dev.cdeventsx.tripline-credential.minted');

/** Tokens of people and of apps on behalf of people are never minted by the broker; where the record does not say which it is, it may be. */
function mayBeMinted({ 'tripline.audit.record': record }: Attributes): boolean {
  const type = record?.['programmatic_access_type'];
  return typeof type !== 'string' || /server-to-server/i.test(type);
}

function mintOf(event: LoggedEvent<'dev.cdeventsx.tripline-credential.minted'>, heardMs: number): Mint {
  const data: Attributes & typeof event.data = event.data;
  const { 'tripline.credential.token_hash': hash, 'client.address': address } = data;
  const by = accountOf(data['user.name'], data['user.id'], data['user.type']);
  return {
    ...observedBy(event),
    grant: clip(data['tripline.access.grant'], 200),
    grantKey: grantKeyOf(event, data['tripline.access.grant']),
    policy: clip(data['tripline.access.policy'], 200),
    kind: clip(data['tripline.credential.kind'], 100),
    expiresMs: parseTime(data['tripline.credential.expires_at']),
    scopes: (data['tripline.credential.scopes'] ?? []).slice(0, 20).map((scope) => clip(scope, 200)),
    ...(hash === undefined ? {} : { hash: clip(hash, 200) }),
    ...jobOf(event),
    ...(address === undefined ? {} : { address: clip(address, 100) }),
    ...(by === undefined ? {} : { by }),
    heardMs,
  };
}

/** For which job, as far as the event says it. */
function jobOf(event: LoggedEvent): Pick<Mint, 'repository' | 'run'> {
  const data: Attributes = event.data;
  const { 'vcs.repository.name': repository, 'cicd.pipeline.run.id': run } = data;
  const attempt = data['tripline.pipeline.run.attempt'];
  const [repositoryKey, runKey] = [repositoryKeyOf(event), runKeyOf(event)];
  return {
    ...(repository === undefined || repositoryKey === undefined
      ? {}
      : { repository: { name: clip(repository, 300), key: repositoryKey } }),
    ...(run === undefined || runKey === undefined
      ? {}
      : { run: { id: run, key: runKey, ...(attempt === undefined ? {} : { attempt }) } }),
  };
}

function endOf(event: LoggedEvent): MintEnd {
  const { 'tripline.credential.token_hash': hash, ...data }: Attributes = event.data;
  return {
    ...observedBy(event),
    did: isEvent(event, 'dev.cdeventsx.tripline-credential.revoked') ? 'revoked' : 'outlived',
    kind: clip(data['tripline.credential.kind'] ?? '', 100),
    why: data['tripline.access.end'] ?? '',
    ...(hash === undefined ? {} : { hash: clip(hash, 200) }),
  };
}
