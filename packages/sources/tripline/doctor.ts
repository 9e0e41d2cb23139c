import type { Look } from '@tripline/contracts/check';
import type { SecretSettings } from '../secrets.ts';

/** Which workspaces have break-glass keys. */
export function checkTriplineFeed({ workspaces }: Pick<SecretSettings, 'workspaces'>): Look[] {
  const remedy = 'set workspaces[].breakGlassKeys';
  return [{ name: 'feed tripline', remedy, look: async () => look(workspaces) }];
}

function look(workspaces: SecretSettings['workspaces']): Awaited<ReturnType<Look['look']>> {
  const able = workspaces.filter(({ breakGlassKeys = [] }) => breakGlassKeys.length > 0).map(({ id }) => id);
  if (able.length === 0)
    return { state: 'off', detail: 'no workspace has a break-glass key: break-glass records are refused' };
  return { state: 'ok', detail: `break-glass keys of ${able.join(', ')}` };
}
