import { registerHooks } from 'node:module';

/**
 * What exactly-once costs is what the detector saves without it: preloaded with `--import`, batches are kept without the
 * fenced position. For the bench alone: what it leaves behind is not safe.
 */
const stand = import.meta.resolve('./keep-without-position.ts');
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === '@tripline/db/batches' ? { url: stand, shortCircuit: true } : next(specifier, context),
});
