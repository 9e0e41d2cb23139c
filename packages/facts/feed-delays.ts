import type { Attributes } from '@tripline/contracts/attributes';
import { eventIs } from '@tripline/contracts/event';
import { type Fact, thingKey } from '@tripline/contracts/fact';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';

/** What is received this much after it happened is late, ms: deliveries usually take seconds. */
const lateMs = 5 * 60_000;
/** Late deliveries of times this close to each other are of one disturbance, ms. */
const joinedMs = 30 * 60_000;
const mostSpans = 20;

/** From when to when things happened that were received late; ms of the provider's time. */
const spanSchema = z.object({ fromMs: z.number(), toMs: z.number() });
const valueSchema = z.object({ spans: z.array(spanSchema) });
export type FeedDelays = z.infer<typeof valueSchema>;

const isReview = eventIs('dev.cdeventsx.tripline-deployment.reviewed');
const noEnvironment = { without: ['deployment.environment.name'] as const };

export const feedDelays: Fact<FeedDelays> = {
  id: 'feed-delays',
  description:
    'Of which times something was received more than five minutes late, of reviews of deployments and of jobs for an environment: what happened then may still be on its way, as after an outage of the provider. It depends on when things were received, so nothing final follows from it.',
  reads: [
    'dev.cdeventsx.tripline-deployment.reviewed',
    'dev.cdevents.taskrun.started',
    'dev.cdevents.taskrun.finished',
  ],
  passesOver: { 'dev.cdevents.taskrun.started': noEnvironment, 'dev.cdevents.taskrun.finished': noEnvironment },
  value: valueSchema,
  keys(event) {
    const data: Attributes = event.data;
    return isReview(event) || data['deployment.environment.name'] !== undefined ? [feedDelaysKey] : none;
  },
  learn(known, event, { nowMs }) {
    const ms = parseTime(event.time);
    if (nowMs - ms < lateMs) return known;
    const spans = known?.spans ?? [];
    if (spans.some(({ fromMs, toMs }) => fromMs <= ms && ms <= toMs)) return known;
    const near = spans.filter(({ fromMs, toMs }) => fromMs - joinedMs <= ms && ms <= toMs + joinedMs);
    const joined = {
      fromMs: Math.min(ms, ...near.map(({ fromMs }) => fromMs)),
      toMs: Math.max(ms, ...near.map(({ toMs }) => toMs)),
    };
    const all = [...spans.filter((span) => !near.includes(span)), joined].sort((a, b) => a.fromMs - b.fromMs);
    return { spans: all.slice(-mostSpans) };
  },
  keepMs: 7 * 86_400_000,
};
const none: readonly string[] = [];
export const feedDelaysKey = thingKey('tripline', 'feeds', 'delays');

/** Whether something that happened between two times is known to have come late. */
export const wereLate = (known: FeedDelays | undefined, betweenMs: number, andMs: number): boolean =>
  known?.spans.some(({ fromMs, toMs }) => fromMs <= andMs && betweenMs <= toMs) === true;
