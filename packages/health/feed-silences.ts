import type { Attributes } from '@tripline/contracts/attributes';
import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';

type Silence = Exclude<Attributes['tripline.feed.silence'], 'none' | undefined>;

/** What a silence is, in words, and what to do. */
const words: Readonly<Record<Silence, readonly [says: string, remedy: string]>> = {
  'below-usual': [
    'it tells nothing, at hours at which it told much in each of the weeks before',
    'see the provider’s status page, its list of deliveries, and that receiver and recorder run',
  ],
  'deliveries-missing': [
    'the provider could not make deliveries for over an hour',
    'see what stands between the provider and the receiver; they are asked for again by themselves',
  ],
  'never-seen': [
    'its stream is configured and has told nothing yet',
    'set the stream up at the provider, or take its token away',
  ],
  'hook-deleted': [
    'it has no webhook any more, as the provider answers',
    'set the webhook up again, and ask who deleted it; if it is there, the right to read its deliveries was taken',
  ],
  'not-readable': ['it cannot be read', 'see the check of this polled feed for why'],
};

/** Most feeds that are named of those that never told anything. */
const mostNamed = 5;

/** Feeds that are silent, and how many are not; `usual` is known of a feed after three weeks. */
export async function checkFeedSilences(db: Db): Promise<Check[]> {
  const { rows } = await db.pool.query<{
    workspace: string;
    feed: string;
    silence: Silence | null;
    silent_since: Date | null;
    last_at: Date | null;
  }>('SELECT workspace, feed, silence, silent_since, last_at FROM feed_watch ORDER BY workspace, feed');
  const silent = rows.filter(({ silence }) => silence !== null);
  if (silent.length === 0) {
    if (rows.length === 0) return [{ name: 'silence', state: 'ok', detail: 'no feed is watched yet' }];
    // Whoever has just set one up wants to see that it arrives.
    const unseen = rows.filter((row) => row.last_at === null).map(({ workspace, feed }) => `${feed} in ${workspace}`);
    const more = unseen.length > mostNamed ? ` and ${unseen.length - mostNamed} more` : '';
    const yet =
      unseen.length === 0
        ? ''
        : `; nothing came since they are watched of ${unseen.slice(0, mostNamed).join(', ')}${more}`;
    return [{ name: 'silence', state: 'ok', detail: `none of ${rows.length} feeds is silent${yet}` }];
  }
  return silent.map(({ workspace, feed, silence, silent_since: since }): Check => {
    const [says, remedy] = words[silence!];
    const when = since!.toISOString().slice(0, 19).replace('T', ' ');
    return {
      name: `silence of ${feed} in ${workspace}`,
      state: 'broken',
      detail: `${says}, since ${when} UTC`,
      remedy,
    };
  });
}
