import type { LoggedJob } from '@tripline/access/known-run';
import { thingKey } from '@tripline/contracts/fact';
import type { Db } from '@tripline/db/database';
import { runKeyIn } from '@tripline/facts/things';
import { instanceOfIssuer } from '@tripline/identity/github/instance';
import { readOpenAt } from '@tripline/incidents/open-at';
import type { Clock } from '@tripline/runtime/clock';
import type { Gather } from './asking.ts';

/** What stands in `known_runs` of exactly the job that asks, and which incidents name its things; the rest is unknown. */
export function createKnownReader({ db, clock }: { db: Db; clock: Clock }): Gather {
  return async ({ issuer, repository, run, checkRunId }, _policy, { workspace, address }) => {
    const key = runKeyIn(thingKey('github', instanceOfIssuer(issuer), repository.id), run.id);
    const { rows } = await db.pool.query<{ jobs: LoggedJob[] }>(
      'SELECT jobs FROM known_runs WHERE workspace = $1 AND run = $2',
      [workspace, key],
    );
    const own =
      rows[0]?.jobs.filter(({ job }) => job.run.attempt === run.attempt && job.checkRunId === checkRunId) ?? [];
    const [one] = own;
    if (one === undefined || own.length > 1)
      return {
        known: {
          ...{ job: 'unknown', fork: undefined, reviewed: { is: 'unknown', why: 'its run was not told of yet' } },
          ...{ deployedTo: [], runner: undefined, incidents: [], address, approval: undefined },
        },
        things: [],
      };
    const incidents = await readOpenAt(db, workspace, one.things, new Date(clock.nowMs()));
    return { known: { ...one.known, incidents, address, approval: undefined }, things: one.things };
  };
}
