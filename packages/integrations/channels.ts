import type { RegisteredChannel } from './channel.ts';
import { pagerduty } from './pagerduty/registration.ts';
import { slack } from './slack/registration.ts';

/** Every channel by which people are notified. To add one: a folder beside this file, and a line here. */
export const channels = [slack, pagerduty] as const satisfies readonly RegisteredChannel[];
