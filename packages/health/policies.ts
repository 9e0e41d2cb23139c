import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';

/** What is to be done, by what keeps them from being in force (`access_policy_faults.kind`); null: a former version says no more. */
const remedies = {
  unreadable:
    'see that github.app or github.token may read contents of that repository, that broker.policy names it, its branch and its path, and that github.apiUrl answers; it is read again every 15 s',
  unreviewed:
    'have somebody else than its author review a change that holds it, and merge that; or revert it: the former are in force again then',
  'review-unknown':
    'see that the webhook of that repository delivers pull_request, pull_request_review and push (`npx tripline events`), and that a detector runs; then merge a reviewed change, since what was not received is never known',
  'other-repository':
    'find out who has the name now: broker.policy.repository must name the repository that it named, by whatever name that has',
  unusable:
    'correct what it names, in a change that somebody else reviews; `tripline access lint` and `test` say it before it is merged',
} as const;
const anyRemedy =
  'have them corrected, reviewed by somebody else and merged; `tripline access lint` and `test` say what is wrong';

/** What keeps the newest policies of access from being in force: jobs are answered by former ones, or by none. */
export async function checkPolicies({ pool }: Pick<Db, 'pool'>): Promise<Check[]> {
  const { rows } = await pool.query<{
    place: string;
    fault: string;
    since: Date;
    kind: keyof typeof remedies | null;
    taken: boolean;
  }>(
    `SELECT place, fault, since, kind, EXISTS (SELECT FROM access_policies) AS taken FROM access_policy_faults ORDER BY place`,
  );
  return rows.map(({ place, fault, since, kind, taken }) => {
    const meanwhile = taken ? 'the former ones decide' : 'none are in force, and every job is answered 503';
    return {
      name: 'policies',
      state: 'broken',
      detail: `the newest of ${place} are not in force since ${moment(since)} UTC (${meanwhile}): ${fault}`,
      remedy: kind === null ? anyRemedy : remedies[kind],
    };
  });
}

/** `2026-03-02 14:05:09` in UTC. */
const moment = (time: Date) => time.toISOString().slice(0, 19).replace('T', ' ');
