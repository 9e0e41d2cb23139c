import { type EventType, eventTypes } from '@tripline/contracts/event';
import { confidences } from '@tripline/contracts/finding';
import { z } from 'zod';

/** The schema of what every observation within a fact contains; see `Observed` in packages/contracts/fact.ts. */
export const observedSchema = z.object({
  eventId: z.string(),
  eventType: z.enum(Object.keys(eventTypes) as [EventType, ...EventType[]]),
  time: z.string(),
  url: z.string().optional(),
  trust: z.enum(confidences),
  fact: z.string().optional(),
  /** Replaced observations on which standing findings rest; see `inPlaceOf`. */
  replaced: z.array(z.object({ eventId: z.string() })).optional(),
});
