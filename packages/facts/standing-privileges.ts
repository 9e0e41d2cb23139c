import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { z } from 'zod';
import { inOwnOrder, inPlaceOf, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { keyOf, repositoryKeyOf } from './things.ts';

const dayMs = 86_400_000;

const standingSchema = observedSchema.extend({
  /** What it is and by which it is the same at the next look, as packages/access/standing.ts has them. */
  kind: z.string(),
  thing: z.string(),
  name: z.string(),
  owner: z.string().optional(),
  scopes: z.array(z.string()),
  idleSince: z.string().optional(),
  coveredBy: z.string().optional(),
  tiers: z.array(z.string()),
  isGone: z.boolean(),
  repository: z.object({ name: z.string(), key: z.string() }).optional(),
  /** Events that this one replaced, as far as findings rest on them. */
  replaced: z.array(z.object({ eventId: z.string() })).optional(),
});
export type StandingPrivilege = z.infer<typeof standingSchema>;

const reads = ['dev.cdeventsx.tripline-standing.observed'] as const satisfies readonly EventType[];

/** A privilege that stands by itself, as the broker's last look found it: one value a thing, so that nobody can fill it. */
export const standingPrivileges: Fact<StandingPrivilege> = {
  id: 'standing-privileges',
  description:
    'A privilege that stands by itself (a token, a key, an app, a secret, a person’s or team’s right, a machine, an environment, a role elsewhere), as the last look found it: since when nobody has used it, which policy gives the same, which tiers share it, and whether it is gone.',
  reads,
  value: standingSchema as z.ZodType<StandingPrivilege>,
  keys(event) {
    const id = (event.data as Attributes)['tripline.standing.id'];
    return id === undefined ? [] : [keyOf(event, `standing:${id}`)];
  },
  learn(known, event, at) {
    const data: Attributes = event.data;
    const seen = observedBy(event);
    if (known !== undefined && inOwnOrder(seen, known) <= 0) return known;
    const [name, key] = [data['vcs.repository.name'], repositoryKeyOf(event)];
    const idleSince = data['tripline.standing.idle_since'];
    const coveredBy = data['tripline.standing.covered_by'];
    const owner = data['tripline.standing.owner'];
    const told: StandingPrivilege = {
      ...seen,
      kind: clip(data['tripline.standing.kind'] ?? '', 100),
      thing: clip(data['tripline.standing.id'] ?? '', 300),
      name: clip(data['tripline.standing.name'] ?? data['tripline.standing.id'] ?? '', 200),
      scopes: (data['tripline.standing.scopes'] ?? []).slice(0, 20).map((one) => clip(one, 100)),
      tiers: (data['tripline.standing.tiers'] ?? []).slice(0, 20).map((one) => clip(one, 63)),
      isGone: data['tripline.standing.gone'] === true,
      ...(owner === undefined ? {} : { owner: clip(owner, 100) }),
      ...(idleSince === undefined ? {} : { idleSince }),
      ...(coveredBy === undefined ? {} : { coveredBy: clip(coveredBy, 100) }),
      ...(name === undefined || key === undefined ? {} : { repository: { name: clip(name, 200), key } }),
    };
    return inPlaceOf(known, told, at.pinned) as StandingPrivilege;
  },
  // The broker tells of each again within a week.
  keepMs: 60 * dayMs,
};
