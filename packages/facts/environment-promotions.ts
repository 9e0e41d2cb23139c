import type { Attributes } from '@tripline/contracts/attributes';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, keepBounded, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { repositoryKeyOf } from './things.ts';

const dayMs = 86_400_000;

/** `from`: environments in one of which a commit must have run before; empty where it need not; null where no policy says. */
const promotionSchema = observedSchema.extend({ from: z.array(z.string()).nullable() });
type Promotion = z.infer<typeof promotionSchema>;
type EnvironmentPromotions = { told: Promotion[] };

/** A look a day for as long as deployments are remembered. */
const bound: Bound<Promotion> = {
  ...{ kind: 'promotions', authorOf: () => '', mostPerAuthor: 100, most: 100, rolls: 'all' },
};

/** From where policies of access let commits come to an environment of a repository, look by look: a deployment is judged by what was in force. */
export const environmentPromotions: Fact<EnvironmentPromotions> = {
  id: 'environment-promotions',
  description:
    'From which environments commits may come to one of a repository, by the policies of access that were in force at each of the broker’s daily looks.',
  reads: ['dev.cdeventsx.tripline-standing.observed'],
  value: z.object({ told: z.array(promotionSchema) }) as z.ZodType<EnvironmentPromotions>,
  keys(event) {
    const data: Attributes = event.data;
    const repository = repositoryKeyOf(event);
    const name = data['tripline.standing.name'];
    if (data['tripline.standing.kind'] !== 'environment' || repository === undefined || name === undefined) return [];
    return [promotionKey(repository, name)];
  },
  learn(known, event, at) {
    const data: Attributes = event.data;
    const from = data['tripline.standing.gone'] === true ? undefined : data['tripline.standing.promoted_from'];
    const told = { ...observedBy(event), from: from?.slice(0, 50).map((one) => clip(one, 200)) ?? null };
    const kept = keepBounded(known?.told ?? [], told, bound, at);
    return known !== undefined && kept === known.told ? known : { told: [...kept] };
  },
  // The broker tells of each again within a week, and deployments are judged for 90 days.
  keepMs: 100 * dayMs,
};

/** GitHub's environments are the same in any case. */
export const promotionKey = (repository: string, environment: string): string =>
  `${repository}~${clip(environment.toLowerCase(), 200)}`;

/** From where a commit might come at a time, by the last look before it; null where no policy said. */
export const promotedAt = (known: EnvironmentPromotions | undefined, atMs: number): readonly string[] | null =>
  known?.told.findLast(({ time }) => parseTime(time) <= atMs)?.from ?? null;
