import { text } from 'node:stream/consumers';
import { loadConfig } from '@tripline/config/config';
import { trustedIssuers } from '@tripline/identity/registry';
import { createVerifier } from '@tripline/identity/verify';
import { cautionKinds, type Workload } from '@tripline/identity/workload';
import { createOutbound } from '@tripline/integrations/outbound';
import { systemClock } from '@tripline/runtime/clock';
import { type Command, type Io, oneOf, readArguments, UsageError, UserError } from '../command.ts';
import { lineOf } from '../show.ts';

const options = {
  audience: { type: 'string', value: 'text', doc: 'with verify: what the token must be for (identity.audience)' },
  json: { type: 'boolean', doc: 'one JSON object' },
} as const;

export const access: Command = {
  name: 'access',
  summary: 'Say which job an id token proves, or why it proves none',
  usage: ['access verify [--audience <text>] [--json] < token'],
  details:
    'Reads the token of a CI job from standard input and verifies it as configured under `identity`: against the keys of its ' +
    'issuer, which are fetched, and by all that a token must say. Nothing is granted and nothing is spent by it, and the token ' +
    'goes nowhere. Exit status 1 where it proves nothing.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 1 });
    oneOf('verb', positionals[0], ['verify']);
    const { identity } = loadConfig(io.env, io.cwd);
    const audience = values.audience ?? identity.audience;
    if (audience === undefined) throw new UserError('say for whom the token must be: identity.audience, or --audience');
    const issuers = trustedIssuers(identity).map(({ issuer }) => issuer);
    if (issuers.length === 0) throw new UserError('no issuer is configured: name one under identity in tripline.yaml');
    const token = (await text(io.stdin)).trim();
    if (token === '') throw new UsageError('give the token on standard input');
    const verify = createVerifier({ audience, issuers }, { clock: systemClock, openOutbound: createOutbound });
    const verdict = await verify(token);
    if (values.json) io.out(`${JSON.stringify(verdict)}\n`);
    else if ('refusal' in verdict) io.err(`tripline: ${verdict.refusal.message} (${verdict.refusal.reason})\n`);
    else show(verdict.workload, io);
    return 'refusal' in verdict ? 1 : 0;
  },
};

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
