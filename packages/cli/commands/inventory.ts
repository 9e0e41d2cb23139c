import { setTimeout as pause } from 'node:timers/promises';
import { loadConfig } from '@tripline/config/config';
import { drillPrefix } from '@tripline/contracts/drill';
import { receiverWorkspace } from '@tripline/contracts/event';
import type { Db } from '@tripline/db/database';
import { requestImportAnew } from '@tripline/detector/store/imports';
import { type Import, readImports } from '@tripline/health/imports';
import { readWorkspaceFacts } from '@tripline/health/workspaces';
import { mayRead } from '@tripline/integrations/github/reader';
import { plain } from '@tripline/runtime/plain';
import { whoRuns } from '../actor.ts';
import { type Command, type Io, oneOf, readArguments, UserError } from '../command.ts';
import { moment } from '../show.ts';
import { withStore } from '../store.ts';

const options = {
  'no-wait': { type: 'boolean', doc: 'with import: ask for it, and do not wait until it is done' },
  json: { type: 'boolean', doc: 'one JSON object a line' },
} as const;

export const inventory: Command = {
  name: 'inventory',
  summary: 'Import again what is already true at GitHub, or say when that was done last',
  usage: ['inventory [status] [--json]', 'inventory import [<workspace>] [--no-wait] [--json]'],
  details:
    'Runners, groups of runners, members, deploy keys, installed apps and protected branches that are there by then are known ' +
    'from then on: run it before new machines take their first job. It explains nothing that was found before; resolve that ' +
    'as accepted. The detector reads it; that somebody asked is in the trail.',
  options,
  async run(args, io) {
    const { values, positionals } = readArguments(args, options, { atMost: 2 });
    const verb = oneOf('verb', positionals[0] ?? 'status', ['import', 'status']);
    const config = loadConfig(io.env, io.cwd);
    const json = values.json ?? false;
    // An embedded database belongs to a Tripline with these settings; beside another one a detector has its own.
    if (verb === 'import' && config.database.url === undefined && !mayRead(config.github))
      throw new UserError(
        'there is nothing to read GitHub with: configure a GitHub App (TRIPLINE_GITHUB_APP_ID, TRIPLINE_GITHUB_APP_PRIVATE_KEY) or a token (TRIPLINE_GITHUB_TOKEN), and restart Tripline',
      );
    return withStore(config, async (db) => {
      if (verb === 'status') {
        const known = await readImports(db);
        if (known.length === 0 && !json) io.out('Nothing was imported yet.\n');
        for (const one of known) say(one, io, json);
        return 0;
      }
      const workspaces = workspacesToImport(await everyWorkspace(db, config.workspaces), positionals[1]);
      const askedAt = new Map<string, Date>();
      for (const workspace of workspaces) askedAt.set(workspace, await requestImportAnew(db, workspace, whoRuns()));
      if (values['no-wait']) {
        if (!json) io.out(`Asked for ${workspaces.map(plain).join(', ')}.\n`);
        return 0;
      }
      return followImports(db, askedAt, io, { json, wait: () => pause(pollMs) });
    });
  },
};

const pollMs = 500;
/** Number of polls before an import must have begun: a minute. */
const patience = 120;

/** Those that are configured, of which something was received, or that were imported before; drills and Tripline's own are none. */
async function everyWorkspace(db: Db, configured: readonly { id: string }[]): Promise<string[]> {
  const received = (await readWorkspaceFacts(db)).map(({ workspace }) => workspace);
  const imported = (await readImports(db)).map(({ workspace }) => workspace);
  const isOurs = (workspace: string) => workspace === receiverWorkspace || workspace.startsWith(drillPrefix);
  const all = [...configured.map(({ id }) => id), ...received, ...imported].filter((workspace) => !isOurs(workspace));
  return [...new Set(all)].sort();
}

/** @throws {UserError} when there is none, or none that is called so. */
function workspacesToImport(known: readonly string[], named: string | undefined): readonly string[] {
  if (known.length === 0)
    throw new UserError('there is no workspace yet: configure one under `workspaces`, or have GitHub send a delivery');
  if (named === undefined) return known;
  if (!known.includes(named))
    throw new UserError(`there is no workspace ${plain(named)}: there are ${known.map(plain).join(', ')}`);
  return [named];
}

/**
 * Reports the progress of imports until all of them ended; `wait` passes the time between two polls.
 * @returns the exit status: 1 where one failed or nobody began.
 */
export async function followImports(
  db: Db,
  askedAt: ReadonlyMap<string, Date>,
  io: Io,
  { json, wait }: { json: boolean; wait: () => Promise<unknown> },
): Promise<number> {
  const left = new Set(askedAt.keys());
  const told = new Map<string, string>();
  let status = 0;
  for (let looks = 0; left.size > 0; looks += 1) {
    for (const one of await readImports(db)) {
      const since = askedAt.get(one.workspace);
      if (since === undefined || !left.has(one.workspace)) continue;
      const isDone = isSince(one.imported, since) || isSince(one.failed, since);
      const line = one.progress === null ? '' : progressOf(one.progress);
      if (isDone) {
        left.delete(one.workspace);
        if (!isSince(one.imported, since)) status = 1;
        say(one, io, json);
      } else if (line !== '' && line !== told.get(one.workspace)) {
        told.set(one.workspace, line);
        if (!json) io.out(`${plain(one.workspace)}: ${line}\n`);
      }
    }
    if (left.size > 0 && looks >= patience && told.size === 0) {
      io.err('No detector has begun: the import is done once one runs (`tripline up`, or the service `detector`).\n');
      return 1;
    }
    if (left.size > 0) await wait();
  }
  return status;
}

const progressOf = ({ repositories, of }: NonNullable<Import['progress']>): string =>
  of === 0 ? 'begun' : `${repositories} of ${of} repositories read`;

const isSince = (what: { at: string } | null, since: Date): boolean =>
  what !== null && Date.parse(what.at) >= since.getTime();

function say(one: Import, io: Io, json: boolean): void {
  if (json) {
    io.out(`${JSON.stringify(one)}\n`);
    return;
  }
  const { workspace, imported, failed } = one;
  const counts = kinds.map(([kind, words]) => `${imported?.counts[kind] ?? 0} ${words}`);
  const unknown = imported?.counts.unknownProtections ?? 0;
  if (unknown > 0) counts.push(`what protects ${unknown} repositories may not be read (\`tripline doctor\` says more)`);
  const said = [
    ...(imported === null ? [] : [`imported at ${moment(imported.at)} UTC: ${counts.join(', ')}`]),
    ...(failed === null ? [] : [`failed at ${moment(failed.at)} UTC: ${plain(failed.reason)}`]),
  ];
  io.out(`${plain(workspace)}: ${said.length === 0 ? 'asked for, and not done yet' : said.join('; ')}\n`);
}

const kinds = [
  ['runners', 'self-hosted runners'],
  ['runnerGroups', 'runner groups'],
  ['members', 'members'],
  ['deployKeys', 'deploy keys'],
  ['installations', 'installed apps'],
  ['heads', 'heads of protected branches'],
] as const;
