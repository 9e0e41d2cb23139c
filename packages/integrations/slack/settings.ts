import { type EnvironmentSetting, httpUrl, secret } from '@tripline/runtime/setting';
import { z } from 'zod';

const slackPerson = /^[UW][A-Z0-9]{0,39}$/;

/** An id in Slack's format. `what` says in the error where to find it. */
function slackId(form: RegExp, what: string) {
  const message = `must be ${what}`;
  return z.string({ error: message }).regex(form, message);
}

/** `slack` of tripline.yaml. */
export const slackSettings = z.strictObject({
  botToken: secret.describe('Bot token with chat:write.'),
  channel: z.string().min(1).describe('Id of the channel to notify.'),
  signingSecret: secret.describe("The Slack app's signing secret, which proves presses of its buttons."),
  teamId: slackId(
    /^[TE][A-Z0-9]{0,39}$/,
    'the id of your Slack workspace, part of the address app.slack.com/client/T…',
  ).describe(
    'Id of the Slack workspace whose members may press the buttons; part of the address app.slack.com/client/T….',
  ),
  appId: slackId(
    /^A[A-Z0-9]{0,39}$/,
    'the App ID of your Slack app, under Basic Information at api.slack.com/apps',
  ).describe(
    "The app's App ID, from its page Basic Information at api.slack.com/apps; buttons of other apps are refused.",
  ),
  people: z
    .record(z.string().regex(slackPerson, 'must be the member ID of somebody at Slack: U…'), z.string().min(1).max(100))
    .default({})
    .describe('Who may press the buttons: member ID at Slack → login. Others are told that they are not linked.'),
  apiUrl: httpUrl.default('https://slack.com/api/').describe("Slack's Web API."),
});

export const slackEnvironment: readonly EnvironmentSetting[] = [
  { name: 'TRIPLINE_SLACK_BOT_TOKEN', path: 'slack.botToken', secret: true },
  { name: 'TRIPLINE_SLACK_CHANNEL', path: 'slack.channel' },
  { name: 'TRIPLINE_SLACK_SIGNING_SECRET', path: 'slack.signingSecret', secret: true },
  { name: 'TRIPLINE_SLACK_TEAM_ID', path: 'slack.teamId' },
  { name: 'TRIPLINE_SLACK_APP_ID', path: 'slack.appId' },
  { name: 'TRIPLINE_SLACK_API_URL', path: 'slack.apiUrl' },
];
