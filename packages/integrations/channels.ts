import type { RegisteredChannel } from './channel.ts';
import { pagerduty } from './pagerduty/registration.ts';
import { slack } from './slack/registration.ts';

/** Every channel by which people are notified. One more: its folder beside this file, and its line here. */
export const channels = [slack, pagerduty] as const satisfies readonly RegisteredChannel[];
