import type { Clock } from '@tripline/runtime/clock';
import { plain } from '@tripline/runtime/plain';
import { z } from 'zod';
import { retryAfterMs } from '../caller.ts';
import type { MintAnswer, Minted, Minter, MintOrder, Revocable, Revoked } from '../minter.ts';
import type { Check } from '../provider.ts';
import { saidBy, says, type VaultAnswer, type VaultSession } from './session.ts';

/** By which a token is found that was made though its answer was lost. */
const grantKey = 'tripline_grant';
/** Tokens that are looked at for it, at most, so many at once. */
const mostAccessors = 5000;
const lookUpsAtOnce = 8;
const rateLimitedMs = 5000;

const name = z.string().regex(/^[\w./-]{1,300}$/);
const madeToken = z.object({
  auth: z.object({
    client_token: z.string().regex(/^[\x21-\x7e]{8,4096}$/),
    accessor: name,
    policies: z.array(z.string()).min(1),
    lease_duration: z.number().positive(),
    renewable: z.boolean(),
    token_type: z.string(),
    orphan: z.boolean(),
  }),
});
const madeLease = z.object({
  lease_id: name,
  lease_duration: z.number().positive(),
  data: z.record(z.string(), z.unknown()),
});
type Refused = Extract<MintAnswer, { result: 'refused' }>;
type Order = MintOrder<'vault'>;

/**
 * Tokens of a token role (`deploy-api`), or the dynamic secret at a path (`database/creds/deploy-api`), of OpenBao or Vault. What a
 * token may do its role says; it is an orphan, cannot be renewed, has an explicit end, and bears the grant's id. What is revoked
 * by accessor or lease is dead at the next use.
 * https://openbao.org/api-docs/auth/token · https://openbao.org/api-docs/system/leases
 */
export function createVaultMinter({ ask }: Pick<VaultSession, 'ask'>, { clock }: { clock: Clock }): Minter<'vault'> {
  async function mint(order: Order): Promise<MintAnswer> {
    const seconds = Math.floor(Math.min(order.give.for, order.untilMs - clock.nowMs()) / 1000);
    if (seconds < 1) return refused('no-time-left', 'What is asked for would be over before it is given');
    return isPath(order) ? mintLease(order, seconds) : mintToken(order, seconds);
  }

  async function mintToken({ give, grantId, run }: Order, seconds: number): Promise<MintAnswer> {
    const answer = await ask({
      ...{ method: 'POST', path: `auth/token/create/${encodeURIComponent(give.role)}` },
      body: {
        ...{ ttl: `${seconds}s`, explicit_max_ttl: `${seconds}s`, renewable: false },
        ...{ display_name: 'tripline', meta: { [grantKey]: grantId, run } },
      },
    });
    if (!isSuccess(answer)) return refusalOf(answer, `token role ${give.role}`);
    const read = madeToken.safeParse(answer.data);
    if (!read.success) {
      const accessor = (answer.data as { auth?: { accessor?: unknown } } | null)?.auth?.accessor;
      if (typeof accessor !== 'string') return unreadable;
      return takeBack({ accessor }, 'does not say what it may do and until when');
    }
    const { accessor, client_token: token, policies, lease_duration: livesS, ...of } = read.data.auth;
    const asIs = `; set orphan=true, renewable=false and token_type=service on token role ${give.role}`;
    let fault: string | undefined;
    if (policies.includes('root')) fault = 'may do everything';
    else if (livesS > seconds) fault = `lives for ${livesS} s, not ${seconds}`;
    else if (of.renewable) fault = `can be renewed${asIs}`;
    else if (!of.orphan) fault = `ends with the broker’s own token${asIs}`;
    else if (of.token_type !== 'service') fault = `is of type ${plain(of.token_type.slice(0, 20))}${asIs}`;
    if (fault !== undefined) return takeBack({ accessor }, fault);
    const minted: Minted = {
      ...{ credential: { token }, handle: { accessor }, tokenHash: accessor },
      ...{ expiresAtMs: clock.nowMs() + livesS * 1000, scopes: policies.map((one) => `policy:${one}`) },
    };
    return { result: 'minted', minted };
  }

  async function mintLease({ give }: Order, seconds: number): Promise<MintAnswer> {
    const answer = await ask({ method: 'GET', path: give.role });
    if (!isSuccess(answer)) return refusalOf(answer, give.role);
    const read = madeLease.safeParse(answer.data);
    if (!read.success) {
      const lease = (answer.data as { lease_id?: unknown } | null)?.lease_id;
      if (typeof lease === 'string' && lease !== '') return takeBack({ lease }, 'does not say how long it lives');
      if (lease === '') return refused('not-leased', `${give.role} has no lease, so that it could not be revoked`);
      return unreadable;
    }
    const { lease_id: lease, lease_duration: livesS, data } = read.data;
    // Vault takes no length with it: its role has one.
    if (livesS > seconds) {
      return takeBack({ lease }, `lives for ${livesS} s, not ${seconds}; set default_ttl of ${give.role} to no more`);
    }
    const texts = Object.entries(data).filter(([, value]) => ['string', 'number'].includes(typeof value));
    const credential = Object.fromEntries(texts.map(([field, value]) => [field, String(value)]));
    const minted: Minted = {
      ...{ credential, handle: { lease }, tokenHash: lease },
      ...{ expiresAtMs: clock.nowMs() + livesS * 1000, scopes: [`secret:${give.role}`] },
    };
    return { result: 'minted', minted };
  }

  async function takeBack(handle: Revocable['handle'], fault: string): Promise<MintAnswer> {
    const message = `Vault gave what ${fault}`;
    const { result } = await revoke({ handle });
    if (result === 'dead') return refused('other-than-asked', `${message}. It was revoked`);
    return { result: 'unknown', reason: 'other-than-asked', message: `${message}. It could not be revoked` };
  }

  async function revoke({ handle: { accessor, lease } }: Revocable): Promise<Revoked> {
    const request =
      accessor === undefined
        ? { path: 'sys/leases/revoke', body: { lease_id: lease, sync: true } }
        : { path: 'auth/token/revoke-accessor', body: { accessor } };
    const answer = await ask({ method: 'POST', ...request });
    // OpenBao answers what is dead with a warning, Vault with an error.
    if (isGone(answer) || (isSuccess(answer) && says(answer, 'No token found with this accessor')))
      return { result: 'dead', by: 'dead-already' };
    if (answer.status === 204) return { result: 'dead', by: 'revoked' };
    const message = `Vault does not revoke it: ${saidBy(answer)}`;
    if (answer.status === 429) {
      const afterMs = retryAfterMs(answer.headers, rateLimitedMs);
      return { result: 'not-yet', retry: true, reason: 'rate-limited', message, afterMs };
    }
    if (answer.status === 403) return { result: 'not-yet', retry: false, reason: 'forbidden', message };
    const reason = answer.status === undefined ? answer.reason : answer.status >= 500 ? 'provider-failed' : 'rejected';
    return { result: 'not-yet', retry: reason !== 'rejected', reason, message };
  }

  async function check({ handle: { accessor, lease } }: Revocable): Promise<Check> {
    const request =
      accessor === undefined
        ? { path: 'sys/leases/lookup', body: { lease_id: lease } }
        : { path: 'auth/token/lookup-accessor', body: { accessor } };
    const answer = await ask({ method: 'POST', ...request });
    if (isGone(answer)) return { result: 'dead', detail: 'Vault knows it no more' };
    if (answer.status === 200 && typeof (answer.data as { data?: unknown } | null)?.data === 'object')
      return { result: 'alive', detail: 'Vault knows it' };
    return { result: 'unknown', detail: `asked for it, Vault does not say: ${saidBy(answer)}` };
  }

  /** Looks at every token that there is, which a right of its own allows; leases bear nothing by which to find them. */
  async function recover(order: Order): ReturnType<NonNullable<Minter<'vault'>['recover']>> {
    const unknown = (detail: string) => ({ result: 'unknown' as const, detail });
    if (isPath(order)) return unknown('leases bear no grant’s id; it ends with its lease');
    const answer = await ask({ method: 'GET', path: 'auth/token/accessors?list=true' });
    const keys = z.object({ data: z.object({ keys: z.array(z.string()) }) });
    const read = keys.safeParse(answer.status === 200 ? answer.data : undefined);
    if (!read.success) return unknown(`Vault lists no tokens: ${saidBy(answer)}; it ends by itself`);
    const accessors = [...read.data.data.keys];
    if (accessors.length > mostAccessors) return unknown(`of ${accessors.length} tokens not all can be looked at`);
    const found: Revocable[] = [];
    let silent: string | undefined;
    const lookOn = async () => {
      for (let accessor = accessors.pop(); accessor !== undefined; accessor = accessors.pop()) {
        const one = await ask({ method: 'POST', path: 'auth/token/lookup-accessor', body: { accessor } });
        if (isGone(one)) continue;
        const meta = one.status === 200 ? (one.data as { data?: { meta?: unknown } } | null)?.data?.meta : undefined;
        if (meta === undefined) silent = saidBy(one);
        else if ((meta as Record<string, unknown> | null)?.[grantKey] === order.grantId)
          found.push({ handle: { accessor } });
      }
    };
    await Promise.all(Array.from({ length: lookUpsAtOnce }, lookOn));
    if (silent !== undefined) return unknown(`Vault does not say of every token whose it is: ${silent}`);
    return { result: 'known', found };
  }

  return { kind: 'vault', mint, revoke, check, recover };
}

/** A role with a slash is the path of a dynamic secret; without one it is a token role. */
const isPath = ({ give }: Order) => give.role.includes('/');

const unreadable: MintAnswer = {
  ...{ result: 'unknown', reason: 'unreadable', message: 'Vault’s answer is of no known form' },
};

function isSuccess(answer: VaultAnswer): answer is Extract<VaultAnswer, { status: number }> {
  return answer.status !== undefined && answer.status >= 200 && answer.status < 300;
}

/** Vault's own word that there is no such token or lease, whatever the status that a version gives it. */
function isGone(answer: VaultAnswer): boolean {
  if (answer.status === undefined || ![400, 403, 404].includes(answer.status)) return false;
  return says(answer, 'invalid accessor') || says(answer, 'invalid lease') || says(answer, 'lease not found');
}

function refusalOf(answer: VaultAnswer, what: string): MintAnswer {
  const message = `Vault gives nothing of ${what}: ${saidBy(answer)}`;
  if (answer.unsent)
    return { ...refused('not-logged-in', message), retry: answer.status === undefined || answer.status >= 429 };
  if (answer.status === undefined) return { result: 'unknown', reason: answer.reason, message };
  if (answer.status === 429) {
    return { ...refused('rate-limited', message), retry: true, afterMs: retryAfterMs(answer.headers, rateLimitedMs) };
  }
  if (answer.status === 503 && says(answer, 'Vault is sealed')) {
    return { ...refused('sealed', `${message}; unseal it`), retry: true, afterMs: rateLimitedMs };
  }
  // What else fails may have been done before.
  if (answer.status >= 500) return { result: 'unknown', reason: 'provider-failed', message };
  if (answer.status === 403) {
    return refused(
      'forbidden',
      `${message}; see packages/integrations/vault/README.md for what the broker must be allowed`,
    );
  }
  if (answer.status === 404 || says(answer, 'unknown role')) return refused('not-found', `${message}; create it there`);
  return refused(answer.status >= 300 && answer.status < 400 ? 'moved' : 'rejected', message);
}

function refused(reason: string, message: string): Refused {
  return { result: 'refused', retry: false, reason, message };
}
