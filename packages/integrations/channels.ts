import type { ChannelDefinition } from './channel.ts';
import { pagerDutyChannel } from './pagerduty/channel.ts';
import { slackChannel } from './slack/channel.ts';

/** All channels by which people are notified, one line each. */
export const channels: readonly ChannelDefinition[] = [slackChannel, pagerDutyChannel];
