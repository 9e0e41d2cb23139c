import type { Problem } from '@tripline/access/lint';
import { askedOfGithub, lintAtGithub } from '@tripline/access/lint-at-github';
import type { PolicyFile } from '@tripline/access/policy';
import type { Config } from '@tripline/config/config';
import { openAppKey } from '@tripline/integrations/github/app-key';
import { readEnvironmentGates, readGranted } from '@tripline/integrations/github/policy-places';
import { CannotReadError, mayRead } from '@tripline/integrations/github/reader';
import { entryOfTier } from '@tripline/integrations/minter';
import { systemClock } from '@tripline/runtime/clock';
import { UserError } from '../command.ts';

/** What GitHub says against policies, by the Apps and the reader that are configured here; and what could not be asked, and why. */
export async function problemsAtGithub(
  file: PolicyFile,
  { github, broker: { apps } }: Pick<Config, 'github' | 'broker'>,
): Promise<{ problems: Problem[]; unasked: string[] }> {
  const { given, environments: named } = askedOfGithub(file);
  const { apiUrl } = github;
  const opened = apps.map((app) => {
    const { key } = openAppKey(app, { clock: systemClock });
    return { tiers: app.tiers, app: { apiUrl, id: app.id, ...key } };
  });
  const unasked: string[] = [];
  const without = [...new Set(given.map(({ tier }) => tier))].filter((tier) => entryOfTier(opened, tier) === undefined);
  if (without.length > 0)
    unasked.push(`what the App of ${without.join(', ')} may: broker.apps of this installation has none for it`);
  const options = {
    nowMs: () => Date.now(),
    onLeftAlive: (reason: string) => unasked.push(`whether a read-only token was revoked: ${reason}`),
  };
  try {
    const granted = await readGranted(given, (tier) => entryOfTier(opened, tier)?.app, Date.now());
    const environments = await readEnvironmentGates(github, named, options);
    const unread = named.filter(({ repository, environment }) => {
      const { is } = environments.get(`${repository} ${environment}`) ?? { is: 'unknown' };
      return is === 'unknown';
    });
    const said = unread.map(({ repository, environment }) => `${repository} ${environment}`).join(', ');
    if (unread.length > 0)
      unasked.push(
        `whether environments are gated (${said}): ${mayRead(github) ? 'github.app or github.token may not read them (actions: read)' : 'neither github.app nor github.token is set'}`,
      );
    return { problems: lintAtGithub(file, { granted, environments }), unasked };
  } catch (error) {
    if (!(error instanceof CannotReadError)) throw error;
    throw new UserError(`GitHub cannot be asked: ${error.message}. Without it: \`tripline access lint --offline\``);
  }
}
