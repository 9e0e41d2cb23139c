import { describeTarget, type Intent, verbOf } from '@tripline/contracts/response';
import type { OpenProvider, ProviderOptions, Resolved } from './provider.ts';
import { providers } from './providers.ts';

/** The providers, opened by the settings. */
export type Providers = {
  resolve: (intent: Intent) => Resolved;
  /** A provider's title for people; the given name where no such provider is registered. */
  titleOf: (provider: string) => string;
};

/** Opens every provider of the registry. @param config the whole settings, of which each takes what it names. */
export async function openProviders(config: object, options: ProviderOptions): Promise<Providers> {
  const opened = new Map<string, OpenProvider>();
  for (const { name, load } of providers) opened.set(name, (await load()).open(config as never, options));
  const titles = new Map<string, string>(providers.map(({ name, title }) => [name, title]));
  return {
    resolve(intent) {
      const provider = opened.get(intent.provider);
      if (provider !== undefined) return provider.resolve(intent);
      const what = `${verbOf(intent)} by hand (${describeTarget(intent)})`;
      return { byHand: `Tripline does nothing at ${intent.provider}: ${what}`.slice(0, 1000) };
    },
    titleOf: (provider) => titles.get(provider) ?? provider,
  };
}
