import type { Db } from '@tripline/db/database';
import type { Logger } from '@tripline/runtime/logger';
import type { Seals } from './seal.ts';
import { noteSealFaults, readSealed } from './store/credentials.ts';

/**
 * At the start, has each value that is kept opened once: one that no key opens cannot be revoked when its job ends, which nobody would
 * know before. The doctor says so from now on (`grants`).
 */
export async function checkSeals({
  db,
  logger,
  seals,
}: {
  db: Db;
  logger: Logger;
  seals: Pick<Seals, 'open'>;
}): Promise<void> {
  const sealed = await readSealed(db);
  const faults = sealed.flatMap(({ grant, nth, value }) => {
    try {
      seals.open(value, { grantId: grant, nth });
      return [];
    } catch (error) {
      return [{ grant, nth, fault: (error as Error).message }];
    }
  });
  await noteSealFaults(db, faults);
  if (faults.length === 0) return;
  const help =
    'put the former key back into broker.sealingKeys (TRIPLINE_BROKER_SEALING_KEY), behind the new one, until the longest has expired';
  logger.error(
    { credentials: faults.length, reason: faults[0]!.fault, help },
    'credentials that jobs have cannot be revoked by the keys that are configured; they end by themselves alone',
  );
}
