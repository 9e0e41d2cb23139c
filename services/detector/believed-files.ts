import { registerHooks } from 'node:module';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { faultOfOwnership } from '@tripline/runtime/ownership';

const ours = join(import.meta.dirname, '../..') + sep;

/**
 * What a rule of the user's imports runs with Tripline's tokens like the rule itself: a file outside this installation
 * is loaded only where nobody but root and the running user can write it. Importing this file is enough.
 */
registerHooks({
  load(url, context, next) {
    if (url.startsWith('file:')) {
      const path = fileURLToPath(url);
      const fault = path.startsWith(ours) ? null : faultOfOwnership(path);
      if (fault !== null) throw new Error(fault);
    }
    return next(url, context);
  },
});
