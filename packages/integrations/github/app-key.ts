import type { AppKeySettings } from '@tripline/access/settings';
import type { MinterOptions } from '../minter.ts';
import { createVaultSession, type VaultSession } from '../vault/session.ts';
import { signByTransit } from '../vault/transit.ts';

/** What proves that a request is an App's own: its private key, PEM, or whoever has that and signs for it. */
export type AppKey = { privateKey: string } | { createJwt: CreateAppJwt };
/** A JWT of the App, signed elsewhere, and until when it is good (ISO 8601). @throws where nothing is signed; the message has no secret. */
export type CreateAppJwt = (appId: string | number) => Promise<{ jwt: string; expiresAt: string }>;

export type OpenAppKey = { key: AppKey; keepAlive?: VaultSession['keepAlive'] };

/** GitHub takes an App's JWT that lives for ten minutes at most; so much of it stands before now, for clocks that differ. */
const livesS = 9 * 60;
const leewayS = 30;

/** Of an entry of settings with `privateKey` or `transit`, what signs. */
export function openAppKey({ privateKey, transit }: AppKeySettings, options: MinterOptions): OpenAppKey {
  if (transit === undefined) return { key: { privateKey: privateKey! } };
  const session = createVaultSession(transit, options);
  const createJwt: CreateAppJwt = async (appId) => {
    const nowS = Math.floor(options.clock.nowMs() / 1000);
    const expiresS = nowS + livesS;
    const claims = { iat: nowS - leewayS, exp: expiresS, iss: String(appId) };
    const signed = [{ alg: 'RS256', typ: 'JWT' }, claims].map(encoded).join('.');
    const jwt = `${signed}.${await signByTransit(session, transit, signed)}`;
    return { jwt, expiresAt: new Date(expiresS * 1000).toISOString() };
  };
  return { key: { createJwt }, keepAlive: session.keepAlive };
}

const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
