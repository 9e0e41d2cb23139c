import type { Config } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';
import type { Db } from '@tripline/db/database';
import { MigrationError, readMissingMigrations } from '@tripline/db/migrate';
import { readOutbox } from '@tripline/db/outbox';
import { redactText } from '@tripline/runtime/redact';
import { readPolls } from '@tripline/sources/polls';
import { readDeliverySummaries, readUnknownOrganizations } from '@tripline/trail/delivery-summaries';
import { readChannelTroubles } from './channel-troubles.ts';
import { checkFeedSilences } from './feed-silences.ts';
import { checkGate } from './gate.ts';
import { checkGrants } from './grants.ts';
import { readHooks } from './hooks.ts';
import { readImports } from './imports.ts';
import { checkMints } from './mints.ts';
import { checkPolicies } from './policies.ts';
import { checkPolls } from './polls.ts';
import { readReloadFaults } from './reload-faults.ts';
import { checkRights } from './rights.ts';
import { readRuleFaults } from './rule-faults.ts';

/** Failed attempts after which a job is reported: an outage of a minute is over by then. */
const tooManyAttempts = 5;
/** Normally an event of the outbox is in the log within about a second, while a detector and the log are up. */
const longestWaitMs = 5 * 60_000;
const dayMs = 24 * 3_600_000;
/** How long deliveries that were not kept are shown. */
const deliveriesMs = dayMs;
/** From when on an inventory is said to be old. What a rule learned by it is forgotten after 90 days. */
const oldImportDays = 90;

/** Settings that some checks go by. `github` absent: those on it are left out. */
type HealthSettings = Pick<Config, 'workspaces'> & { github?: Partial<Config['github']> };

/**
 * What the database knows of the state that Tripline is in, by `criteria` of packages/contracts/check.ts: for `doctor`,
 * the operations port's `/readyz` and the start-up screen alike. Each problem is one check; where there is none, one
 * check per area says so.
 * @throws the database's own error.
 */
export async function checkHealth(
  db: Db,
  config: HealthSettings,
  options: {
    /** For a service whose role may read only some tables: checks that it may not read are left to other services. */
    skipsDenied?: boolean;
  } = {},
): Promise<Check[]> {
  const found: Check[] = [];
  for (const look of [
    schema,
    rules,
    reload,
    jobs,
    queue,
    outbox,
    channels,
    organizations,
    deliveries,
    imports,
    redelivery,
    polledFeeds,
    checkPolicies,
    checkFeedSilences,
    checkGrants,
    checkMints,
    checkGate,
    checkRights,
  ]) {
    try {
      found.push(...(await look(db, config)));
    } catch (error) {
      const isDenied = (error as { code?: string }).code === '42501';
      if (!isDenied || !options.skipsDenied) throw error;
    }
    // With an incomplete schema, no other check can run.
    if (look === schema && found[0]?.state === 'broken') break;
  }
  return found;
}

async function schema(db: Db): Promise<Check[]> {
  const name = 'schema';
  try {
    const { missing, applied } = await readMissingMigrations(db);
    if (missing.length === 0) return [{ name, state: 'ok', detail: 'as this version needs it' }];
    const remedy = 'run `npx tripline migrate`: it goes on where it was interrupted, or says what it fails at';
    const detail =
      applied === 0 ? "Tripline's tables are missing" : `half migrated: it lacks ${missing.slice(0, 5).join(', ')}`;
    return [{ name, state: 'broken', detail, remedy }];
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    return [{ name, state: 'broken', detail: error.message, remedy: 'do as it says' }];
  }
}

async function channels(db: Db): Promise<Check[]> {
  return (await readChannelTroubles(db)).map(({ channel, since, triedAt, reason, gaveUp, waiting }): Check => {
    const name = `notifications to ${channel}` as const;
    const detail = `every call has failed since ${moment(since)} UTC (${reason}, last at ${moment(triedAt)}); ${waiting} notifications are queued`;
    const remedy =
      'check the credential, its rights and the channel; queued notifications are sent within minutes after';
    return gaveUp ? { name, state: 'broken', detail, remedy } : { name, state: 'ok', detail: `${detail}; retrying` };
  });
}

/**
 * Genuine deliveries of organisations without a workspace: whoever set up their webhook believes that they are
 * monitored.
 */
async function organizations(db: Db, { workspaces }: Pick<Config, 'workspaces'>): Promise<Check[]> {
  const configured = new Set(
    workspaces.flatMap(({ github }) =>
      github.organizations.map((entry) => (typeof entry === 'string' ? entry : entry.login).toLowerCase()),
    ),
  );
  const unknown = await readUnknownOrganizations(db, new Date(Date.now() - deliveriesMs));
  return unknown
    .filter(({ organization }) => !configured.has(organization.toLowerCase()))
    .map(({ organization, lastAt }) => ({
      name: `organization ${organization}`,
      state: 'broken',
      detail: `its deliveries are genuine and not kept, since no workspace has it; the last came at ${moment(lastAt)} UTC`,
      remedy:
        'name it under workspaces[].github.organizations, or take its webhook away; reported for a day after the last',
    }));
}

/** Outsiders can cause any number of refused deliveries: they are shown, and never make a check broken. */
async function deliveries(db: Db): Promise<Check[]> {
  const asked = new Date(Date.now() - deliveriesMs);
  const { since, summaries } = await readDeliverySummaries(db, asked);
  const within = since > asked ? `since ${moment(since)} UTC` : 'within the last day';
  return (['ignored', 'refused'] as const).map((outcome): Check => {
    const of = summaries.filter((summary) => summary.outcome === outcome);
    const name = `deliveries ${outcome}` as const;
    if (of.length === 0) return { name, state: 'ok', detail: `none ${within}` };
    const detail = of.map(
      ({ source, reason, count, lastAt }) => `${count} ${reason} (${source}, last ${moment(lastAt)} UTC)`,
    );
    const isUnproved = of.some(({ reason }) => reason === 'bad-signature');
    const remedy =
      'where they are the provider’s own, its secret or token is another than the one configured here; strangers cause them too: `npx tripline events`';
    return { name, state: 'ok', detail: `${within}: ${detail.join(', ')}`, ...(isUnproved ? { remedy } : {}) };
  });
}

async function rules(db: Db): Promise<Check[]> {
  const faults = await readRuleFaults(db);
  const checks = faults.map(({ rule, reason, times, since, lastAt }): Check => {
    const when = `${times === 1 ? 'once' : `${times} times since ${moment(since)}`}, last at ${moment(lastAt)} UTC: ${reason}`;
    if (rule === null) {
      const remedy =
        'see them with `npx tripline dead-letters`; they come from another writer, or keys differ between processes';
      return { name: 'records', state: 'broken', detail: `dead-lettered ${when}`, remedy };
    }
    const remedy = `fix the rule, or name it in rules.off; \`npx tripline dead-letters\` shows what it did not process`;
    return { name: `rule ${rule}`, state: 'broken', detail: `threw ${when}`, remedy };
  });
  if (!faults.some(({ rule }) => rule !== null))
    checks.unshift({ name: 'rule', state: 'ok', detail: 'none threw within the last hour' });
  return checks;
}

async function reload(db: Db): Promise<Check[]> {
  return (await readReloadFaults(db)).map(({ process, reason, since }) => ({
    name: `rules of ${process}`,
    state: 'broken',
    detail: `it runs former ones since ${moment(since)} UTC: ${reason}`,
    remedy: 'correct the file that it names; it is read again once it changes, or at SIGHUP',
  }));
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
     FROM (
       SELECT task_identifier, attempts, max_attempts, last_error, updated_at FROM graphile_worker.jobs
       WHERE last_error IS NOT NULL AND locked_at IS NULL
         -- One without its key was replaced by a newer one while it ran.
         AND key IS NOT NULL
       -- What is queued is tried for ever.
       UNION ALL SELECT purpose, failures, NULL, failure, due_at FROM queue WHERE failure IS NOT NULL
     ) AS tried WHERE attempts >= $1 GROUP BY task_identifier ORDER BY task_identifier`,
    [tooManyAttempts],
  );
  if (rows.length === 0) return [{ name: 'jobs', state: 'ok', detail: 'none failed five times' }];
  return rows.map(({ name, jobs: count, attempts, given_up: givenUp, error }): Check => {
    const detail = `${count} failed up to ${attempts} times: ${firstLine(error ?? '')}`;
    const remedy =
      givenUp > 0
        ? `see to the cause; ${givenUp} of them are tried again only after graphile_worker.reschedule_jobs`
        : 'see to the cause; they are tried again';
    return { name: `jobs ${name}`, state: 'broken', detail, remedy };
  });
}

/** What nobody takes: the service that does is not running, or is far behind. */
async function queue(db: Db): Promise<Check[]> {
  const { rows } = await db.pool.query<{ purpose: keyof typeof takers; items: number; oldest: Date }>(
    `SELECT purpose, count(*)::int AS items, min(due_at) AS oldest FROM (
       SELECT purpose, due_at FROM queue
       UNION ALL SELECT 'ask', run_at FROM graphile_worker.jobs WHERE locked_at IS NULL AND attempts < max_attempts
     ) AS waiting
     WHERE due_at < clock_timestamp() - $1 * interval '1 ms' GROUP BY purpose ORDER BY purpose`,
    [longestWaitMs],
  );
  if (rows.length === 0) return [{ name: 'queue', state: 'ok', detail: 'nothing in it is overdue' }];
  return rows.map(({ purpose, items, oldest }): Check => {
    const [what, service] = takers[purpose];
    const detail = `${items} ${items === 1 ? what : `${what}s`} overdue, the oldest since ${moment(oldest)} UTC`;
    const remedy = `see that a ${service} runs, and its log: \`npx tripline up\`, or \`npx tripline ${service}\``;
    return { name: `queue of the ${service}`, state: 'broken', detail, remedy };
  });
}
const takers = {
  notify: ['notification', 'notifier'],
  remediate: ['response', 'remediator'],
  prompt: ['message to whoever is asked for a second factor', 'notifier'],
  ask: ['look-up or import', 'detector'],
} as const;

/** Without this check it would go unnoticed that acts of people do not reach the trail: the changes themselves work. */
async function outbox(db: Db): Promise<Check[]> {
  const name = 'outbox';
  const { events, oldest } = await readOutbox(db);
  if (oldest === null) return [{ name, state: 'ok', detail: 'nothing waits in it' }];
  const detail = `${events} ${events === 1 ? 'event waits' : 'events wait'} for the log, the oldest since ${moment(oldest)} UTC`;
  if (Date.now() - oldest.getTime() < longestWaitMs) return [{ name, state: 'ok', detail }];
  const remedy = 'see that a detector runs, has TRIPLINE_INTERNAL_KEY, and that the log takes events';
  return [{ name, state: 'broken', detail, remedy }];
}

const toReadProtections =
  'grant the App or token administration: read and contents: read (private repositories of a free plan have no protections)';

async function imports(db: Db): Promise<Check[]> {
  return (await readImports(db)).map(({ workspace, imported, failed }): Check => {
    const name = `import of ${workspace}` as const;
    if (failed) {
      const remedy =
        'see to what it says, or to the permissions of the App or token; then run `npx tripline inventory import`';
      return { name, state: 'broken', detail: failed.reason, remedy };
    }
    if (!imported) return { name, state: 'ok', detail: 'under way' };
    const { unknownProtections: unknown = 0, ...known } = imported.counts;
    const counts = Object.entries(known).map(([kind, count]) => `${count} ${kind}`);
    const lacks = unknown === 0 ? '' : `; what protects ${unknown} repositories may not be read, and is unknown`;
    const detail = `${moment(imported.at)} UTC: ${counts.join(', ')}${lacks}`;
    const days = Math.floor((Date.now() - Date.parse(imported.at)) / dayMs);
    if (days < oldImportDays)
      return { name, state: 'ok', detail, ...(unknown > 0 && { remedy: `${toReadProtections}; then import again` }) };
    const remedy =
      'run `npx tripline inventory import`: machines, pools and protections that were made since are not known by it';
    return { name, state: 'ok', detail: `${days} days old, of ${detail}`, remedy };
  });
}

/** What GitHub could not deliver, per webhook. */
async function redelivery(db: Db, { github }: HealthSettings): Promise<Check[]> {
  const looked = new Set([
    ...(github?.app ? [`app:${github.app.id}`] : []),
    ...(github?.hooks ?? []).map(({ organization, id }) => `org:${organization}/${id}`),
  ]);
  return (await readHooks(db)).map(({ hook, lookedUntil, dueAt, failed, missing, oldestMissing }): Check => {
    const name = `redelivery ${hook}` as const;
    if (failed) {
      const remedy = 'see to the permissions of the App or of github.hookToken; it is tried again';
      return { name, state: 'broken', detail: failed.reason, remedy };
    }
    if (looked.has(hook) && Date.now() - dueAt.getTime() > longestWaitMs) {
      const detail = `a look at it is due since ${moment(dueAt)} UTC, and nobody looks`;
      const remedy = 'see that a reconciler runs (`npx tripline up`, or `npx tripline reconciler`), and its log';
      return { name, state: 'broken', detail, remedy };
    }
    if (oldestMissing) {
      const detail = `${missing} deliveries are missing, the oldest since ${moment(oldestMissing)} UTC; GitHub is asked again`;
      return { name, state: 'ok', detail };
    }
    const until = lookedUntil ? `up to ${moment(lookedUntil)} UTC` : 'the first look is under way, or nothing was sent';
    return { name, state: 'ok', detail: `nothing is missing; ${until}` };
  });
}

/** Feeds that are asked, as far as the settings name any. */
const polledFeeds = async (db: Db, config: Pick<Config, 'workspaces'>): Promise<Check[]> =>
  checkPolls(db, await readPolls(config), Date.now());

/** `2026-03-02 14:05:09` in UTC. */
const moment = (time: string | Date) => new Date(time).toISOString().slice(0, 19).replace('T', ' ');

const firstLine = (text: string) => redactText(text.split('\n', 1)[0]!.slice(0, 300));
