import type { Config } from '@tripline/config/config';
import type { Check, Look } from '@tripline/contracts/check';
import type { ChannelDefinition } from '@tripline/integrations/channel';
import { channels } from '@tripline/integrations/channels';
import { openMinters } from '@tripline/integrations/minters';
import type { Provider } from '@tripline/integrations/provider';
import { providers } from '@tripline/integrations/providers';
import { systemClock } from '@tripline/runtime/clock';
import { loadPolled, loadPosted } from '@tripline/sources/feed';
import { feeds } from '@tripline/sources/registry';
import { ask } from './check.ts';
import { checkIssuers } from './issuers.ts';

/**
 * Runs the checks of all feeds, providers, minters, channels and issuers of id tokens: whether deliveries and tokens can be
 * verified, and whether services accept Tripline's credentials.
 */
export async function checkProviders(config: Config): Promise<Check[]> {
  const heard = [...(await loadPosted(feeds)), ...(await loadPolled(feeds))];
  const called: Provider[] = await Promise.all(providers.map(({ load }) => load()));
  const opened: ChannelDefinition[] = await Promise.all(channels.map(({ load }) => load()));
  const minters = await openMinters(config, { clock: systemClock });
  const settings: Readonly<Record<string, unknown>> = config;
  const looks: Look[] = [
    ...heard.flatMap(({ doctor }) => doctor(config)),
    ...called.flatMap(({ doctor }) => doctor(config)),
    ...minters.looks,
    ...opened.flatMap(({ name, doctor }) => doctor(settings[name])),
  ];
  const issuers = checkIssuers(config.identity);
  const checks = await Promise.all(looks.map(({ name, remedy, look }) => ask(name, remedy, look)));
  return [...checks, ...(await issuers), await remediation(config)];
}

async function remediation({ remediation: settings, github: { app } }: Config): Promise<Check> {
  const name = 'remediation';
  if (settings.mode === 'dry-run') return { name, state: 'off', detail: 'dry run' };
  if (!app) {
    const remedy = 'configure a GitHub App, or set remediation.mode to dry-run';
    return { name, state: 'broken', detail: 'automatic, with nothing to act with', remedy };
  }
  if (settings.policy.length === 0) {
    const remedy = 'name rules and actions under remediation.policy';
    return { name, state: 'broken', detail: 'automatic, but no policy allows anything', remedy };
  }
  return {
    name,
    state: 'ok',
    detail: `automatic by ${settings.policy.length} entries of remediation.policy, at most ${settings.maxPerHour} an hour`,
  };
}
