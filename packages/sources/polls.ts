import { loadPolled } from './feed.ts';
import type { Polled, PollTarget } from './polled.ts';
import { feeds } from './registry.ts';

/** A feed that is asked, and one thing of it: a cursor of its own. */
export type Poll = { feed: Polled; target: PollTarget };

/** Everything that is to be asked under these settings, of every feed of the registry. */
export async function readPolls(settings: unknown): Promise<Poll[]> {
  const polled = await loadPolled(feeds);
  return polled.flatMap((feed) => feed.targets(settings).map((target) => ({ feed, target })));
}
