import { type Entity, type Severity, severities } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';

/**
 * Rules whose findings people without write access may bring about: a change of a fork, a comment, a delivery that anybody posts.
 * What such a finding names beyond the run itself is none of their doing, and whoever could deny a repository its access by opening a
 * change would have a switch for it. A rule of a user's own is not among them.
 */
export const byAnybody: readonly string[] = [
  ...[
    'privileged-fork-trigger',
    'fork-build-unreviewed',
    'untrusted-metadata-injection',
    'self-hosted-runner-fork',
    'fork-cache-to-release',
  ],
  ...['webhook-authenticity-failure', 'state-flooded', 'watched-workflow-failed', 'run-of-fork', 'run-on-own-machine'],
  ...[
    'access-denied-burst',
    'changes-closed-in-bulk',
    'audit-workflows-actions-policy-violation',
    'audit-repo-download-zip',
  ],
  // Providers look for secrets in comments too: whoever writes one of their own there has an alert of it.
  ...['secret-leaked', 'audit-secret-scanning-alert-create', 'audit-secret-scanning-alert-public-leak'],
  // Of which findings may still stand; what is left of it that takes a right is found by `repository-exposed` now.
  'leak-or-exposure',
];

/**
 * Rules whose findings say that Tripline itself, or the provider that it calls, was late. Whoever they name did nothing, and an outage of a
 * provider would deny a repository everything until somebody resolves its incident: so they count nowhere.
 */
export const ofOurOwnDelay: readonly string[] = [
  'credential-left-alive',
  'access-right-left-alive',
  'mint-outcome-unknown',
  'gate-unanswered',
];

export type OpenIncident = { id: string; severity: Severity };

export function openAtValues(
  workspace: string,
  things: readonly Entity[],
  at?: Date,
  { butFor = [] }: { butFor?: readonly string[] } = {},
): unknown[] {
  return [
    ...[workspace, at ?? null, things.map(({ kind }) => kind), things.map(({ id }) => id)],
    ...[things.map(({ key }) => key ?? null), byAnybody, severities, [...ofOurOwnDelay, ...butFor]],
  ];
}

/** Rows `id`, `severity` of incidents; see {@link readOpenAt}, whose {@link openAtValues} it takes. */
export const openAtText = `WITH things AS (SELECT * FROM unnest($3::text[], $4::text[], $5::text[]) AS t (kind, entity, key)),
 open AS (
   SELECT i.id, i.opened_at FROM incidents i
   WHERE i.workspace = $1 AND ($2::timestamptz IS NULL OR i.opened_at <= $2)
     AND (i.resolved_at IS NULL OR i.resolved_at > $2)
     AND EXISTS (
       SELECT FROM incident_entities e JOIN things t ON t.kind = e.kind
       WHERE e.incident = i.id
         AND CASE WHEN e.key IS NULL OR t.key IS NULL THEN e.entity = t.entity ELSE e.key = t.key END)
 ),
 standing AS (
   SELECT o.id, o.opened_at, array_position($7::text[], f.severity) AS gravity, f.rule = ANY ($6::text[]) AS anybodys,
     (SELECT coalesce(array_agg(DISTINCT t.kind), '{}') FROM jsonb_to_recordset(f.entities) AS e (kind text, id text, key text)
      JOIN things t ON t.kind = e.kind
        AND CASE WHEN e.key IS NULL OR t.key IS NULL THEN e.id = t.entity ELSE e.key = t.key END) AS names
   FROM open o JOIN findings f ON f.incident = o.id AND (f.withdrawn_at IS NULL OR f.withdrawn_at > $2)
     AND NOT f.rule = ANY ($8::text[])
 ),
 counted AS (
   SELECT *, cardinality(names) > 0 AS matches FROM standing WHERE NOT anybodys OR 'run' = ANY (names)
 )
 SELECT id, ($7::text[])[max(gravity)] AS severity FROM counted
 GROUP BY id, opened_at HAVING bool_or(matches) ORDER BY opened_at, id`;

/**
 * SQL that is true where an incident of a workspace is open that names one of `things`, rows `kind`, `entity`, `key`, by key or name,
 * whatever found it. Where it is false {@link readOpenAt} would find none of these things now, so that a job need not wait for that.
 * `OFFSET 0` has Postgres begin with the few things: begun with what is open, it takes 20 times as long where thousands are.
 */
export const mayBeOpenAmong = (workspace: string, things: string) => `EXISTS (
   SELECT FROM (${things}) AS t, LATERAL (
     SELECT incident FROM incident_entities WHERE workspace = ${workspace} AND kind = t.kind AND key = t.key
     UNION ALL SELECT incident FROM incident_entities WHERE workspace = ${workspace} AND kind = t.kind AND entity = t.entity OFFSET 0) AS named
   WHERE EXISTS (SELECT FROM incidents i WHERE i.id = named.incident AND i.resolved_at IS NULL OFFSET 0))`;

/**
 * Incidents of a workspace that are open, or were at a time, and name one of these things, by a finding that stood: by its key where both
 * have one, else by its name. A finding of `byAnybody` counts where it names the run, and nowhere else. `severity`: that of the
 * findings that count, as they are now; those of `ofOurOwnDelay` never do. `butFor`: further rules whose findings do not count here.
 */
export async function readOpenAt(
  { pool }: Pick<Db, 'pool'>,
  workspace: string,
  things: readonly Entity[],
  at?: Date,
  options: { butFor?: readonly string[] } = {},
): Promise<OpenIncident[]> {
  const { rows } = await pool.query<OpenIncident>({
    // A job waits for it, and planning it takes ten times as long as doing it.
    name: 'incidents-open-at',
    text: openAtText,
    values: openAtValues(workspace, things, at, options),
  });
  return rows;
}
