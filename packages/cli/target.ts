import type { Config } from '@tripline/runtime/config';
import { findStandalone, readSecret } from '@tripline/runtime/data-folder';
import { UserError } from './command.ts';

/**
 * Where the running Tripline takes deliveries, and the secret to sign them with: `url` when given, else what runs in
 * the data folder, else the configured host and port.
 * @throws {UserError} when no secret is known.
 */
export function findReceiver(config: Config, url: string | undefined): { url: string; secret: string } {
  const running = findStandalone(config.dataDir)?.listening;
  const secret = config.github.webhookSecrets?.[0] ?? readSecret(config.dataDir, 'webhook-secret');
  if (!secret) {
    throw new UserError(
      'no webhook secret is known: start Tripline here with `npx tripline up`, or set TRIPLINE_GITHUB_WEBHOOK_SECRET to the one that it was started with',
    );
  }
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return { url: url ?? running?.url ?? `http://${host}:${config.port}`, secret };
}
