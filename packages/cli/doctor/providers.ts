import type { Config } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';
import { isRoutingKey } from '@tripline/integrations/pagerduty/check';
import { providers } from '@tripline/integrations/providers';
import { checkSlack } from '@tripline/integrations/slack/check';
import { readSecret } from '@tripline/runtime/data-folder';
import { githubSecrets } from '@tripline/sources/secrets';
import { ask } from './check.ts';

/** Whether those whom Tripline calls would take its calls. */
export async function checkProviders(config: Config): Promise<Check[]> {
  const looks = providers.flatMap(({ doctor }) => doctor(config)).map(({ name, mend, look }) => ask(name, mend, look));
  return Promise.all([webhookSecret(config), ...looks, slack(config), pagerduty(config), remediation(config)]);
}

async function webhookSecret(config: Config): Promise<Check> {
  const { dataDir } = config;
  const secrets = githubSecrets({ ...config, drills: false });
  const name = 'webhook secret';
  if (secrets.length === 0) {
    if (readSecret(dataDir, 'webhook-secret'))
      return { name, state: 'ok', said: `made on the first start, kept in ${dataDir}` };
    return { name, state: 'off', said: 'none configured: `npx tripline up` makes one' };
  }
  return { name, state: 'ok', said: `${secrets.length} configured` };
}

async function slack({ slack: settings }: Config): Promise<Check> {
  if (!settings) return { name: 'Slack', state: 'off', said: 'not configured: dry run' };
  return ask('Slack', 'check TRIPLINE_SLACK_BOT_TOKEN; it needs the scope chat:write', async () => {
    const { team, teamId, bot } = await checkSlack(settings);
    if (teamId !== settings.teamId) {
      const said = `the bot token is of the Slack workspace ${teamId}, and slack.teamId names another: no button works`;
      return { state: 'broken', said, mend: `set TRIPLINE_SLACK_TEAM_ID to ${teamId}, or take a token of the other` };
    }
    const linked = Object.keys(settings.people).length;
    if (linked === 0) {
      const said = `${bot} in ${team}, channel ${settings.channel}; nobody may press its buttons`;
      return { state: 'ok', said, mend: 'link people under slack.people: member ID at Slack → login' };
    }
    return { state: 'ok', said: `${bot} in ${team}, channel ${settings.channel}; ${linked} people linked` };
  });
}

async function pagerduty({ pagerduty: settings }: Config): Promise<Check> {
  const name = 'PagerDuty';
  if (!settings) return { name, state: 'off', said: 'not configured: dry run' };
  if (!isRoutingKey(settings.routingKey)) {
    const mend = 'take the integration key of an Events API v2 integration';
    return { name, state: 'broken', said: 'the routing key is not 32 letters and digits', mend };
  }
  return { name, state: 'ok', said: `the routing key has the right form; pages from ${settings.minSeverity} on` };
}

async function remediation({ remediation: settings, github: { app } }: Config): Promise<Check> {
  const name = 'remediation';
  if (settings.mode === 'dry-run') return { name, state: 'off', said: 'dry run' };
  if (!app) {
    const mend = 'configure a GitHub App, or set remediation.mode to dry-run';
    return { name, state: 'broken', said: 'automatic, with nothing to act with', mend };
  }
  if (settings.policy.length === 0) {
    const mend = 'name rules and actions under remediation.policy';
    return { name, state: 'broken', said: 'automatic, but no policy allows anything', mend };
  }
  return {
    name,
    state: 'ok',
    said: `automatic by ${settings.policy.length} lines of policy, at most ${settings.maxPerHour} an hour`,
  };
}
