import { createLocalPolicies } from '@tripline/broker/local-policies';
import { modeOf } from '@tripline/broker/mode';
import type { Config } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';
import { ConfigError } from '@tripline/runtime/load-settings';

/** Whether jobs are given access, or what is to be configured first; and whether a local file of policies can be read. */
export function checkBroker(config: Pick<Config, 'identity' | 'broker' | 'baseDir' | 'github'>): Check {
  const name = 'broker';
  // `tripline up` makes the keys that are not set.
  const made = {
    ...config.broker,
    eventKeys: config.broker.eventKeys ?? [''],
    sealingKeys: config.broker.sealingKeys ?? [''],
  };
  try {
    const { isDryRun, lacks } = modeOf({ ...config, broker: made });
    const { policy } = config.broker;
    if (policy !== undefined && 'file' in policy) {
      const read = createLocalPolicies(config.baseDir, policy.file, config.identity.audience)();
      if ('fault' in read) return { name, state: 'broken', detail: read.fault, remedy: 'correct the file' };
    }
    if (!isDryRun) return { name, state: 'ok', detail: 'jobs are given what policies say' };
    return { name, state: 'off', detail: `a dry run: nothing is given to any job; not set: ${lacks.join('; ')}` };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { name, state: 'broken', detail: error.message, remedy: 'configure all of it, or none' };
  }
}
