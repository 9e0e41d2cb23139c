import { registerHooks } from 'node:module';

/**
 * Lets a rule outside this repository, and its tests, import `@tripline/…` and zod from here, unless its own folder has
 * them. Importing this file is enough; `tripline rules test` has Node do so first.
 */
registerHooks({
  resolve(specifier, context, next) {
    try {
      return next(specifier, context);
    } catch (error) {
      if (specifier !== 'zod' && !specifier.startsWith('@tripline/')) throw error;
      return next(specifier, { ...context, parentURL: import.meta.url });
    }
  },
});
