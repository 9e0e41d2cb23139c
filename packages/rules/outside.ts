import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Lets a rule outside this installation, and its tests, import Tripline's rooms and zod from here, unless its own folder
 * has them: `tripline/contracts/rule`, as the npm package has it, or `@tripline/contracts/rule`. Importing this file is
 * enough; `tripline rules test` has Node do so first.
 */
const extension = extname(import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    try {
      return next(specifier, context);
    } catch (error) {
      if (specifier === 'zod') return next(specifier, { ...context, parentURL: import.meta.url });
      const [, path] = /^@?tripline\/(.+)$/.exec(specifier) ?? [];
      const url = path === undefined ? undefined : new URL(`../${path}${extension}`, import.meta.url);
      if (url === undefined || !existsSync(fileURLToPath(url))) throw error;
      return next(url.href, context);
    }
  },
});
