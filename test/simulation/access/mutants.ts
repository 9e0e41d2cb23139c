import type { Mutant } from '../mutants.ts';

const replacing = (from: RegExp | string, to: string) => (text: string) => text.replace(from, to);

/** Bugs of a broker that its simulation must find. */
export const mutants: readonly Mutant[] = [
  { name: 'hands out before the log has it', early: /credential\.minted$/ },
  {
    name: 'does not take the lock of the job',
    alter: replacing(
      'FROM access_grant_under_lock($1, $2, $3)',
      `FROM (SELECT ending_why, (SELECT key FROM access_ends WHERE key IN ($1, $2) LIMIT 1) AS end_key
       FROM access_grants WHERE id = $3) AS unlocked`,
    ),
  },
  {
    name: 'does not look whether the job had ended before it minted',
    alter: (text) =>
      text
        .replace('EXISTS (SELECT FROM access_ends WHERE key = ANY ($4))', '(cardinality($4::text[]) < 0)')
        .replace('WHERE end_key IS NULL AND to_job', 'WHERE to_job')
        .replace("AND end_key IS NULL THEN 'live'", "THEN 'live'")
        .replace('end_key AS "endKey"', 'NULL::text AS "endKey"'),
  },
  {
    name: 'the sweep passes over what was never recorded',
    alter: replacing(/WHERE c\.state = 'minting' AND g\.asked_at < \$\d/, '$& AND false'),
  },
  {
    name: 'the sweep asks for no job',
    alter: replacing('WHERE g.ending_at IS NULL GROUP BY g.id HAVING', 'WHERE false GROUP BY g.id HAVING'),
  },
  { name: 'grants may live for ever', alter: replacing('longest_until <= $3', 'longest_until <= $3 AND false') },
  { name: 'the position moves before ends are noted', apart: /UPDATE positions SET next/ },
  { name: 'a token is good twice', alter: replacing('EXISTS (SELECT FROM spent) AS first', 'true AS first') },
  {
    name: 'one attempt ends what another was given',
    alter: replacing(
      "job_key = ANY ($3) AND until = 'job'",
      "split_part(job_key, '/', 5) = ANY (SELECT split_part(key, '/', 5) FROM unnest($3::text[]) AS key)",
    ),
  },
  { name: 'asks for the policies in force but once', readsPoliciesOnce: true },
  {
    name: 'incidents end nothing',
    alter: replacing('AND array_position($2::text[], i.severity) >=', 'AND false $&'),
  },
];
