import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Clock } from '@tripline/runtime/clock';
import { calculateJwkThumbprint } from 'jose';
import { z } from 'zod';
import { parseObjectOfUniqueNames } from './json-object.ts';
import { type IdentityRefusal, refuseToken } from './refusal.ts';

/** The algorithm by which every issuer that is known signs; its discovery page names no other. */
export const algorithm = 'RS256';

/** Once keys are older they are read anew, while the former still serve. */
const freshMs = 60 * 60_000;
/** Once they are older, they prove nothing any more. */
const keptMs = 24 * 60 * 60_000;
/** Least time between two requests, whatever tokens name: a stranger cannot have the issuer asked more often. */
const coolDownMs = 30_000;
const timeoutMs = 3000;
const answerLimitBytes = 256 * 1024;
const keyLimit = 100;
const shortestKeyBits = 2048;

/** What became of an issuer's keys, for whoever runs Tripline. */
export type KeyEvent =
  | { kind: 'keys-read'; jwksUri: string; thumbprints: readonly string[] }
  /** No key that was known before is among those that were read: a rotation never looks so, a stolen host may. */
  | { kind: 'all-keys-replaced'; jwksUri: string; thumbprints: readonly string[] }
  /** They could not be read for an hour or longer. `fault` is a code or a sentence, never what was answered. */
  | { kind: 'keys-not-read'; jwksUri: string; sinceMs: number; fault: string };

export type KeySetDependencies = {
  clock: Clock;
  /** Calls `jwksUri` and nothing else, as packages/integrations/outbound.ts makes it; follows no redirect. */
  ask: typeof globalThis.fetch;
  tell?: ((event: KeyEvent) => void) | undefined;
};

type KeySource = { jwksUri: string; thumbprints?: readonly string[] | undefined };
type Keys = { readMs: number; byId: ReadonlyMap<string, KeyObject>; thumbprints: readonly string[] };
export type KeySet = { find: (keyId: string) => Promise<{ key: KeyObject } | { refusal: IdentityRefusal }> };

/**
 * The public keys of one issuer, read from `jwksUri` when the first token comes, and kept for a day. A key that is not
 * known has them read anew, once a cool-down; within it the answer is `keys-unavailable`, since the token may be good.
 */
export function createKeySet({ jwksUri, thumbprints }: KeySource, { clock, ask, tell }: KeySetDependencies): KeySet {
  let keys: Keys | undefined;
  let askedMs = Number.NEGATIVE_INFINITY;
  let failingSinceMs: number | undefined;
  let underway: Promise<void> | undefined;

  const current = () => (keys !== undefined && clock.nowMs() - keys.readMs < keptMs ? keys : undefined);

  /** Never throws: what goes wrong is told. */
  async function read(): Promise<KeyEvent[]> {
    const before = keys;
    const answer = await readKeys({ jwksUri, thumbprints }, { ask, clock });
    if ('fault' in answer) {
      const nowMs = clock.nowMs();
      failingSinceMs ??= nowMs;
      const sinceMs = before?.readMs ?? failingSinceMs;
      return nowMs - sinceMs >= freshMs ? [{ kind: 'keys-not-read', jwksUri, sinceMs, fault: answer.fault }] : [];
    }
    failingSinceMs = undefined;
    const { byId } = answer;
    keys = { readMs: clock.nowMs(), byId, thumbprints: answer.thumbprints };
    const about = { jwksUri, thumbprints: answer.thumbprints };
    const isNew = before !== undefined && !answer.thumbprints.some((one) => before.thumbprints.includes(one));
    return [{ kind: 'keys-read', ...about }, ...(isNew ? [{ kind: 'all-keys-replaced', ...about } as const] : [])];
  }

  /** Undefined where a request is under way, and within the cool-down. */
  function startReading(): Promise<void> | undefined {
    if (underway !== undefined || clock.nowMs() - askedMs < coolDownMs) return undefined;
    askedMs = clock.nowMs();
    underway = read().then((events) => {
      underway = undefined;
      for (const event of events) tell?.(event);
    });
    return underway;
  }

  return {
    async find(keyId) {
      const known = current()?.byId.get(keyId);
      if (known !== undefined) {
        if (clock.nowMs() - keys!.readMs >= freshMs) void startReading();
        return { key: known };
      }
      // Whoever waits for another's request cannot say that the key is unknown: it may be newer than that.
      const own = startReading();
      await (own ?? underway);
      const key = current()?.byId.get(keyId);
      if (key !== undefined) return { key };
      const isRead = own !== undefined && keys !== undefined && keys.readMs >= askedMs;
      return { refusal: isRead ? unknownKey() : keysUnavailable(askedMs + coolDownMs - clock.nowMs()) };
    },
  };
}

function unknownKey(): IdentityRefusal {
  return refuseToken(
    'key-unknown',
    'The token’s key is none of those that its issuer publishes and that are believed: send a fresh token',
  );
}

function keysUnavailable(waitMs: number): IdentityRefusal {
  const retryAfterS = Math.max(1, Math.ceil(waitMs / 1000));
  const message = `The issuer’s keys cannot be read, or were read a moment ago without this one: send the same token again in ${retryAfterS} s`;
  return refuseToken('keys-unavailable', message, retryAfterS);
}

/** The keys that can be used, by their ids, or why there are none. Never throws. */
export async function readKeys(
  { jwksUri, thumbprints: pinned }: KeySource,
  { ask, clock }: Pick<KeySetDependencies, 'ask' | 'clock'>,
): Promise<(Omit<Keys, 'readMs'> & { issuerMs: number | undefined }) | { fault: string }> {
  const body = await readBody(jwksUri, { ask, clock });
  if ('fault' in body) return body;
  const parsed = parseObjectOfUniqueNames(body.bytes);
  if ('fault' in parsed) return { fault: 'the answer is not one JSON object of unique names' };
  const set = jwks.safeParse(parsed.object);
  if (!set.success) return { fault: 'the answer is no set of keys' };
  const usable = await Promise.all(set.data.keys.map((one) => importKey(one, pinned)));
  const found = usable.filter((one) => one !== undefined);
  // Of two keys with one id neither is taken: which of them is meant nobody can say.
  const single = found.filter(({ id }) => found.filter((other) => other.id === id).length === 1);
  if (single.length === 0) return { fault: 'the answer holds no key that can be used' };
  return {
    byId: new Map(single.map(({ id, key }) => [id, key])),
    thumbprints: single.map(({ thumbprint }) => thumbprint),
    issuerMs: body.issuerMs,
  };
}

/** `issuerMs`: the time that its own clock said, by `Date` and, where a cache answered, `Age`. */
type Answered = { bytes: Uint8Array; issuerMs: number | undefined } | { fault: string };

async function readBody(jwksUri: string, { ask, clock }: Pick<KeySetDependencies, 'ask' | 'clock'>): Promise<Answered> {
  const given = new AbortController();
  const done = new AbortController();
  void clock.pause(timeoutMs, done.signal).then(() => given.abort());
  const late = new Promise<{ fault: string }>((resolve) => {
    given.signal.addEventListener('abort', () => resolve({ fault: `no answer within ${timeoutMs} ms` }));
  });
  try {
    return await Promise.race([late, answered(jwksUri, ask, given.signal)]);
  } catch (error) {
    const { cause, code } = error as { cause?: { code?: string }; code?: string };
    return { fault: cause?.code ?? code ?? 'the connection failed' };
  } finally {
    done.abort();
  }
}

async function answered(jwksUri: string, ask: KeySetDependencies['ask'], signal: AbortSignal): Promise<Answered> {
  const response = await ask(jwksUri, { redirect: 'manual', signal, headers: { accept: 'application/json' } });
  if (response.status !== 200) {
    await response.body?.cancel();
    const isRedirect = response.status >= 300 && response.status < 400;
    return { fault: `it answered ${response.status}${isRedirect ? ', and no redirect is followed' : ''}` };
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > answerLimitBytes) return { fault: `the answer is longer than ${answerLimitBytes} bytes` };
  }
  const issuerMs = Date.parse(response.headers.get('date') ?? '') + 1000 * Number(response.headers.get('age') ?? 0);
  return { bytes: Buffer.concat(chunks), issuerMs: Number.isFinite(issuerMs) ? issuerMs : undefined };
}

const jwks = z.object({ keys: z.array(z.record(z.string(), z.unknown())).max(keyLimit) });
/** A public RSA key for signatures. One whose private half stands beside it anybody can sign with. */
const rsaKey = z.object({
  kty: z.literal('RSA'),
  kid: z.string().min(1).max(256),
  alg: z.literal(algorithm).optional(),
  use: z.literal('sig').optional(),
  key_ops: z
    .array(z.string())
    .refine((ops) => ops.includes('verify'))
    .optional(),
  // 8192 bits: each token of a longer one would hold up all others for milliseconds.
  n: z.string().max(1366),
  // 65537: with a small exponent a signature could be made without the key.
  e: z.literal('AQAB'),
  d: z.undefined().optional(),
});

/** Undefined for a key that is of another kind or use, too short, or not one of `pinned`. */
async function importKey(
  given: Record<string, unknown>,
  pinned: readonly string[] | undefined,
): Promise<{ id: string; key: KeyObject; thumbprint: string } | undefined> {
  const parsed = rsaKey.safeParse(given);
  if (!parsed.success) return undefined;
  const { kid, kty, n, e } = parsed.data;
  try {
    const thumbprint = await calculateJwkThumbprint({ kty, n, e });
    if (pinned !== undefined && !pinned.includes(thumbprint)) return undefined;
    const key = createPublicKey({ key: { kty, n, e }, format: 'jwk' });
    return (key.asymmetricKeyDetails?.modulusLength ?? 0) < shortestKeyBits ? undefined : { id: kid, key, thumbprint };
  } catch {
    return undefined;
  }
}
