import { redactText } from '@tripline/runtime/redact';
import { z } from 'zod';
import { InteractionError } from './interaction.ts';

/** What somebody typed after `/tripline`, where, and who that is by Slack's word; none of it is checked yet. */
export type SlackCommand = {
  /** Id of the Slack workspace, and of the app whose command it is. */
  team: string;
  app: string;
  user: { id: string; name: string };
  text: string;
};

const slackId = z.string().regex(/^[A-Z][A-Z0-9]{0,39}$/);
const form = z.object({
  team_id: slackId,
  api_app_id: slackId,
  user_id: slackId,
  user_name: z.string().max(200).optional(),
  text: z.string().max(3000).default(''),
});

/** Reads the urlencoded body of a verified request. @throws {InteractionError} */
export function parseCommand(body: Buffer): SlackCommand {
  const parsed = form.safeParse(Object.fromEntries(new URLSearchParams(body.toString('utf8'))));
  if (!parsed.success) {
    const field = parsed.error.issues[0]!.path.map(String).join('.');
    throw new InteractionError(`the body is no command of Slack’s: ${field || 'its top'} is not as it should be`);
  }
  const { team_id: team, api_app_id: app, user_id: id, user_name: name = id, text } = parsed.data;
  return { team, app, user: { id, name: redactText(name) }, text: text.trim() };
}
