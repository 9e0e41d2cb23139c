import { type Config, loadConfig } from '@tripline/config/config';
import { applyReload } from '@tripline/config/reload';
import { onHangUp } from '@tripline/runtime/lifecycle';
import type { Io } from './command.ts';
import { sentenceFor } from './errors.ts';

/**
 * At each SIGHUP reads the settings anew, into the running `config`, and says what came of it: a file that is wrong
 * changes nothing. `check` looks at what the schema cannot see, such as names of rules.
 */
export function reloadOnHangUp(
  config: Config,
  io: Io,
  options: { say: (line: string) => void; check?: (next: Config) => Promise<unknown> },
): void {
  onHangUp(async () => {
    try {
      const next = loadConfig(io.env, io.cwd);
      await options.check?.(next);
      const { applied, needRestart } = applyReload(config, next);
      const taken = applied.length > 0 ? `now in force: ${applied.join(', ')}` : 'nothing that is in force changed';
      const left = needRestart.length > 0 ? `; restart to apply ${needRestart.join(', ')}` : '';
      options.say(`settings were read anew: ${taken}${left}`);
    } catch (error) {
      const why = sentenceFor(error) ?? (error as Error).stack;
      options.say(`settings were read anew and are wrong, so those in force stay: ${why}`);
    }
  });
}
