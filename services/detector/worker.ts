import type { Jobs } from '@tripline/contracts/job';
import { run, Logger as WorkerLogger } from 'graphile-worker';
import { createImportTask, type ImportParts, startImports } from './import-inventory.ts';
import { createLookUpTask } from './look-up.ts';

/**
 * Runs the jobs that bring answers into the log: look-ups that rules asked for, and imports of what is already true.
 * Asks for the imports that are still missing, without waiting for GitHub.
 */
export async function startWorker(parts: ImportParts): Promise<{ stop: () => Promise<void> }> {
  const { db, logger } = parts;
  const lookUp = createLookUpTask(parts);
  const importInventory = createImportTask(parts);
  const runner = await run({
    pgPool: db.pool,
    taskList: {
      'look-up': (payload, helpers) => lookUp(payload as Jobs['look-up'], helpers),
      'import-inventory': (payload) => importInventory(payload as Jobs['import-inventory']),
    },
    concurrency: 4,
    noHandleSignals: true,
    pollInterval: 1000,
    logger: new WorkerLogger(() => (level, message) => {
      if (level === 'error' || level === 'warning') logger[level === 'error' ? 'error' : 'warn'](message);
    }),
  });
  const asking = startImports(parts).catch((error: unknown) =>
    logger.error({ err: error }, 'imports were not asked for'),
  );
  return {
    stop: async () => {
      await asking;
      await runner.stop();
    },
  };
}
