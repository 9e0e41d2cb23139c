import type { RegisteredChannel } from '../channel.ts';
import { slackEnvironment, slackSettings } from './settings.ts';

/** Slack: README.md. */
export const slack = {
  name: 'slack',
  settings: slackSettings.optional(),
  environment: slackEnvironment,
  load: async () => (await import('./channel.ts')).slackChannel,
} as const satisfies RegisteredChannel;
