import { parseTime } from '@tripline/contracts/time';
import type { TokenUse } from '@tripline/facts/audited';
import { spellDays, type TokenUses, tokenUses } from '@tripline/facts/token-uses';
import { z } from 'zod';
import { conclusion } from './builders/conclusion.ts';
import { askOwner, entitiesOfUse, ownerOf, useLine } from './token-words.ts';

const dayMs = 86_400_000;
/** What came back after about as long before is a job of each quarter or year. */
const alike = 0.75;

type Return = { before: TokenUse; use: TokenUse; silentMs: number };

function returnsOf({ spells }: TokenUses, silentMs: number): Return[] {
  const returns: Return[] = [];
  let longestMs = 0;
  for (const [place, { first }] of spells.entries()) {
    if (place === 0) continue;
    const before = spells[place - 1]!.last;
    const gapMs = parseTime(first.time) - parseTime(before.time);
    if (gapMs >= silentMs && longestMs < gapMs * alike) returns.push({ before, use: first, silentMs: gapMs });
    longestMs = Math.max(longestMs, gapMs);
  }
  return returns;
}

export const rule = conclusion({
  id: 'dormant-credential-reactivated',
  title: 'Token used again after a long silence',
  description:
    'A token was used that nobody had used for `silentMs` or longer: a forgotten one that somebody found. Whoever has no use for a token does not miss it, and does not see it used. ' +
    'One that came back after about as long before is a job of each quarter, and silent. It is low; medium where it comes back from a network that it was never used from.',
  severity: 'medium',
  confidence: 'medium',
  principles: [1],
  attack: ['T1078.004'],
  owasp: ['CICD-SEC-6'],
  feeds: { needs: ['github-audit'] },
  falseAlarms: [
    'Leave, sabbaticals, and work that is done once a quarter or year: low, and told once a period.',
    'Better than to explain it: tokens that end by themselves (a policy of the organisation for their lifetime).',
  ],
  limits: [
    `Silences from before Tripline received the audit log, shorter than ${spellDays} days, or longer than 400.`,
    'What reads by the API alone: it is streamed only where `api.request` is switched on, so a token may have been in use that seems to have been silent.',
    'A token that had never been used before it was stolen.',
  ],
  settings: {
    silentMs: z
      .int()
      .min(spellDays * dayMs)
      .max(365 * dayMs)
      .default(60 * dayMs),
  },
  about: tokenUses,
  where: ({ spells }) => spells.length > 1,
  conclude: (of, { key, settings }) =>
    returnsOf(of, settings.silentMs).map(({ before, use, silentMs }) => {
      const here = of.contexts.find(({ eventId }) => eventId === use.eventId);
      const isKnown = (network: string) =>
        of.contexts.some((one) => one.network === network && parseTime(one.time) <= parseTime(before.time));
      const isElsewhere = here !== undefined && of.contexts.length > 1 && !isKnown(here.network);
      const days = Math.floor(silentMs / dayMs);
      return {
        ...{ subject: of.hash, occasion: use.time.slice(0, 10) },
        severity: isElsewhere ? ('medium' as const) : ('low' as const),
        title: `A token of ${ownerOf(use)} was used again after ${days} days`,
        summary: `It had last been used on ${before.time.slice(0, 10)}${isElsewhere ? `, and never from ${here.network}` : ''}. A forgotten token that somebody found looks like this.`,
        because: [useLine(key, before), useLine(key, use)],
        entities: entitiesOfUse(key, of, use),
        remedy: [askOwner(use), 'If nobody needs it, delete it; else give it an end.'],
      };
    }),
});
