import type { Look } from '@tripline/contracts/check';
import { checkSlack } from './check.ts';

/** The Slack settings that are checked. */
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
    return [{ name: 'Slack', remedy: '', look: async () => ({ state: 'off', detail: 'not configured: dry run' }) }];
  }
  const remedy =
    'check TRIPLINE_SLACK_BOT_TOKEN, which needs the scope chat:write; where Slack itself is at fault (slack-status.com), it is asked again by itself';
  return [{ name: 'Slack', remedy, look: () => look(settings) }];
}

async function look(settings: CheckedSettings): ReturnType<Look['look']> {
  const { team, teamId, bot } = await checkSlack(settings);
  if (teamId !== settings.teamId) {
    const detail = `the bot token is of the Slack workspace ${teamId}, and slack.teamId names another: no button works`;
    return {
      state: 'broken',
      detail,
      remedy: `set TRIPLINE_SLACK_TEAM_ID to ${teamId}, or use a token of that workspace`,
    };
  }
  const linked = Object.keys(settings.people).length;
  if (linked === 0) {
    const detail = `${bot} in ${team}, channel ${settings.channel}; nobody may press its buttons`;
    return { state: 'ok', detail, remedy: 'link people under slack.people: member ID at Slack → login' };
  }
  return { state: 'ok', detail: `${bot} in ${team}, channel ${settings.channel}; ${linked} people linked` };
}
