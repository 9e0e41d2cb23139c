import { loadSettings, type Origin } from '@tripline/runtime/load-settings';
import { environment, renamed, type Settings, settings } from './settings.ts';

/** Settings with where they came from. */
export type Config = Settings & Origin;

/**
 * The settings of tripline.yaml and of the environment, checked.
 * @throws {ConfigError} naming every wrong or unknown setting, or the file that is not trusted.
 */
export function loadConfig(env: Record<string, string | undefined> = process.env, cwd: string = process.cwd()): Config {
  return loadSettings({ schema: settings, environment, renamed }, env, cwd);
}
