import type { RegisteredChannel } from '../channel.ts';
import { pagerdutyEnvironment, pagerdutySettings } from './settings.ts';

/** PagerDuty: README.md. */
export const pagerduty = {
  name: 'pagerduty',
  settings: pagerdutySettings.optional(),
  environment: pagerdutyEnvironment,
  load: async () => (await import('./channel.ts')).pagerDutyChannel,
} as const satisfies RegisteredChannel;
