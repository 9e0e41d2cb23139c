import { drillPrefix } from '@tripline/contracts/drill';
import type { Db } from '@tripline/db/database';
import { readHooks } from '@tripline/db/hooks';
import { readImports } from '@tripline/db/imports';
import { readRemediationSwitch } from '@tripline/db/switches';
import { readWorkspaceFacts } from '@tripline/db/workspaces';
import type { WorkspaceFacts } from '@tripline/engine/workspace-facts';
import type { AnyRule } from '@tripline/rules/contract';
import type { Config } from '@tripline/runtime/config';
import { moment } from '../show.ts';
import { ask, type Check } from './check.ts';

const skewLimitMs = 2000;
const dayMs = 86_400_000;

/** Postgres itself, and what only it knows: imports, the kill switch, what is still being learned. */
export async function checkDatabase(db: Db, config: Config, rules: readonly AnyRule[]): Promise<Check[]> {
  const server = await ask('Postgres', 'check DATABASE_URL and that the server runs', () => checkServer(db));
  if (server.state === 'broken') return [server];
  const mend = 'run `npx tripline migrate`';
  return [
    server,
    await ask('kill switch', mend, () => killSwitch(db)),
    ...(await imports(db, config)),
    ...(await redelivery(db, config)),
    ...(await learning(db, config, rules)),
  ];
}

async function checkServer(db: Db): Promise<Omit<Check, 'what'>> {
  const beforeMs = Date.now();
  const { rows } = await db.pool.query(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
            (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
            to_regclass('findings') IS NOT NULL AS migrated, current_setting('synchronous_commit') AS durable`,
  );
  const { version, number, now_ms, migrated, durable } = rows[0];
  const skewMs = Math.round(now_ms - (beforeMs + Date.now()) / 2);
  if (number < 150_000) return { state: 'broken', says: `version ${version}`, mend: 'use PostgreSQL 15 or newer' };
  if (!migrated) return { state: 'broken', says: "Tripline's tables are missing", mend: 'run `npx tripline migrate`' };
  if (durable === 'off') {
    return {
      state: 'broken',
      says: 'synchronous_commit is off',
      mend: 'switch it on: what was acknowledged may be lost',
    };
  }
  if (Math.abs(skewMs) > skewLimitMs) {
    return { state: 'broken', says: `its clock differs from ours by ${skewMs} ms`, mend: 'run NTP on both machines' };
  }
  return { state: 'ok', says: `PostgreSQL ${version}, its clock within ${Math.abs(skewMs)} ms of ours` };
}

async function killSwitch(db: Db): Promise<Omit<Check, 'what'>> {
  const now = await readRemediationSwitch(db);
  if (!now?.stopped) return { state: 'ok', says: 'off' };
  return { state: 'note', says: `ON since ${moment(now.at)} UTC, by ${now.by.name}: no automatic action is taken` };
}

async function imports(db: Db, config: Config): Promise<Check[]> {
  const asked = await readImports(db);
  if (asked.length === 0) {
    const configured = config.github.app || config.github.token;
    const says = configured
      ? 'none asked for yet: the first delivery does'
      : 'none: no GitHub App or token is configured';
    return [{ what: 'imports', state: 'off', says }];
  }
  return asked.map(({ workspace, imported, failed }) => {
    const what = `import of ${workspace}`;
    if (failed) {
      const mend = 'see to the permissions of the App or token; it is tried again';
      return { what, state: 'broken', says: failed.reason, mend };
    }
    if (!imported) return { what, state: 'note', says: 'under way' };
    const counts = Object.entries(imported.counts).map(([kind, count]) => `${count} ${kind}`);
    return { what, state: 'ok', says: `${moment(imported.at)} UTC: ${counts.join(', ')}` };
  });
}

/** What GitHub could not deliver, per webhook. */
async function redelivery(db: Db, { github }: Config): Promise<Check[]> {
  if (!github.app && github.hooks.length === 0) {
    const says = 'no GitHub App and no github.hooks: what GitHub cannot deliver stays away';
    return [{ what: 'redelivery', state: 'off', says }];
  }
  const known = await readHooks(db);
  if (known.length === 0) {
    const mend = 'start it: `npx tripline up`, or `npx tripline reconciler` beside the other services';
    return [{ what: 'redelivery', state: 'broken', says: 'the reconciler has never run', mend }];
  }
  return known.map(({ hook, lookedUntil, failed, missing, oldestMissing }) => {
    const what = `redelivery ${hook}`;
    if (failed) {
      const mend = 'see to the permissions of the App or of github.hookToken; it is tried again';
      return { what, state: 'broken', says: failed.reason, mend };
    }
    if (oldestMissing) {
      const says = `${missing} deliveries are missing, the oldest since ${moment(oldestMissing)} UTC; GitHub is asked again`;
      return { what, state: 'note', says };
    }
    const until = lookedUntil ? `up to ${moment(lookedUntil)} UTC` : 'the first look is under way, or nothing was sent';
    return { what, state: 'ok', says: `nothing is missing; ${until}` };
  });
}

/** Per workspace: which rules hold their findings back because they do not know yet what is usual. */
async function learning(db: Db, config: Config, rules: readonly AnyRule[]): Promise<Check[]> {
  const learners = rules.filter((rule) => rule.learns).map((rule) => rule.id);
  const workspaces = (await readWorkspaceFacts(db)).filter(({ workspace }) => !workspace.startsWith(drillPrefix));
  return workspaces.map(({ workspace, facts: kept }) => {
    const facts = kept as WorkspaceFacts;
    const what = `learning in ${workspace}`;
    const untilMs = facts.firstSeenMs + config.learningDays * dayMs;
    if (facts.inventoryMs !== undefined) {
      return {
        what,
        state: 'ok',
        says: `done: an inventory was imported at ${moment(new Date(facts.inventoryMs))} UTC`,
      };
    }
    if (Date.now() >= untilMs || learners.length === 0) return { what, state: 'ok', says: 'done' };
    return {
      what,
      state: 'note',
      says: `${learners.join(', ')} until ${moment(new Date(untilMs))} UTC: no findings before`,
    };
  });
}
