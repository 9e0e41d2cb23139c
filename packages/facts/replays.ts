import { isEvent } from '@tripline/contracts/event';
import { type Fact, thingKey } from '@tripline/contracts/fact';
import { z } from 'zod';
import { type Bound, keepBounded, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';

const replaySchema = observedSchema.extend({ delivery: z.string() });
type Replay = z.infer<typeof replaySchema>;
const daySchema = z.object({ day: z.string(), replays: z.array(replaySchema) });
export type DayOfReplays = z.infer<typeof daySchema>;

/** Whoever has one body can send it as often as they like: a few say all that many say. */
const replays: Bound<Replay> = { kind: 'replays', authorOf: () => '', mostPerAuthor: 20, most: 20, rolls: 'all' };

/** Deliveries that bore a genuine signature, and that the provider’s own list of deliveries does not name: by day. */
export const replaysByDay: Fact<DayOfReplays> = {
  id: 'replays',
  description:
    'Deliveries of which the body had come before under another id, and that the provider’s own list of deliveries does not name: somebody sent it again. Known where Tripline may read that list.',
  reads: ['dev.cdeventsx.tripline-delivery.looked-up'],
  value: daySchema as z.ZodType<DayOfReplays>,
  keys: (event) =>
    isEvent(event, 'dev.cdeventsx.tripline-delivery.looked-up') &&
    event.data['tripline.delivery.proof'] === 'not-listed'
      ? [thingKey('tripline', 'replays', dayOf(event.time))]
      : [],
  learn(known, event, at) {
    if (!isEvent(event, 'dev.cdeventsx.tripline-delivery.looked-up')) return known;
    const told = { ...observedBy(event), delivery: event.data['tripline.delivery.id'] };
    const kept = keepBounded(known?.replays ?? [], told, replays, at);
    return kept === known?.replays ? known : { day: dayOf(event.time), replays: [...kept] };
  },
  keepMs: 14 * 86_400_000,
};

const dayOf = (time: string): string => new Date(time).toISOString().slice(0, 10);
