import type { Feed } from './feed.ts';
import { githubFeed } from './github/feed.ts';
import { githubAuditFeed } from './github-audit/feed.ts';
import { triplineFeed } from './tripline/feed.ts';

/** Every feed that Tripline receives. To add one: a folder beside this file, and a line here. */
export const feeds = [githubFeed, githubAuditFeed, triplineFeed] as const satisfies readonly Feed[];
