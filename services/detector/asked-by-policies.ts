import { resolve } from 'node:path';
import { type AskedOf, askedOf } from '@tripline/access/asked-of';
import { readLock } from '@tripline/access/lock';
import { readPolicies } from '@tripline/access/policy';
import { readVersionAt } from '@tripline/access/read-version';
import type { Config } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';

/** How often it is looked whether other policies are in force. */
const lookEveryMs = 2000;

/** Until policies can be read nothing is asked. */
export const nothingAsked: AskedOf = { repositories: [], workflows: [] };

type Parts = { config: Pick<Config, 'broker' | 'baseDir'>; db: Db; logger: Logger; clock: Clock };

/**
 * What the policies in force ask about: `first` at the start, and then whenever others are in force, until `signal` aborts. Those that
 * cannot be read leave what was asked before.
 */
export function createPolicyWatch(parts: Parts) {
  const { clock, logger } = parts;
  let handled = '';
  let failed = '';
  async function look(use: (asked: AskedOf) => Promise<void> | void): Promise<void> {
    try {
      const next = await askedNow(parts, handled);
      if (next !== undefined) {
        await use(next.asked);
        handled = next.version;
      }
      failed = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== failed)
        logger.warn({ err: error }, 'policies of access cannot be read; runs are told of as those before ask');
      failed = message;
    }
  }
  return {
    async first(): Promise<AskedOf> {
      let asked = nothingAsked;
      await look((found) => {
        asked = found;
      });
      return asked;
    },
    async watch(use: (asked: AskedOf) => Promise<void>, signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await clock.pause(lookEveryMs, signal);
        if (!signal.aborted) await look(use);
      }
    },
  };
}

/** What the policies in force ask about, unless they are those of `former`, by what they are known. */
async function askedNow(
  { config, db }: Parts,
  former: string,
): Promise<{ version: string; asked: AskedOf } | undefined> {
  const { policy } = config.broker;
  if (policy === undefined) return undefined;
  if ('file' in policy) {
    const asked = askedOf(readVersionAt(resolve(config.baseDir, policy.file)));
    const version = JSON.stringify(asked);
    return version === former ? undefined : { version, asked };
  }
  const { rows } = await db.pool.query<{ nth: string; policies: string; lock: string }>(
    'SELECT nth, policies, lock FROM access_policies WHERE nth > $1 ORDER BY nth DESC LIMIT 1',
    [former === '' ? 0 : former],
  );
  const [newest] = rows;
  if (newest === undefined) return undefined;
  const { nth, policies, lock } = newest;
  return { version: nth, asked: askedOf({ file: readPolicies(policies), lock: readLock(lock) }) };
}
