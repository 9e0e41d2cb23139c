import type { Look } from '@tripline/contracts/check';
import { checkSlack } from './check.ts';

/** What of Slack's settings is looked at. */
export type CheckedSettings = {
  botToken: string;
  apiUrl: string;
  channel: string;
  teamId: string;
  people: Readonly<Record<string, string>>;
};

/** Whether Slack takes the bot token, and whether a button could work. */
export function lookAtSlack(settings: CheckedSettings | undefined): Look[] {
  if (!settings) {
    return [{ name: 'Slack', mend: '', look: async () => ({ state: 'off', said: 'not configured: dry run' }) }];
  }
  const mend = 'check TRIPLINE_SLACK_BOT_TOKEN; it needs the scope chat:write';
  return [{ name: 'Slack', mend, look: () => look(settings) }];
}

async function look(settings: CheckedSettings): ReturnType<Look['look']> {
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
}
