import type { Look } from '@tripline/contracts/check';
import { readSecret } from '@tripline/runtime/data-folder';
import { githubSecrets, type SecretSettings } from '../secrets.ts';

/** Whether deliveries can be verified. */
export function checkGithubFeed(config: SecretSettings & { dataDir: string }): Look[] {
  return [{ name: 'webhook secret', remedy: 'set TRIPLINE_GITHUB_WEBHOOK_SECRET', look: async () => look(config) }];
}

function look(config: SecretSettings & { dataDir: string }): Awaited<ReturnType<Look['look']>> {
  const secrets = githubSecrets({ ...config, drills: false });
  if (secrets.length > 0) return { state: 'ok', detail: `${secrets.length} configured` };
  if (readSecret(config.dataDir, 'webhook-secret')) {
    return { state: 'ok', detail: `generated on the first start, stored in ${config.dataDir}` };
  }
  return { state: 'off', detail: 'none configured: `npx tripline up` makes one' };
}
