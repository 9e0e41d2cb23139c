import { isEvent } from '@tripline/contracts/event';
import { type Fact, thingKey } from '@tripline/contracts/fact';
import { z } from 'zod';
import { inPlaceOf, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';

const deliverySchema = observedSchema.extend({
  /** When the provider first tried to make the delivery; absent where it is known to have come late, and not when. */
  firstAttemptAt: z.string().optional(),
});
export type LateDelivery = z.infer<typeof deliverySchema>;

/** Deliveries that arrived by a later attempt than their first, as the provider's own list of attempts says. */
export const deliveries: Fact<LateDelivery> = {
  id: 'deliveries',
  description:
    'When the provider first tried to make a delivery that came late. Known of those that Tripline had made again, from the list of attempts.',
  reads: ['dev.cdeventsx.tripline-delivery.looked-up'],
  value: deliverySchema as z.ZodType<LateDelivery>,
  keys: (event) =>
    isEvent(event, 'dev.cdeventsx.tripline-delivery.looked-up') && event.data['tripline.delivery.late']
      ? [deliveryKey(event.data['tripline.delivery.id'])]
      : [],
  learn(known, event, at) {
    if (!isEvent(event, 'dev.cdeventsx.tripline-delivery.looked-up')) return known;
    const firstAttemptAt = event.data['tripline.delivery.first_attempt_at'];
    if (known !== undefined && (firstAttemptAt === undefined || known.firstAttemptAt === firstAttemptAt)) return known;
    return {
      ...inPlaceOf(known, observedBy(event), at.pinned),
      ...(firstAttemptAt === undefined ? {} : { firstAttemptAt }),
    };
  },
  keepMs: 20 * 24 * 3_600_000,
};

/** Where it stands, by the id of the event that the delivery became. */
export const deliveryKey = (eventId: string): string => thingKey('tripline', 'delivery', eventId);
