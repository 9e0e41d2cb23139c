import type { Give } from '@tripline/access/policy';
import type { Look } from '@tripline/contracts/check';
import type { Clock } from '@tripline/runtime/clock';
import type { z } from 'zod';
import type { Outbound } from './outbound.ts';
import type { Check } from './provider.ts';

/**
 * What a credential is minted by, one a kind of `give`. The broker decides whether; a minter knows how, for one provider. It
 * keeps nothing: what revoking needs comes back with what was minted. All of them pass one suite
 * (packages/testing/minter.conformance.ts).
 */
export type Minter<Kind extends GiveKind = GiveKind> = {
  kind: Kind;
  /** Mints what `order` says and no more. Never throws: a missing answer is one, after which something may be alive. */
  mint: (order: MintOrder<Kind>) => Promise<MintAnswer>;
  /** Ends it. What is dead already is `dead`. Idempotent; never throws. */
  revoke: (minted: Revocable) => Promise<Revoked>;
  /** Asks the provider, changing nothing. Never throws: no answer is `unknown`. */
  check: (minted: Revocable) => Promise<Check>;
  /** What the provider has under a grant's id, though its answer was lost; absent where it cannot be asked by that. */
  recover?: (
    order: MintOrder<Kind>,
  ) => Promise<{ result: 'known'; found: Revocable[] } | { result: 'unknown'; detail: string }>;
  /** How long it lives by itself at the most, where `recover` is absent. */
  mostLifeMs?: number;
};

export type GiveKind = Give extends infer One ? (One extends object ? keyof One : never) : never;
/** What a policy's `give` says under its kind. */
export type GiveOf<Kind extends GiveKind> = Give extends infer One
  ? One extends Record<Kind, infer What>
    ? What
    : never
  : never;

export type MintOrder<Kind extends GiveKind = GiveKind> = {
  /** By which the provider names it where it can: session name, token name, metadata. */
  grantId: string;
  give: GiveOf<Kind>;
  tier: string;
  /** Ids of the repositories that `give` names, by name, as the lock file pins them. */
  pins: Readonly<Record<string, { id: string; owner: string }>>;
  /** Texts of the files that `give` names, by their path there, of the same commit as the policy. */
  files?: Readonly<Record<string, string>>;
  /** Of the job, for the provider's own records: `acme/api#29679449`. */
  run: string;
  /** It may live no longer than this, ms since the epoch; a provider that cannot be told so says so in `expiresAtMs`. */
  untilMs: number;
};

/** How a credential is named to its provider: by handle or, where the provider revokes it for its bearer alone, by its value. */
export type Revocable = { handle: Readonly<Record<string, string>>; value?: string };

export type Minted = {
  /** What the job gets, by the fields of the answer: `{ token }`. Secret. */
  credential: Readonly<Record<string, string>>;
  handle: Readonly<Record<string, string>>;
  /** What must be kept, sealed, to revoke it; absent where the handle does. */
  keep?: string;
  /** As the provider's audit log names it: base64 SHA-256 of the value, access key id, accessor. */
  tokenHash: string;
  expiresAtMs: number;
  /** What it may do, in the provider's own words; may be less than was asked for, never more. */
  scopes: readonly string[];
};

export type MintAnswer =
  | { result: 'minted'; minted: Minted }
  /** Nothing was minted. `message` says why and what to do, without a secret. `retry`: asking again may help. */
  | { result: 'refused'; retry: boolean; reason: string; message: string; afterMs?: number }
  /** No whole answer came, or none that may be handed out: it may be alive. `left`: what was read of it, to be revoked yet. */
  | { result: 'unknown'; reason: string; message: string; left?: Left };

/** What was minted and nobody may be given, by all that revoking it takes. */
export type Left = Omit<Minted, 'credential' | 'scopes'>;

export type Revoked =
  /** The provider says so. `denied`: what was given still signs, and nothing lets it in any more. */
  | { result: 'dead'; by: 'revoked' | 'denied' | 'dead-already' }
  | { result: 'not-yet'; retry: boolean; reason: string; message: string; afterMs?: number };

/** An entry of minters.ts. It loads its code only when asked to, since every command reads the settings of all. */
// biome-ignore lint/suspicious/noExplicitAny: each names the settings that it needs; who opens it has them all.
export type RegisteredMinter<Kind extends GiveKind = GiveKind, Needs = any> = {
  kind: Kind;
  /** What stands under its kind in `broker` of tripline.yaml; absent where the broker's own settings say it. */
  settings?: z.ZodType;
  load: () => Promise<(config: Needs, options: MinterOptions) => OpenMinter<Kind>>;
};

export type MinterOptions = {
  clock: Clock;
  /** For tests; only the configured service may be called otherwise. */
  fetch?: Outbound | undefined;
  /** How long one call may take; 8 s where absent. */
  timeoutMs?: number | undefined;
  /**
   * Runs `work` while nobody else runs any for the same key, in another process either. Needed where a provider takes a list as
   * a whole, so that of two who add to it one is lost. Absent: this process is the only one.
   */
  exclusively?: <Result>(key: string, work: () => Promise<Result>) => Promise<Result>;
};

/** The minters of one kind that are configured. */
export type OpenMinter<Kind extends GiveKind> = {
  /** The minter of a tier, or undefined where none is configured for it. */
  of: (tier: string) => Minter<Kind> | undefined;
  /** What `tripline doctor` says of them. */
  looks: readonly Look[];
  /** Renews what they call with, until `signal`; absent where that does not end. `onFault` gets why it could not, without a secret. */
  keepAlive?: (signal: AbortSignal, onFault: (message: string) => void) => Promise<void>;
};

/** Of a list with one entry a tier, the one for `tier`: which names it, or else the one that names none. */
export function entryOfTier<Entry extends { tiers?: readonly string[] | undefined }>(
  entries: readonly Entry[],
  tier: string,
): Entry | undefined {
  return entries.find(({ tiers }) => tiers?.includes(tier)) ?? entries.find(({ tiers }) => tiers === undefined);
}

/** How an entry for some tiers is called: `production and staging`, or `other tiers`. */
export const tiersOf = ({ tiers }: { tiers?: readonly string[] | undefined }): string =>
  tiers?.join(' and ') ?? 'other tiers';

/** Of a provider that gave no word of its own, what the doctor says: nothing that is configured need be wrong. Undefined of any other answer. */
export function brokenWhileAway(
  answer: { status?: number | undefined },
  { said, setting }: { said: string; setting: string },
): { state: 'broken'; detail: string; remedy: string } | undefined {
  if (answer.status !== undefined && answer.status < 500) return undefined;
  const remedy = `see whether what ${setting} names can be reached from here, and is well there; it is asked again by itself`;
  return { state: 'broken', detail: `it cannot be asked now: ${said}`, remedy };
}
