import type { Look } from '@tripline/contracts/check';
import { githubMinter } from './github/mint-registration.ts';
import type { GiveKind, Minter, MinterNeeds, MinterOptions, OpenMinter, RegisteredMinter } from './minter.ts';

/** Every kind of credential that the broker mints. To add one: a folder beside this file, and a line here. */
const registry: readonly RegisteredMinter[] = [githubMinter];

/** What mints, by kind and tier. */
export type Minters = {
  /** Undefined where none is configured: then nothing of that kind is given in that tier. */
  of: <Kind extends GiveKind>(kind: Kind, tier: string) => Minter<Kind> | undefined;
  /** What `tripline doctor` says of all that are configured. */
  looks: readonly Look[];
};

/** Opens what the settings name. @param config the whole settings, of which each minter takes its own. */
export async function openMinters(config: MinterNeeds, options: MinterOptions): Promise<Minters> {
  const opened = new Map<GiveKind, OpenMinter<GiveKind>>();
  for (const { kind, load } of registry) opened.set(kind, (await load())(config, options));
  return {
    of: <Kind extends GiveKind>(kind: Kind, tier: string) => opened.get(kind)?.of(tier) as Minter<Kind> | undefined,
    looks: [...opened.values()].flatMap(({ looks }) => looks),
  };
}
