import { text } from 'node:stream/consumers';
import { revokeByValue } from '@tripline/integrations/github/revoke-by-value';
import { loadConfig } from '@tripline/runtime/config';
import { plain } from '@tripline/runtime/plain';
import { type Command, readArguments, UsageError, UserError } from '../command.ts';

export const revokeToken: Command = {
  name: 'revoke-token',
  summary: 'Revoke leaked GitHub tokens by their values, given on standard input, one a line',
  usage: ['revoke-token < file-with-tokens'],
  details:
    'For ghp_, github_pat_, gho_, ghu_ and ghr_ tokens, whoever they belong to. It cannot be undone, and GitHub tells their owners. ' +
    'The values go to GitHub and nowhere else; on the command line others could read them, so they are not taken there.',
  async run(args, io) {
    readArguments(args, {}, { atMost: 0 });
    const config = loadConfig(io.env, io.cwd);
    const tokens = (await text(io.stdin)).split(/\s+/).filter((token) => token !== '');
    if (tokens.length === 0) throw new UsageError('give the tokens on standard input');
    const outcome = await revokeByValue({ apiUrl: config.github.apiUrl, tokens });
    if (outcome.kind !== 'done') {
      const again = outcome.kind === 'retry' ? '; try again' : '';
      throw new UserError(`nothing is known to be revoked: ${plain(outcome.message ?? outcome.reason)}${again}`);
    }
    io.out(`GitHub has taken ${tokens.length === 1 ? 'the token' : `${tokens.length} tokens`} in to revoke.\n`);
    return 0;
  },
};
