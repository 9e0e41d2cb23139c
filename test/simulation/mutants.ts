import type { StreamRecord } from '@tripline/stream/stream';

/**
 * Bugs that the simulation must find, planted into statements on their way to Postgres, or into what the log hands over:
 * `npm run simulate -- --mutants`. One that no longer fits any statement is a failure too: then the list is out of date.
 */
export type Mutant = {
  name: string;
  /** What becomes of a statement. */
  alter?: (text: string) => string;
  /** Statements that are carried out at once, outside of the transaction that they are sent in. */
  apart?: RegExp;
  /** Records that the log acknowledges before it has them. */
  early?: RegExp;
  /** Asks for the policies in force once a request, instead of again before something is minted. */
  readsPoliciesOnce?: true;
  /** What a reader of the log takes a record for, by those that lie before it in its partition. */
  heard?: (record: StreamRecord, before: readonly StreamRecord[]) => StreamRecord;
};

const replacing = (from: RegExp | string, to: string) => (text: string) => text.replace(from, to);

const hasSeen = 'WHERE length($11::bytea) > 0';

export const mutants: readonly Mutant[] = [
  {
    // The keys of segments and of ids are a second fence, so they fall with it.
    name: 'nothing fences a former owner',
    alter: (text) =>
      text
        .replace(/next = \$4 AND epoch = \$6/, '($4::bigint + $6::bigint) IS NOT NULL')
        .replace(
          ') AS placed',
          ') AS placed WHERE true ON CONFLICT (partition, segment) DO UPDATE SET entries = excluded.entries',
        )
        .replace(hasSeen, `${hasSeen} ON CONFLICT (partition, next) DO UPDATE SET entries = excluded.entries`),
  },
  { name: 'the position moves outside of the transaction', apart: /UPDATE positions SET next/ },
  {
    name: 'duplicates are not recognised by the next owner',
    alter: replacing(hasSeen, `${hasSeen} AND false`),
  },
  {
    name: 'keyed state is not kept',
    alter: replacing(') AS placed', ') AS placed WHERE false'),
  },
  {
    name: 'timers are not kept',
    alter: replacing('FROM changes WHERE "dueMs" IS NOT NULL', 'FROM changes WHERE false'),
  },
  {
    name: 'jobs are not left',
    alter: replacing('AS j(name text, payload json, key text)', 'AS j(name text, payload json, key text) WHERE false'),
  },
  {
    name: 'incidents that changed are not queued',
    alter: replacing("SELECT 'notify', n.name, clock_timestamp() FROM numbered n", '$& WHERE false'),
  },
  { name: 'jobs are left outside of the transaction', apart: /AS j\(name text, payload json, key text\)/ },
  {
    // Whoever notes what is about to be sent asks once more, so that falls with it.
    name: 'a claim on a telling is not exclusive',
    alter: (text) =>
      text
        .replace('AND claimed_by = $2 AND claimed_until > now()', 'AND $2::uuid IS NOT NULL')
        .replaceAll('(t.claimed_until IS NULL OR t.claimed_until <= now())', 'true')
        .replaceAll('(claimed_until IS NULL OR claimed_until <= now())', 'true'),
  },
  {
    name: 'what is about to be sent is not noted',
    alter: (text) =>
      text
        .replace('SET intent = $3,', 'SET intent = nullif($3::text, $3),')
        .replace("* interval '1 ms', $6)", "* interval '1 ms', nullif($6::text, $6))"),
  },
  {
    name: 'what joins an acknowledged incident is refused by the database',
    alter: replacing(
      "CASE WHEN state = 'acknowledged' THEN now() END, CASE WHEN state = 'acknowledged' THEN $1::jsonb END",
      'NULL, NULL',
    ),
  },
  {
    name: 'what people do decides which incident a finding joins',
    alter: (text) => text.replaceAll('coalesce(i.last_verdict_at, i.updated_at)', 'i.updated_at'),
  },
  { name: 'what somebody did is left for the log outside of its transaction', apart: /INSERT INTO outbox/ },
  {
    name: 'an equal body is a duplicate',
    heard: (record, before) => {
      const body = record.headers['ce_bodysha256'];
      const first = body && before.find(({ headers }) => headers['ce_bodysha256'] === body);
      return first ? { ...record, headers: { ...record.headers, ce_id: first.headers['ce_id'] ?? '' } } : record;
    },
  },
  {
    name: 'doubts are not recorded',
    alter: replacing(
      'FROM json_to_recordset($1::json) AS q(',
      'FROM (SELECT 1 WHERE false) AS none, json_to_recordset($1::json) AS q(',
    ),
  },
  { name: 'the trail is written outside of its transaction', apart: /INSERT INTO trail \(/ },
];
