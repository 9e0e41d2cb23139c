import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '@tripline/runtime/load-settings';
import type { Logger } from '@tripline/runtime/logger';
import type { PinnedOrganization } from '@tripline/sources/workspace';
import { z } from 'zod';

const schema = z.array(z.object({ id: z.string(), login: z.string(), workspace: z.string() }));

export type Organizations = {
  /** Those whose ids were pinned so far. */
  pinned: readonly PinnedOrganization[];
  /**
   * Keeps one more, or another login for an id. Returns at once; a failed write is logged and retried with the next
   * one.
   */
  pin: (one: PinnedOrganization) => void;
  /** Waits until what was pinned is written. */
  settled: () => Promise<void>;
};

/**
 * Which organisation has which id, in `organizations.json` of the data folder: a login is pinned at the first delivery
 * that proves it, and must stay so over restarts. Whoever recreated an organisation under its old name gives its new id
 * in the settings, or removes the file.
 * @throws {ConfigError} when the file is there and cannot be read: to go on without it would pin every login anew.
 */
export function openOrganizations(dataDir: string, logger: Logger): Organizations {
  const file = join(dataDir, 'organizations.json');
  const byId = new Map(read(file).map((one) => [one.id, one]));
  let writing: Promise<void> | undefined;
  let isStale = false;

  async function write(): Promise<void> {
    while (isStale) {
      isStale = false;
      try {
        await writeFile(`${file}.new`, `${JSON.stringify([...byId.values()], null, 1)}\n`, { mode: 0o600 });
        await rename(`${file}.new`, file);
      } catch (error) {
        logger.error({ err: error }, 'writing the organization ids failed; after a restart they are pinned again');
      }
    }
    writing = undefined;
  }

  return {
    pinned: [...byId.values()],
    pin(one) {
      byId.set(one.id, one);
      isStale = true;
      writing ??= write();
    },
    settled: async () => writing,
  };
}

function read(file: string): PinnedOrganization[] {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new ConfigError(
      `${file} cannot be read; repair it, or move it away to have the ids of your organisations pinned again`,
    );
  }
}
