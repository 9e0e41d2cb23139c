import type { Check } from '@tripline/contracts/check';
import type { TrustedIssuer } from '@tripline/identity/issuer';
import { readKeys } from '@tripline/identity/key-set';
import { trustedIssuers } from '@tripline/identity/registry';
import type { IdentitySettings } from '@tripline/identity/settings';
import { createOutbound } from '@tripline/integrations/outbound';
import { type Clock, systemClock } from '@tripline/runtime/clock';

/** Tokens are refused beyond five seconds; `Date` counts whole ones, and an answer takes its time. */
const clockLimitMs = 30_000;

/** Whether the keys of each configured issuer can be read, and some of them be used. None where none is configured. */
export async function checkIssuers(identity: IdentitySettings, clock: Clock = systemClock): Promise<Check[]> {
  return Promise.all(trustedIssuers(identity).map(({ issuer }) => checkIssuer(issuer, identity.audience, clock)));
}

async function checkIssuer(issuer: TrustedIssuer, audience: string | undefined, clock: Clock): Promise<Check> {
  const name = `issuer ${issuer.iss}` as const;
  if (audience === undefined) {
    const remedy = 'set identity.audience to what jobs ask their tokens for';
    return { name, state: 'broken', detail: 'no audience is set, so that no token is believed', remedy };
  }
  const read = await readKeys(issuer, { ask: createOutbound(issuer.jwksUri), clock });
  if ('fault' in read) {
    const remedy = `have this machine reach ${issuer.jwksUri}, or set jwksUri and thumbprints of the issuer as they are`;
    return { name, state: 'broken', detail: `its keys could not be read: ${read.fault}`, remedy };
  }
  const aheadMs = clock.nowMs() - (read.issuerMs ?? clock.nowMs());
  if (Math.abs(aheadMs) > clockLimitMs) {
    const by = `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
    const detail = `this machine’s clock is ${by} the issuer’s: where the database has the same, by which the broker goes, honest tokens are refused`;
    return { name, state: 'broken', detail, remedy: 'have this machine’s clock, and the database’s, set by NTP' };
  }
  const count = read.thumbprints.length;
  const pinned = issuer.thumbprints === undefined ? '' : ', by thumbprint';
  return { name, state: 'ok', detail: `${count} ${count === 1 ? 'key' : 'keys'}${pinned}; tokens for ${audience}` };
}
