import type { Attributes } from '@tripline/contracts/attributes';
import { isEvent, type LoggedEvent } from '@tripline/contracts/event';
import { type Fact, type Observed, thingKey } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { type Bound, keepBounded, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { accountOf, accountSchema, instanceOf, providerOf } from './things.ts';

const silenceSchema = observedSchema.extend({
  feed: z.string(),
  silence: z.string(),
  /** Since when; what began at one time is one silence. */
  since: z.string(),
});
export type Silence = z.infer<typeof silenceSchema>;
const switchSchema = observedSchema.extend({
  by: accountSchema,
  /** `hook`, `audit-stream` …, and what was done to it, in the provider's word. */
  kind: z.string(),
  action: z.string(),
  /** Of which repository or organisation, and of which hook where the feed says so. */
  place: z.string(),
  isRepository: z.boolean(),
  /** Provider and instance. */
  at: z.string(),
  /** Which act it is: the same by whichever feed it is told. */
  act: z.string(),
});
export type SwitchedOff = z.infer<typeof switchSchema>;
const valueSchema = z.object({ silences: z.array(silenceSchema), switches: z.array(switchSchema) });
export type FeedSilences = z.infer<typeof valueSchema>;

const silences: Bound<Silence> = {
  ...{ kind: 'silences', authorOf: ({ feed }) => feed, mostPerAuthor: 40, most: 80, rolls: 'all' },
};
const switches: Bound<SwitchedOff> = {
  ...{ kind: 'switches', authorOf: ({ by }) => by.id ?? by.login, mostPerAuthor: 20, most: 100 },
};

/** Acts after which less is told or demanded: of a control's kind, the provider's words for them. */
const off: ReadonlyMap<string, RegExp> = new Map([
  ['hook', /^(?:deleted|destroy|active_changed|config_changed|events_changed)$/],
  ['audit-stream', /^(?:destroy|update)$/],
  ['two-factor', /^disable_/],
  ['single-sign-on', /^disable/],
  ['app-policy', /^disable_/],
]);

/** Whether a webhook was deleted, and not only switched off, or pointed elsewhere. */
export const isDeletion = ({ kind, action }: Pick<SwitchedOff, 'kind' | 'action'>): boolean =>
  kind === 'hook' && /^(?:deleted|destroy)$/.test(action);

/** What Tripline hears nothing of, and who switched off what would have told it: one key a workspace. */
export const feedSilences: Fact<FeedSilences> = {
  id: 'feed-silences',
  description:
    'Feeds that tell less than usual or cannot be read, as the reconciler sees it, until they tell again; and acts after which less is told or demanded: webhooks and audit streams deleted or changed, second factor, single sign-on or approval of apps no longer required. A webhook’s own deletion is told by the webhook; the others by the audit log alone.',
  reads: ['dev.cdeventsx.tripline-feed.silent', 'dev.cdeventsx.tripline-control.changed'],
  value: valueSchema as z.ZodType<FeedSilences>,
  keys: (event) => ((silenceOf(event) ?? switchOf(event)) === undefined ? [] : [feedSilencesKey]),
  learn(known = { silences: [], switches: [] }, event, at) {
    const silence = silenceOf(event);
    if (silence !== undefined) {
      const kept = keepBounded(known.silences, { ...observedBy(event), ...silence }, silences, at);
      return kept === known.silences ? known : { ...known, silences: [...kept] };
    }
    const switched = switchOf(event);
    if (switched === undefined) return known;
    const kept = keepBounded(known.switches, { ...observedBy(event), ...switched }, switches, at);
    return kept === known.switches ? known : { ...known, switches: [...kept] };
  },
  keepMs: 30 * 86_400_000,
};

export const feedSilencesKey = thingKey('tripline', 'feeds', 'all');

function silenceOf(event: LoggedEvent): Omit<Silence, keyof Observed> | undefined {
  if (!isEvent(event, 'dev.cdeventsx.tripline-feed.silent')) return undefined;
  const { 'tripline.feed.name': feed, 'tripline.feed.silence': silence, ...data } = event.data;
  return { feed: clip(feed, 100), silence, since: data['tripline.feed.silent_since'] ?? '' };
}

function switchOf(event: LoggedEvent): Omit<SwitchedOff, keyof Observed> | undefined {
  if (!isEvent(event, 'dev.cdeventsx.tripline-control.changed')) return undefined;
  const data: Attributes = event.data;
  const { 'tripline.control.kind': kind = 'other', 'tripline.control.action': action = '' } = data;
  if (!off.get(kind)?.test(action)) return undefined;
  const repository = data['vcs.repository.name'];
  return {
    by: accountOf(data['user.name'], data['user.id'], data['user.type']) ?? { login: 'somebody unnamed' },
    ...{ kind, action: clip(action, 100), isRepository: repository !== undefined },
    at: `${providerOf(event)}:${instanceOf(event)}`,
    place: clip(repository ?? data['vcs.owner.name'] ?? event.source, 200),
    act: event.fact ?? event.id,
  };
}
