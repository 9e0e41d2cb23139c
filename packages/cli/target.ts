import type { Config } from '@tripline/config/config';
import { findStandalone, readSecret } from '@tripline/runtime/data-folder';
import { UserError } from './command.ts';

/** Where the running Tripline takes deliveries: `url` when given, else what runs in the data folder, else the configured host and port. */
export function receiverUrl(config: Config, url: string | undefined): string {
  const running = findStandalone(config.dataDir)?.listening;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return url ?? running?.url ?? `http://${host}:${config.port}`;
}

/**
 * The key that signs drills.
 * @throws {UserError} when none is known.
 */
export function drillKeyOf(config: Config): string {
  const key = config.drillKey ?? readSecret(config.dataDir, 'drill-key');
  if (key) return key;
  throw new UserError(
    'no drill key is known: start Tripline here with `npx tripline up`, which makes one, or set TRIPLINE_DRILL_KEY to the one that it was started with',
  );
}

/**
 * The key that signs break-glass records of a workspace.
 * @throws {UserError} when none is configured: with how to.
 */
export function breakGlassKeyOf(config: Config, workspace: string): string {
  const configured = config.workspaces.find(({ id }) => id === workspace);
  const key = configured?.breakGlassKeys?.[0];
  if (key) return key;
  const where = configured ? 'it' : `the workspace (workspaces: [{ id: ${JSON.stringify(workspace)}, … }])`;
  throw new UserError(
    `no break-glass key is configured for ${JSON.stringify(workspace)}: give ${where} breakGlassKeys in tripline.yaml, made by \`openssl rand -hex 32\`, here and where the receiver runs`,
  );
}
