import type { Check } from '@tripline/contracts/check';
import { redactText } from '@tripline/runtime/redact';
import type { Db } from './database.ts';
import { readDeliverySummaries, readUnknownOrganizations } from './delivery-summaries.ts';
import { readHooks } from './hooks.ts';
import { readImports } from './imports.ts';
import { readRuleFaults } from './rule-faults.ts';

/** So often a job fails before somebody is told: what a network or a provider loses for a minute is over by then. */
const tooManyAttempts = 5;

/**
 * What the database knows of the state that Tripline is in, by `criteria` of packages/contracts/check.ts: for `doctor`, the
 * operations port's `/readyz` and the start-up screen alike. Each thing that is not well is one check; what is well is told
 * in one.
 * @throws the database's own error.
 */
export async function checkHealth(db: Db): Promise<Check[]> {
  return [
    ...(await rules(db)),
    ...(await jobs(db)),
    ...(await imports(db)),
    ...(await redelivery(db)),
    ...(await deliveries(db)),
  ];
}

async function rules(db: Db): Promise<Check[]> {
  const faults = await readRuleFaults(db);
  const checks = faults.map(({ rule, reason, times, since, lastAt }): Check => {
    const when = `${times === 1 ? 'once' : `${times} times since ${moment(since)}`}, last at ${moment(lastAt)} UTC: ${reason}`;
    if (rule === null) {
      const mend =
        'see the dead-letter topic for them; they come from another writer, or keys differ between processes';
      return { name: 'records', state: 'broken', said: `dead-lettered ${when}`, mend };
    }
    const mend = `mend the rule, or name it in rules.off; what it did not judge lies in the dead-letter topic`;
    return { name: `rule ${rule}`, state: 'broken', said: `threw ${when}`, mend };
  });
  if (!faults.some(({ rule }) => rule !== null))
    checks.unshift({ name: 'rule', state: 'ok', said: 'none threw within the last hour' });
  return checks;
}

async function jobs(db: Db): Promise<Check[]> {
  const { rows } = await db.pool.query<{
    name: string;
    jobs: number;
    attempts: number;
    given_up: number;
    error: string | null;
  }>(
    `SELECT task_identifier AS name, count(*)::int AS jobs, max(attempts)::int AS attempts,
            (count(*) FILTER (WHERE attempts >= max_attempts))::int AS given_up,
            (array_agg(last_error ORDER BY updated_at DESC))[1] AS error
     FROM graphile_worker.jobs WHERE attempts >= $1 AND last_error IS NOT NULL AND locked_at IS NULL
     GROUP BY task_identifier ORDER BY task_identifier`,
    [tooManyAttempts],
  );
  if (rows.length === 0) return [{ name: 'jobs', state: 'ok', said: 'none failed five times' }];
  return rows.map(({ name, jobs: count, attempts, given_up: givenUp, error }): Check => {
    const said = `${count} failed up to ${attempts} times: ${firstLine(error ?? '')}`;
    const mend =
      givenUp > 0
        ? `see to the cause; ${givenUp} of them are tried again only after graphile_worker.reschedule_jobs`
        : 'see to the cause; they are tried again';
    return { name: `jobs ${name}`, state: 'broken', said, mend };
  });
}

async function imports(db: Db): Promise<Check[]> {
  return (await readImports(db)).map(({ workspace, imported, failed }): Check => {
    const name = `import of ${workspace}` as const;
    if (failed) {
      const mend = 'see to the permissions of the App or token; it is tried again';
      return { name, state: 'broken', said: failed.reason, mend };
    }
    if (!imported) return { name, state: 'ok', said: 'under way' };
    const counts = Object.entries(imported.counts).map(([kind, count]) => `${count} ${kind}`);
    return { name, state: 'ok', said: `${moment(imported.at)} UTC: ${counts.join(', ')}` };
  });
}

/** What GitHub could not deliver, per webhook. */
async function redelivery(db: Db): Promise<Check[]> {
  return (await readHooks(db)).map(({ hook, lookedUntil, failed, missing, oldestMissing }): Check => {
    const name = `redelivery ${hook}` as const;
    if (failed) {
      const mend = 'see to the permissions of the App or of github.hookToken; it is tried again';
      return { name, state: 'broken', said: failed.reason, mend };
    }
    if (oldestMissing) {
      const said = `${missing} deliveries are missing, the oldest since ${moment(oldestMissing)} UTC; GitHub is asked again`;
      return { name, state: 'ok', said };
    }
    const until = lookedUntil ? `up to ${moment(lookedUntil)} UTC` : 'the first look is under way, or nothing was sent';
    return { name, state: 'ok', said: `nothing is missing; ${until}` };
  });
}

const hourMs = 3_600_000;

/** What was not kept, and whose should have been. Anybody may bring about the first, so it is never broken. */
async function deliveries(db: Db): Promise<Check[]> {
  const unknown = await readUnknownOrganizations(db, new Date(Date.now() - hourMs));
  const unkept = await readDeliverySummaries(db, new Date(Date.now() - 24 * hourMs));
  const all = unkept.map(({ source, outcome, reason, count, lastAt }) => {
    const times = count === 1 ? 'once' : `${count} times`;
    return `${outcome} on ${source} ${times}, ${reason}, last at ${moment(lastAt)} UTC`;
  });
  return [
    ...unknown.map(({ organization, lastAt }): Check => {
      const said = `its deliveries are genuine and ignored, the last at ${moment(lastAt)} UTC: no workspace has it`;
      const mend = 'name it under workspaces[].github.organizations, or take the webhook away there';
      return { name: `organization ${organization}`, state: 'broken', said, mend };
    }),
    { name: 'deliveries', state: 'ok', said: all.length === 0 ? 'all of the last day were kept' : all.join('; ') },
  ];
}

/** `2026-03-02 14:05:09` in UTC. */
const moment = (time: string | Date) => new Date(time).toISOString().slice(0, 19).replace('T', ' ');

const firstLine = (text: string) => redactText(text.split('\n', 1)[0]!.slice(0, 300));
