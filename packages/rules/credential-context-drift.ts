import { parseTime } from '@tripline/contracts/time';
import { inOwnOrder } from '@tripline/facts/bounds';
import { type TokenContext, type TokenUses, tokenUses } from '@tripline/facts/token-uses';
import { z } from 'zod';
import { conclusion } from './builders/conclusion.ts';
import { askOwner, endingTokensOf, entitiesOfUse, ownerOf, useLine } from './token-words.ts';

const dayMs = 86_400_000;

/** A use with a client and from a network that were both new; `isSteady`: until then it had been used from one place alone. */
type Drift = { context: TokenContext; before: TokenContext; isSteady: boolean };

/** By their own times; what is found is never usual, what is not found is from then on. */
function driftsOf({ contexts }: TokenUses, learnMs: number, mostNetworks: number): Drift[] {
  const drifts: Drift[] = [];
  const [networks, clients] = [new Set<string>(), new Set<string>()];
  const inOrder = contexts.toSorted(inOwnOrder);
  const first = inOrder[0];
  let before = first;
  for (const context of inOrder) {
    const isLearned = parseTime(context.time) - parseTime(first!.time) < learnMs;
    const isNew = !networks.has(context.network) && !clients.has(context.client);
    if (!isLearned && isNew && networks.size < mostNetworks) {
      drifts.push({ context, before: before!, isSteady: networks.size === 1 });
      continue;
    }
    networks.add(context.network);
    clients.add(context.client);
    before = context;
  }
  return drifts;
}

export const rule = conclusion({
  id: 'credential-context-drift',
  title: 'Token used from a network and with a client that are both new to it',
  description:
    'A token was used from a network that it was never used from, with a client that it was never used with. Either alone is travel, a VPN or a new tool, and says nothing; both at once is what a thief’s use looks like. ' +
    'What is usual is learned for `learnMs` from a token’s first use. It is low, and medium where the token had been used from one network alone, as a server’s. Findings of one token and day are one.',
  severity: 'medium',
  confidence: 'medium',
  principles: [2],
  attack: ['T1078.004', 'T1550.001'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-6'],
  feeds: { needs: ['github-audit'] },
  falseAlarms: [
    'A new computer used on the road before at home: low; resolve it as false.',
    'A server’s token that moves to another data centre together with a new client: an exception for its account, for the day.',
  ],
  limits: [
    'Without the disclosure of addresses (a setting of the organisation) the audit log names no network, and nothing is found.',
    'A thief within the same network, or who calls their client as the owner’s: clients say what they like.',
    'Tokens used from more than `networks` networks, such as in jobs on hosted runners: nothing is unusual for them.',
    'Country and provider of an address: no register of networks is asked. IPv4 counts by /24, IPv6 by /48.',
    'Tokens of apps and jobs, each of which is another and ends within hours.',
  ],
  settings: {
    learnMs: z
      .int()
      .min(3_600_000)
      .max(90 * dayMs)
      .default(14 * dayMs),
    /** A token that is used from as many networks is usual nowhere. */
    networks: z.int().min(1).max(80).default(10),
  },
  about: tokenUses,
  where: ({ contexts }) => contexts.length > 1,
  conclude(of, { key, settings }) {
    const byDay = Map.groupBy(driftsOf(of, settings.learnMs, settings.networks), ({ context }) =>
      context.time.slice(0, 10),
    );
    return [...byDay].map(([day, drifts]) => {
      const { context, before, isSteady } = drifts[0]!;
      return {
        ...{ subject: of.hash, occasion: day, severity: isSteady ? ('medium' as const) : ('low' as const) },
        title: `A token of ${ownerOf(context)} was used from a network and with a client that are new to it`,
        summary: `It was used from ${context.network} with ${context.client || 'a client without a name'}; until then from elsewhere, last from ${before.network} with ${before.client || 'a client without a name'}. Whoever has a token’s text uses it from where they are.`,
        because: [useLine(key, before), ...drifts.slice(0, 10).map((drift) => useLine(key, drift.context))],
        entities: drifts.slice(0, 5).flatMap((drift) => entitiesOfUse(key, of, drift.context)),
        response: endingTokensOf(context.by, context.organization, key),
        remedy: [askOwner(context)],
      };
    });
  },
});
