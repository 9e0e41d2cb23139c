import type { Feed } from './feed.ts';
import { githubFeed } from './github/feed.ts';
import { triplineFeed } from './tripline/feed.ts';

/** Every feed that Tripline hears. One more: its folder beside this file, and its line here. */
export const feeds = [githubFeed, triplineFeed] as const satisfies readonly Feed[];
