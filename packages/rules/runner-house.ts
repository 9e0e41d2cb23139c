import { isOfPool, pool } from '@tripline/facts/runner-classes';
import type { House } from '@tripline/facts/runner-standing';
import { z } from 'zod';
import { account, isAccount } from './accounts.ts';

/** Settings by which machines of one's own are known. */
export const runnerHouse = {
  /** Who may register runners, `login:id` or an app’s `name[bot]`; a runner of theirs is known once it is old enough. Empty: who registered a runner is not asked. */
  registrars: z.array(account).default([]),
  /** A runner that was registered more lately than this is not trusted with a new credential, in ms. */
  youngMs: z.number().int().min(0).default(86_400_000),
  /** Pools whose runners come and go. Whoever may register a runner there passes for one. */
  pools: z.array(pool).default([]),
};
export type RunnerHouse = z.output<z.ZodObject<typeof runnerHouse>>;

/** What a house says of the runner of this name. */
export function houseOf(name: string, { pools, registrars, youngMs }: RunnerHouse): House {
  return {
    isOfPool: (work) => pools.some((one) => isOfPool(one, name, work)),
    isRegistrar: ({ by: login, byId: id }) => registrars.some((one) => isAccount(one, { login, id })),
    ...{ hasRegistrars: registrars.length > 0, youngMs },
  };
}
