import type { NewRecord } from '@tripline/stream/stream';
import { topics } from '@tripline/stream/stream';
import { outlineOf } from './outline.ts';
import type { Ignored, IgnoredReason } from './source.ts';

/** Letters of one feed, reason and workspace that are kept at once, and the time after which one more is, in ms. */
const atOnce = 20;
const oneMoreMs = 60_000;

/** Where something that could not be read came from. `place`: where in what was sent, such as a delivery's id. */
export type Origin = { feed: string; workspace?: string | undefined; place: string; bodySha256: string; atMs: number };

/** A dead letter on its way. `takeBack`: it was not appended, and does not count. */
export type Letter = { record: NewRecord; takeBack: () => void };

/**
 * Writes dead letters of what is genuine and cannot be read: an outline of it (outline.ts), with where it came from and why it
 * was left out in headers. Bounded by feed, reason and workspace, since a sender may send a million of them: those beyond are
 * counted, and the next letter says how many.
 */
export function createLetters() {
  const rates = new Map<string, { left: number; sinceMs: number; unkept: number }>();

  return {
    /** The letter; undefined where too many came. Call only for what has `unread`. */
    write({ ignored, unread, organization }: Ignored, origin: Origin): Letter | undefined {
      const { feed, workspace = '', place, bodySha256, atMs } = origin;
      const name = `${feed} ${ignored} ${workspace}`;
      const rate = rates.get(name) ?? { left: atOnce, sinceMs: atMs, unkept: 0 };
      rates.set(name, rate);
      const earned = Math.max(0, Math.floor((atMs - rate.sinceMs) / oneMoreMs));
      rate.left = Math.min(atOnce, rate.left + earned);
      rate.sinceMs = rate.left === atOnce ? atMs : rate.sinceMs + earned * oneMoreMs;
      if (rate.left === 0) {
        rate.unkept += 1;
        return undefined;
      }
      const { unkept } = rate;
      rate.left -= 1;
      rate.unkept = 0;
      const why = unread?.why ?? reasons[ignored] ?? ignored;
      const headers = {
        'content-type': 'application/json',
        tripline_reason: `${ignored}: ${why}`,
        tripline_feed: feed,
        tripline_place: place,
        tripline_body_sha256: bodySha256,
        tripline_received_at: new Date(atMs).toISOString(),
        ...(workspace !== '' && { tripline_workspace: workspace }),
        ...(organization !== undefined && { tripline_organization: organization }),
        ...(unkept > 0 && { tripline_unkept: String(unkept) }),
      };
      const value = Buffer.from(outlineOf(unread?.content));
      return {
        record: { topic: topics.deadLetters, key: workspace || feed, headers, value },
        takeBack() {
          rate.left += 1;
          rate.unkept += unkept;
        },
      };
    },
  };
}
export type Letters = ReturnType<typeof createLetters>;

const reasons: Partial<Record<IgnoredReason, string>> = {
  'unexpected-shape': 'it has not the form that such a body has',
  'impossible-name': 'it names a repository by a name that none can have',
  'event-too-large': 'its event is larger than the log takes',
  incomplete: 'an attribute that its event type requires is missing',
};
