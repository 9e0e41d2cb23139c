import { registerHooks } from 'node:module';

/**
 * What exactly-once costs is what the detector saves without it: preloaded with `--import`, this takes the fenced
 * position out of the batch's transaction. For the bench alone: what it leaves behind is not safe.
 */
const real = import.meta.resolve('@tripline/db/positions');
const stand = `data:text/javascript,${encodeURIComponent(
  `export { Fenced, takePartition } from ${JSON.stringify(`${real}?real`)}; export async function advance() {}`,
)}`;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === '@tripline/db/positions' ? { url: stand, shortCircuit: true } : next(specifier, context),
});
