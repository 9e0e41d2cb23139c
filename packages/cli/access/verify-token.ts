import { text } from 'node:stream/consumers';
import { trustedIssuers } from '@tripline/identity/registry';
import type { IdentitySettings } from '@tripline/identity/settings';
import { createVerifier } from '@tripline/identity/verify';
import { cautionKinds, type Workload } from '@tripline/identity/workload';
import { createOutbound } from '@tripline/integrations/outbound';
import { systemClock } from '@tripline/runtime/clock';
import { type Io, UsageError, UserError } from '../command.ts';
import { lineOf } from '../show.ts';

/**
 * Verifies the id token on standard input as `identity` says, and shows the job that it proves or why it proves none.
 * @returns the exit status: 1 where it proves nothing.
 */
export async function verifyToken(
  identity: IdentitySettings,
  { audience = identity.audience, json }: { audience?: string | undefined; json: boolean },
  io: Io,
): Promise<number> {
  if (audience === undefined) throw new UserError('say for whom the token must be: identity.audience, or --audience');
  const issuers = trustedIssuers(identity).map(({ issuer }) => issuer);
  if (issuers.length === 0) throw new UserError('no issuer is configured: name one under identity in tripline.yaml');
  const token = (await text(io.stdin)).trim();
  if (token === '') throw new UsageError('give the token on standard input');
  const verify = createVerifier({ audience, issuers }, { clock: systemClock, openOutbound: createOutbound });
  const verdict = await verify(token);
  if (json) io.out(`${JSON.stringify(verdict)}\n`);
  else if ('refusal' in verdict) io.err(`tripline: ${verdict.refusal.message} (${verdict.refusal.reason})\n`);
  else show(verdict.workload, io);
  return 'refusal' in verdict ? 1 : 0;
}

function show({ cautions, issuedAtMs, expiresAtMs, ...rest }: Workload, io: Io): void {
  const times = { issued: new Date(issuedAtMs).toISOString(), expires: new Date(expiresAtMs).toISOString() };
  const shown = [...pairsOf({ ...rest, ...times }, '')];
  const width = Math.max(...shown.map(([name]) => name.length));
  for (const [name, value] of shown) io.out(lineOf(io, [{ text: name.padEnd(width), style: 'dim' }, { text: value }]));
  for (const { kind, claim } of cautions)
    io.out(lineOf(io, [{ text: `caution: ${cautionKinds[kind]} (${claim})`, style: 'yellow' }]));
}

/** Every value with its path, `run.id`; what the token does not tell is left out. */
function* pairsOf(value: object, path: string): Generator<[string, string]> {
  for (const [name, one] of Object.entries(value)) {
    const here = path === '' ? name : `${path}.${name}`;
    if (Array.isArray(one)) yield [here, one.join(', ')];
    else if (typeof one === 'object' && one !== null) yield* pairsOf(one, here);
    else if (one !== null) yield [here, String(one)];
  }
}
