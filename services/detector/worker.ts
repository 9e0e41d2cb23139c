import { runJobs } from '@tripline/db/run-jobs';
import { startEndingSilences } from './end-silences.ts';
import { createImportTask, type ImportParts, startImports } from './import-inventory.ts';
import { createLookUpTask } from './look-up.ts';
import { startPublishing } from './publish-outbox.ts';

/**
 * Brings into the log what only Tripline itself may say: by jobs, the look-ups that rules asked for and imports of what
 * is already true; and what rooms left in the outbox. Asks for the imports that are still missing, without waiting for
 * GitHub. Reports findings of ended silences.
 */
export async function startWorker(parts: ImportParts): Promise<{ stop: () => Promise<void> }> {
  const { db, logger } = parts;
  const lookUp = createLookUpTask(parts);
  const importInventory = createImportTask(parts);
  const jobs = await runJobs({ db, logger, handlers: { 'look-up': lookUp, 'import-inventory': importInventory } });
  const publishing = startPublishing(parts);
  const silences = startEndingSilences(parts);
  const asking = startImports(parts).catch((error: unknown) =>
    logger.error({ err: error }, 'requesting inventory imports failed; they are requested at the next start'),
  );
  return {
    stop: async () => {
      await asking;
      await silences.stop();
      await publishing.stop();
      await jobs.stop();
    },
  };
}
