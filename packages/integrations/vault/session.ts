import { readFile } from 'node:fs/promises';
import type { Clock } from '@tripline/runtime/clock';
import { z } from 'zod';
import { createJsonApi, type JsonAnswer, type JsonRequest, type NoCallAnswer } from '../caller.ts';
import type { MinterOptions } from '../minter.ts';
import type { VaultSettings } from './settings.ts';

/** OpenBao or Vault as the broker is known there. Made by {@link createVaultSession}. */
export type VaultSession = {
  /** One request with the broker's token; logs in first where it must. Never rejects. */
  ask: (request: JsonRequest) => Promise<VaultAnswer>;
  /** Renews the broker's token until `signal`. Never rejects. `onFault` gets a sentence when it cannot, without a secret. */
  keepAlive: (signal: AbortSignal, onFault: (message: string) => void) => Promise<void>;
};
/** `unsent`: the broker could not log in, so that nothing was asked. */
export type VaultAnswer = (JsonAnswer | NoCallAnswer) & { unsent?: true };

const loggedIn = z.object({
  auth: z.object({ client_token: z.string().min(1), lease_duration: z.number().nonnegative(), renewable: z.boolean() }),
});
const lookedUp = z.object({ data: z.object({ ttl: z.number().nonnegative(), renewable: z.boolean().default(false) }) });

type Held = { token: string; obtainedAtMs: number; ttlMs: number; renewable: boolean };

/** A third of its life before its end a login is not used any more: what begins with it must end with it. */
const usableShare = 2 / 3;
const retryMs = 30_000;
const longestPauseMs = 3_600_000;

export function createVaultSession(settings: VaultSettings, { clock, fetch, timeoutMs }: MinterOptions): VaultSession {
  const { url, namespace, token: own } = settings;
  const api = createJsonApi({ url, service: 'Vault', fetch, timeoutMs });
  let held: Held | undefined;
  let login: Promise<Held | VaultAnswer> | undefined;

  const send = (token: string | undefined, request: JsonRequest) =>
    api({
      ...request,
      path: `/v1/${request.path}`,
      headers: {
        'x-vault-request': 'true',
        ...(token === undefined ? {} : { 'x-vault-token': token }),
        ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
      },
    });

  async function logIn(): Promise<Held | VaultAnswer> {
    const how = await loginOf(settings);
    if (how === undefined) {
      return { reason: 'unreachable', message: 'the file of broker.vault’s jwt cannot be read', unsent: true };
    }
    const answer = await send(undefined, { method: 'POST', ...how });
    const read = loggedIn.safeParse(answer.status === undefined ? undefined : answer.data);
    if (!read.success) return { ...answer, unsent: true };
    const { client_token: token, lease_duration: ttlS, renewable } = read.data.auth;
    return { token, obtainedAtMs: clock.nowMs(), ttlMs: ttlS * 1000, renewable };
  }

  /** The token to ask with; several that need a login at once share one. */
  async function current(): Promise<string | VaultAnswer> {
    if (own !== undefined) return own;
    if (held !== undefined && isUsable(held, clock)) return held.token;
    login ??= logIn().finally(() => {
      login = undefined;
    });
    const got = await login;
    if (!('token' in got)) return got;
    held = got;
    return got.token;
  }

  async function ask(request: JsonRequest): Promise<VaultAnswer> {
    const token = await current();
    if (typeof token !== 'string') return token;
    const answer = await send(token, request);
    if (answer.status !== 403 || own !== undefined || held?.token !== token) return answer;
    // It may have been revoked; where it was only not allowed, a new one is not either.
    if (clock.nowMs() - held.obtainedAtMs < retryMs) return answer;
    held = undefined;
    const anew = await current();
    return typeof anew === 'string' ? send(anew, request) : anew;
  }

  /** Renews where half of the life is over. @returns how long until the next look, ms, or why it failed. */
  async function renew(): Promise<number | string> {
    const token = await current();
    if (typeof token !== 'string') return `the broker cannot log in at Vault: ${saidBy(token)}`;
    if (held === undefined || held.token !== token) {
      const answer = await send(token, { method: 'GET', path: 'auth/token/lookup-self' });
      const read = lookedUp.safeParse(answer.status === undefined ? undefined : answer.data);
      if (!read.success) return `the broker’s Vault token cannot be looked up: ${saidBy(answer)}`;
      const { ttl, renewable } = read.data.data;
      held = { token, obtainedAtMs: clock.nowMs(), ttlMs: ttl * 1000, renewable };
      // How much of its life is over is not known, so it is renewed at once.
      if (ttl > 0 && renewable) return renewNow(held);
    }
    const { ttlMs, renewable, obtainedAtMs } = held;
    if (ttlMs === 0 || !renewable) return longestPauseMs;
    const dueMs = obtainedAtMs + ttlMs / 2 - clock.nowMs();
    return dueMs > 0 ? Math.min(dueMs, longestPauseMs) : renewNow(held);
  }

  async function renewNow({ token }: Held): Promise<number | string> {
    const answer = await send(token, { method: 'POST', path: 'auth/token/renew-self', body: {} });
    const read = loggedIn.safeParse(answer.status === undefined ? undefined : answer.data);
    if (!read.success) return `the broker’s Vault token cannot be renewed: ${saidBy(answer)}`;
    const { lease_duration: ttlS, renewable } = read.data.auth;
    held = { token, obtainedAtMs: clock.nowMs(), ttlMs: ttlS * 1000, renewable };
    return Math.min(Math.max((ttlS * 1000) / 2, 1000), longestPauseMs);
  }

  async function keepAlive(signal: AbortSignal, onFault: (message: string) => void): Promise<void> {
    while (!signal.aborted) {
      const next = await renew();
      if (typeof next === 'string') onFault(next);
      await clock.pause(typeof next === 'string' ? retryMs : next, signal);
    }
  }

  return { ask, keepAlive };
}

const isUsable = ({ obtainedAtMs, ttlMs }: Held, clock: Clock) =>
  ttlMs === 0 || clock.nowMs() < obtainedAtMs + ttlMs * usableShare;

async function loginOf({ appRole, jwt }: VaultSettings): Promise<{ path: string; body: object } | undefined> {
  if (appRole !== undefined) {
    const { mount, roleId, secretId } = appRole;
    return { path: `auth/${mount}/login`, body: { role_id: roleId, secret_id: secretId } };
  }
  try {
    return {
      path: `auth/${jwt!.mount}/login`,
      body: { role: jwt!.role, jwt: (await readFile(jwt!.file, 'utf8')).trim() },
    };
  } catch {
    return undefined;
  }
}

/** What an answer says, in our own words: its text may repeat what was sent. */
export function saidBy(answer: VaultAnswer): string {
  if (answer.status === undefined) return answer.message;
  return `it answered ${answer.status}${wordsOf(answer)}`;
}

/** Phrases of Vault's own that say what is wrong, and bear nothing of a request. */
const phrases = [
  ...['permission denied', 'unknown role', 'invalid accessor', 'invalid lease', 'Vault is sealed', 'unsupported path'],
  ...[
    'invalid role or secret ID',
    'no handler for route',
    'unsupported operation',
    'lease not found',
    'missing client token',
  ],
];
function wordsOf(answer: JsonAnswer): string {
  const phrase = phrases.find((one) => says(answer, one));
  return phrase === undefined ? '' : `: ${phrase}`;
}

/** Whether one of the errors, or warnings, that Vault gives says `phrase`. */
export function says({ data }: JsonAnswer, phrase: string): boolean {
  const { errors, warnings } = (data ?? {}) as { errors?: unknown; warnings?: unknown };
  return [errors, warnings].flat().some((one) => typeof one === 'string' && one.includes(phrase));
}
