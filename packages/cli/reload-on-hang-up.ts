import { type Config, loadConfig } from '@tripline/config/config';
import { createReloading, type Reloading } from '@tripline/config/reload';
import { onHangUp } from '@tripline/runtime/lifecycle';
import type { Io } from './command.ts';
import { sentenceFor } from './errors.ts';

/** At each SIGHUP reads the settings anew, into the running `config`, and says what came of it. */
export function reloadOnHangUp(
  config: Config,
  io: Io,
  options: { say: (line: string) => void; runsRules: boolean },
): Reloading {
  const reloading = createReloading(config, {
    ...options,
    read: () => loadConfig(io.env, io.cwd),
    sentenceFor: (error) => sentenceFor(error) ?? (error as Error).stack ?? String(error),
  });
  onHangUp(() => reloading.reload('all'));
  return reloading;
}
