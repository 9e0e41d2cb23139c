import type { Config } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';
import { drillPrefix } from '@tripline/contracts/drill';
import type { AnyRule } from '@tripline/contracts/rule';
import type { Db } from '@tripline/db/database';
import type { WorkspaceFacts } from '@tripline/engine/workspace-facts';
import { checkHealth } from '@tripline/health/health';
import { readWorkspaceFacts } from '@tripline/health/workspaces';
import { readRemediationSwitch } from '@tripline/incidents/kill-switch';
import { moment } from '../show.ts';
import { ask } from './check.ts';

const skewLimitMs = 2000;
const dayMs = 86_400_000;

/** Checks Postgres, and the state that it holds: what is broken, the kill switch, what is still being learned. */
export async function checkDatabase(db: Db, config: Config, rules: readonly AnyRule[] | null): Promise<Check[]> {
  const server = await ask('Postgres', 'check DATABASE_URL and that the server runs', () => checkServer(db));
  if (server.state === 'broken') return [server];
  const remedy = 'run `npx tripline migrate`';
  const health = await checkHealth(db, config);
  if (health.length === 1) return [server, ...health];
  return [
    server,
    ...health,
    ...absent(health, config),
    await ask('kill switch', remedy, () => killSwitch(db)),
    ...(rules === null ? [] : await learning(db, config, rules)),
  ];
}

async function checkServer(db: Db): Promise<Omit<Check, 'name'>> {
  const beforeMs = Date.now();
  const { rows } = await db.pool.query(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
            (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
            current_setting('synchronous_commit') AS durable`,
  );
  const { version, number, now_ms, durable } = rows[0];
  const skewMs = Math.round(now_ms - (beforeMs + Date.now()) / 2);
  if (number < 150_000) return { state: 'broken', detail: `version ${version}`, remedy: 'use PostgreSQL 15 or newer' };
  if (durable === 'off') {
    return {
      state: 'broken',
      detail: 'synchronous_commit is off',
      remedy: 'switch it on: what was acknowledged may be lost',
    };
  }
  if (Math.abs(skewMs) > skewLimitMs) {
    return {
      state: 'broken',
      detail: `its clock differs from ours by ${skewMs} ms`,
      remedy: 'run NTP on both machines',
    };
  }
  return { state: 'ok', detail: `PostgreSQL ${version}, its clock within ${Math.abs(skewMs)} ms of ours` };
}

async function killSwitch(db: Db): Promise<Omit<Check, 'name'>> {
  const now = await readRemediationSwitch(db);
  if (!now?.stopped) return { state: 'ok', detail: 'off' };
  return {
    state: 'ok',
    detail: `ON since ${moment(now.at)} UTC, by ${now.by.name}${now.reason === null ? '' : ` (${now.reason})`}: no automatic action is taken`,
    remedy: '`npx tripline kill-switch off` allows them again',
  };
}

/** Features that are off, or that should have left a trace in the database and have not. */
function absent(checks: readonly Check[], { github }: Config): Check[] {
  const isThere = (what: string) => checks.some(({ name }) => name.startsWith(what));
  const found: Check[] = [];
  if (!isThere('import')) {
    const configured = github.app || github.token;
    const detail = configured
      ? 'none asked for yet: the first delivery does'
      : 'none: no GitHub App or token is configured';
    found.push({ name: 'import', state: 'off', detail });
  }
  if (!github.app && github.hooks.length === 0) {
    const detail = 'no GitHub App and no github.hooks: deliveries that fail are not requested again';
    found.push({ name: 'redelivery', state: 'off', detail });
  } else if (!isThere('redelivery')) {
    const remedy = 'start it: `npx tripline up`, or `npx tripline reconciler` beside the other services';
    found.push({ name: 'redelivery', state: 'broken', detail: 'the reconciler has never run', remedy });
  }
  return found;
}

/** Per workspace: which rules hold their findings back because they do not know yet what is usual. */
async function learning(db: Db, config: Config, rules: readonly AnyRule[]): Promise<Check[]> {
  const learners = rules.filter((rule) => rule.learns).map((rule) => rule.id);
  const workspaces = (await readWorkspaceFacts(db)).filter(({ workspace }) => !workspace.startsWith(drillPrefix));
  return workspaces.map(({ workspace, facts: kept }) => {
    const facts = kept as WorkspaceFacts;
    const name = `learning in ${workspace}` as const;
    const untilMs = facts.firstSeenMs + config.learningDays * dayMs;
    if (facts.inventoryMs !== undefined) {
      return {
        name,
        state: 'ok',
        detail: `done: an inventory was imported at ${moment(new Date(facts.inventoryMs))} UTC`,
      };
    }
    if (Date.now() >= untilMs || learners.length === 0) return { name, state: 'ok', detail: 'done' };
    return {
      name,
      state: 'ok',
      detail: `${learners.join(', ')} until ${moment(new Date(untilMs))} UTC: no findings before`,
    };
  });
}
