import type { Config } from '@tripline/config/config';
import { trustedIssuers } from '@tripline/identity/registry';
import { instanceOf } from '@tripline/integrations/github/instance';
import { ConfigError } from '@tripline/runtime/load-settings';

/**
 * Whether credentials are given, or it is only said what would be decided; then `lacks` says what is to be configured first.
 * `mints`: whether anything is configured that mints.
 */
export type Mode = { isDryRun: boolean; lacks: readonly string[]; mints: boolean };

/**
 * What the settings make of the broker.
 * @throws {ConfigError} they are half of something: it would look as if credentials were given.
 */
export function modeOf({ identity, broker, github }: Pick<Config, 'identity' | 'broker' | 'github'>): Mode {
  const { policy, apps, aws, gitlab, vault, eventKeys, sealingKeys, stepUp, peopleApp } = broker;
  const mints = [apps, aws, gitlab, vault].some((those) => those.length > 0);
  const isKnown = trustedIssuers(identity).length > 0;
  const faults = [
    policy !== undefined && !isKnown && 'name who issues the id tokens of jobs under identity',
    isKnown && identity.audience === undefined && 'set identity.audience to what jobs ask their id tokens for',
    mints && policy === undefined && 'say where the policies are in broker.policy',
    (policy !== undefined || stepUp !== undefined) &&
      eventKeys === undefined &&
      'set broker.eventKeys (TRIPLINE_BROKER_EVENT_KEY)',
    (mints || stepUp !== undefined) &&
      sealingKeys === undefined &&
      'set broker.sealingKeys (TRIPLINE_BROKER_SEALING_KEY)',
    peopleApp !== undefined &&
      (policy === undefined || 'file' in policy) &&
      'say in broker.policy.repository where it is reviewed what people may have (broker.peopleApp)',
    peopleApp !== undefined &&
      stepUp?.instance !== instanceOf(github.apiUrl) &&
      `configure broker.stepUp for ${instanceOf(github.apiUrl)}, by which people approve (broker.peopleApp)`,
    peopleApp !== undefined &&
      apps.some(({ id }) => id === peopleApp.id) &&
      'give broker.peopleApp an App of its own: whoever mints for jobs is not to give people rights',
    [...apps, ...(peopleApp === undefined ? [] : [peopleApp])].some(({ id }) => id === github.app?.id) &&
      'give broker.apps and broker.peopleApp Apps of their own, other ones than github.app: what that reads with is in no log, and a token of theirs that no log names is a stolen key',
  ].filter((fault) => fault !== false);
  if (faults.length > 0) throw new ConfigError(`the broker is configured by half: ${faults.join('; ')}`);
  const lacks = [
    !isKnown && 'identity.github and identity.audience: whose jobs may ask',
    policy === undefined && 'broker.policy: what they may have',
    policy !== undefined && 'file' in policy && 'broker.policy.repository: a local file decides dry runs only',
    !mints && 'broker.apps, aws, gitlab or vault: what mints credentials',
  ].filter((lack) => lack !== false);
  return { isDryRun: lacks.length > 0, lacks, mints };
}
