import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { type Config, loadConfig } from '@tripline/config/config';
import { addToOutbox, triplineWorkspace } from '@tripline/db/outbox';
import { inTransaction } from '@tripline/db/transaction';
import { actOf } from '@tripline/incidents/acts';
import { revokeByValue } from '@tripline/integrations/github/revoke-by-value';
import { plain } from '@tripline/runtime/plain';
import { credentialHash } from '@tripline/runtime/redact';
import { whoRuns } from '../actor.ts';
import { type Command, readArguments, UsageError, UserError } from '../command.ts';
import { withStore } from '../store.ts';

const options = {
  reason: { type: 'string', value: 'text', doc: 'why, for those who ask later; recorded in the audit trail' },
} as const;

export const revokeToken: Command = {
  name: 'revoke-token',
  summary: 'Revoke leaked GitHub tokens by their values, given on standard input, one a line',
  usage: ['revoke-token [--reason <text>] < file-with-tokens'],
  details:
    'For ghp_, github_pat_, gho_, ghu_ and ghr_ tokens, whoever they belong to. It cannot be undone, and GitHub tells their owners. ' +
    'The values go to GitHub and nowhere else; on the command line others could read them, so they are not taken there.',
  options,
  async run(args, io) {
    const { values } = readArguments(args, options, { atMost: 0 });
    const config = loadConfig(io.env, io.cwd);
    const tokens = (await text(io.stdin)).split(/\s+/).filter((token) => token !== '');
    if (tokens.length === 0) throw new UsageError('give the tokens on standard input');
    // Recorded first, since it cannot be undone; without a database it is done all the same: a leaked token must not
    // wait.
    await leaveActs(config, tokens, values.reason).catch((error: unknown) => {
      const why = error instanceof UserError ? error.message : 'the database does not take it';
      io.err(`This is not recorded in the audit trail: ${plain(why)}\n`);
    });
    const outcome = await revokeByValue({ apiUrl: config.github.apiUrl, tokens });
    if (outcome.kind !== 'done') {
      const again = outcome.kind === 'retry' ? '; try again' : '';
      throw new UserError(`nothing is known to be revoked: ${plain(outcome.message ?? outcome.reason)}${again}`);
    }
    io.out(`GitHub has taken ${tokens.length === 1 ? 'the token' : `${tokens.length} tokens`} in to revoke.\n`);
    return 0;
  },
};

/** Adds the acts to the outbox: each token by its hash, as in GitHub's audit log. */
function leaveActs(config: Config, tokens: readonly string[], reason: string | undefined): Promise<void> {
  const by = whoRuns();
  const asked = randomUUID();
  return withStore(config, (db) =>
    inTransaction(db, (client) =>
      addToOutbox(
        client,
        tokens.map((token, nth) =>
          actOf(by, {
            id: `act:revoke-token:${asked}:${nth}`,
            workspace: triplineWorkspace,
            kind: 'token-revocation-asked',
            target: `sha256:${credentialHash(token)}`,
            reason: reason?.slice(0, 2000),
          }),
        ),
      ),
    ),
  );
}
