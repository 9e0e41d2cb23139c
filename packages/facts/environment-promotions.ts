import type { Attributes } from '@tripline/contracts/attributes';
import type { Fact } from '@tripline/contracts/fact';
import { clip, inSmallLetters } from '@tripline/contracts/text';
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

/** As many as a tier may have. Of one that is left out it would be found that commits came from elsewhere. */
export const mostPromotedFrom = 200;

/** Told as policies come into force, and again each week. */
const bound: Bound<Promotion> = {
  ...{ kind: 'promotions', authorOf: () => '', mostPerAuthor: 100, most: 100, rolls: 'all' },
};

/** From where policies of access let commits come to an environment of a repository, as they came into force: a deployment is judged by what was in force. */
export const environmentPromotions: Fact<EnvironmentPromotions> = {
  id: 'environment-promotions',
  description:
    'From which environments commits may come to one of a repository, by the policies of access as they came into force.',
  reads: ['dev.cdeventsx.tripline-promotion.changed'],
  value: z.object({ told: z.array(promotionSchema) }) as z.ZodType<EnvironmentPromotions>,
  keys(event) {
    const data: Attributes = event.data;
    const repository = repositoryKeyOf(event);
    const environment = data['deployment.environment.name'];
    return repository === undefined || environment === undefined ? [] : [promotionKey(repository, environment)];
  },
  learn(known, event, at) {
    const from = (event.data as Attributes)['tripline.policy.promoted_from'];
    const told = { ...observedBy(event), from: from?.slice(0, mostPromotedFrom).map((one) => clip(one, 200)) ?? null };
    const kept = keepBounded(known?.told ?? [], told, bound, at);
    return known !== undefined && kept === known.told ? known : { told: [...kept] };
  },
  // The broker tells of each again within a week, and deployments are judged for 90 days.
  keepMs: 100 * dayMs,
};

/** GitHub's environments are one in any capitals of A to Z. */
export const promotionKey = (repository: string, environment: string): string =>
  `${repository}~${clip(inSmallLetters(environment), 200)}`;

/** From where a commit might come at a time, by the policies that came into force last before it; null where no policy said. */
export const promotedAt = (known: EnvironmentPromotions | undefined, atMs: number): readonly string[] | null =>
  known?.told.findLast(({ time }) => parseTime(time) <= atMs)?.from ?? null;
