import type { Config } from '@tripline/config/config';
import type { TriplineEvent } from '@tripline/contracts/event';
import type { Jobs } from '@tripline/contracts/job';
import type { Db } from '@tripline/db/database';
import { instanceOf } from '@tripline/integrations/github/instance';
import {
  emptyInventory,
  type Inventory,
  type InventoryReader,
  inventoryPermissions,
  readInventory,
  toParts,
} from '@tripline/integrations/github/inventory';
import {
  CannotReadError,
  type GitHubAccess,
  installedOn,
  mayRead,
  withReader,
} from '@tripline/integrations/github/reader';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { redactText, redactValue } from '@tripline/runtime/redact';
import { createWorkspaces } from '@tripline/sources/workspace';
import type { Stream } from '@tripline/stream/stream';
import { appendFromWithin } from './append-from-within.ts';
import {
  beginImport,
  recordImported,
  recordImportFailed,
  recordImportProgress,
  requestImport,
} from './store/imports.ts';

export type ImportParts = {
  config: Pick<Config, 'github' | 'workspaces' | 'drills' | 'internalKeys'>;
  stream: Pick<Stream, 'append'>;
  db: Db;
  logger: Logger;
  clock: Clock;
  fetch?: typeof globalThis.fetch;
  /** For tests in a hurry; see createGitHubClient. */
  waitBaseMs?: number;
};

/**
 * The task behind the job `import-inventory`: reads what is already true in a workspace and appends it to the log, so
 * that nothing of it counts as new. Ids are made of workspace, the moment at which it was asked for, and part: a job that is tried
 * again makes duplicates of them, and an import that is asked for again does not.
 */
export function createImportTask(parts: ImportParts) {
  const { db, logger, clock } = parts;
  const access = accessOf(parts);

  return async function importInventory({ workspace }: Jobs['import-inventory']): Promise<void> {
    const log = logger.child({ workspace });
    const askedAt = await beginImport(db, workspace);
    let inventory: Inventory;
    const unknown = new Map<string, string>();
    try {
      inventory = await readAll(parts, workspace, log, (repository, why) => unknown.set(repository, why));
    } catch (error) {
      if (!(error instanceof CannotReadError)) throw error;
      await recordImportFailed(db, workspace, error.message);
      if (error.outcome.kind === 'retry') throw error;
      // Not retried until the next start: a permission or an installation is missing, which a person must grant.
      log.error({ reason: error.outcome.reason }, `importing the inventory failed: ${error.message}`);
      return;
    }
    const datas = toParts(redactValue(inventory));
    const time = new Date(clock.nowMs()).toISOString();
    await appendFromWithin(
      parts,
      datas.map((data, index) => {
        const event = {
          id: `inventory:${workspace}:${askedAt.getTime()}:${index + 1}`,
          source: `//${instanceOf(access.apiUrl)}/${workspace}`,
          type: 'dev.cdeventsx.tripline-inventory.observed',
          ...{ time, workspace, trust: 'high', data },
        };
        return event as TriplineEvent<'dev.cdeventsx.tripline-inventory.observed'>;
      }),
    );
    const { runners, runnerGroups, heads, members, deployKeys, installations } = inventory;
    const counts = {
      runners: runners.length,
      runnerGroups: runnerGroups.length,
      heads: heads.length,
      members: members.length,
      deployKeys: deployKeys.length,
      installations: installations.length,
      ...(unknown.size > 0 && { unknownProtections: unknown.size }),
    };
    const [first] = unknown;
    if (first !== undefined)
      log.warn(
        { repositories: unknown.size, first: first[0], reason: redactText(first[1]) },
        'what protects some repositories may not be read; it is unknown, and what lands there is judged as before',
      );
    await recordImported(db, workspace, counts);
    log.info(counts, 'imported the inventory');
  };
}

/** What is true in all organisations of a workspace. @throws {CannotReadError} */
async function readAll(
  parts: ImportParts,
  workspace: string,
  log: Logger,
  onUnknown: NonNullable<InventoryReader['onUnknown']>,
): Promise<Inventory> {
  const { config, db, clock } = parts;
  const configured = config.workspaces
    .find(({ id }) => id === workspace)
    ?.github.organizations.map(({ login }) => login);
  const whole = emptyInventory();
  for (const organization of configured ?? [workspace]) {
    const part = await withReader(
      accessOf(parts),
      { owner: organization, permissions: inventoryPermissions },
      {
        nowMs: clock.nowMs,
        onLeftAlive: (reason) => log.error({ reason }, 'revoking a read-only token failed; it expires within an hour'),
      },
      (client) =>
        readInventory(client, organization, {
          onProgress: (progress) => recordImportProgress(db, workspace, progress),
          onUnknown,
        }),
    );
    for (const kind of Object.keys(whole) as (keyof Inventory)[]) (whole[kind] as unknown[]).push(...part[kind]);
  }
  return whole;
}

/**
 * Leaves an import job for each workspace that was never imported: the configured ones or, with an App and none
 * configured, one for each account on which it is installed. Does nothing where nothing is configured to read with. An
 * unreachable GitHub is logged and leaves rules learning; it never keeps the detector from starting.
 */
export async function startImports(parts: Omit<ImportParts, 'stream'>): Promise<void> {
  const { config, db, logger, clock } = parts;
  const access = accessOf(parts);
  if (!mayRead(access)) return;
  const workspaces = new Set(config.workspaces.map(({ id }) => id));
  if (workspaces.size === 0) {
    const { of } = createWorkspaces(config);
    try {
      for (const login of await installedOn(access, clock.nowMs())) {
        const workspace = of(login);
        if (workspace !== undefined) workspaces.add(workspace);
      }
    } catch (error) {
      if (!(error instanceof CannotReadError)) throw error;
      logger.error({ reason: error.outcome.reason }, `importing the inventory failed: ${error.message}`);
    }
  }
  for (const workspace of workspaces) {
    if (await requestImport(db, workspace)) logger.info({ workspace }, 'requested an inventory import');
  }
}

function accessOf({ config, fetch, waitBaseMs }: Pick<ImportParts, 'config' | 'fetch' | 'waitBaseMs'>): GitHubAccess {
  return { ...config.github, fetch, ...(waitBaseMs === undefined ? {} : { waitBaseMs }) };
}
