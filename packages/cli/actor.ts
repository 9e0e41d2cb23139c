import { userInfo } from 'node:os';
import type { Actor } from '@tripline/contracts/incident';

/** Who runs the command, as the system knows them. */
export function whoRuns(): Actor {
  const { username } = userInfo();
  return { via: 'cli', id: username, name: username, proof: 'os-user' };
}
