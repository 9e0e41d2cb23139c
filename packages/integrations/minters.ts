import type { Look } from '@tripline/contracts/check';
import { aws } from './aws/registration.ts';
import { githubMinter } from './github/mint-registration.ts';
import { gitlab } from './gitlab/registration.ts';
import type { GiveKind, Minter, MinterOptions, OpenMinter, RegisteredMinter } from './minter.ts';
import { vault } from './vault/registration.ts';

/** Every kind of credential that the broker mints. To add one: a folder beside this file, and a line here. */
export const minters = [githubMinter, aws, gitlab, vault] as const satisfies readonly RegisteredMinter[];

/** What the minters read of the settings. */
type Needs = (typeof minters)[number] extends infer One
  ? (One extends RegisteredMinter<GiveKind, infer Own> ? (own: Own) => void : never) extends (all: infer All) => void
    ? All
    : never
  : never;

/** What mints, by kind and tier. */
export type Minters = {
  /** Undefined where none is configured: then nothing of that kind is given in that tier. */
  of: <Kind extends GiveKind>(kind: Kind, tier: string) => Minter<Kind> | undefined;
  /** What `tripline doctor` says of all that are configured. */
  looks: readonly Look[];
  /** Renews what they call with, until `signal`. Never rejects. `onFault` gets why one could not, without a secret. */
  keepAlive: (signal: AbortSignal, onFault: (message: string) => void) => Promise<void>;
};

/** Opens what the settings name. @param config the whole settings, of which each minter takes its own. */
export async function openMinters(config: Needs, options: MinterOptions): Promise<Minters> {
  const opened = new Map<GiveKind, OpenMinter<GiveKind>>();
  for (const { kind, load } of minters) opened.set(kind, (await load())(config, options));
  return {
    of: <Kind extends GiveKind>(kind: Kind, tier: string) => opened.get(kind)?.of(tier) as Minter<Kind> | undefined,
    looks: [...opened.values()].flatMap(({ looks }) => looks),
    keepAlive: async (signal, onFault) => {
      await Promise.all([...opened.values()].map(({ keepAlive }) => keepAlive?.(signal, onFault)));
    },
  };
}
