import type { Look } from '@tripline/contracts/check';
import type { SecretSettings } from '../secrets.ts';

/** Whether anybody may open break-glass by a key. */
export function checkTriplineFeed({ workspaces }: Pick<SecretSettings, 'workspaces'>): Look[] {
  const mend = 'set workspaces[].breakGlassKeys';
  return [{ name: 'feed tripline', mend, look: async () => look(workspaces) }];
}

function look(workspaces: SecretSettings['workspaces']): Awaited<ReturnType<Look['look']>> {
  const able = workspaces.filter(({ breakGlassKeys = [] }) => breakGlassKeys.length > 0).map(({ id }) => id);
  if (able.length === 0) return { state: 'off', said: 'no workspace has a break-glass key: no such record is taken' };
  return { state: 'ok', said: `break-glass keys of ${able.join(', ')}` };
}
