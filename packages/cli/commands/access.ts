import { loadConfig } from '@tripline/config/config';
import { verifyToken } from '../access/verify-token.ts';
import { type Command, oneOf, readArguments } from '../command.ts';

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
    return verifyToken(identity, { audience: values.audience, json: values.json ?? false }, io);
  },
};
