import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { inOwnOrder } from '@tripline/facts/bounds';
import { type Revocation, revocations } from '@tripline/facts/revocations';
import { personOf } from '@tripline/facts/things';
import { z } from 'zod';
import type { Basis } from './builders/basis.ts';
import { conclusion } from './builders/conclusion.ts';
import { endingTokensOf } from './token-words.ts';

type Survival = { word: Revocation['words'][number]; uses: Revocation['uses'] };

/** Uses after a credential was revoked and before it was restored, by the word that stood last before them. */
function survivalsOf({ words, uses }: Revocation, graceMs: number): Survival[] {
  const inOrder = words.toSorted(inOwnOrder);
  const found = uses.flatMap((use) => {
    const word = inOrder.findLast(({ time }) => parseTime(time) <= parseTime(use.time));
    // An incident that is resolved twice is revoked since the first time.
    const since = inOrder.slice(
      inOrder.findLastIndex((one) => one.did === 'restored' && inOwnOrder(one, use) < 0) + 1,
    )[0];
    if (word?.did !== 'revoked' || since === undefined) return [];
    return parseTime(use.time) - parseTime(since.time) >= graceMs ? [{ word: since, use }] : [];
  });
  return [...Map.groupBy(found, ({ word }) => word)].map(([word, those]) => ({
    word,
    uses: those.map(({ use }) => use).sort(inOwnOrder),
  }));
}

export const rule = conclusion({
  id: 'revoked-credential-still-live',
  title: 'Credential used after it was revoked',
  description:
    'A token was used more than `graceMs` after Tripline revoked it, or after an incident about it was resolved as true. It was never ended, or whoever has it made another way in: what was thought to be over is not. ' +
    'A token that is approved again, or an incident that is reopened, allows its use from then on.',
  severity: 'critical',
  principles: [1, 5],
  attack: ['T1078.004', 'T1550.001'],
  owasp: ['CICD-SEC-6'],
  feeds: { needs: ['github-audit'] },
  falseAlarms: [
    'An incident resolved as true whose token was left valid on purpose, as a canary: resolve it as accepted.',
    'Clocks and the hand-over at the provider, some minutes: `graceMs`.',
  ],
  limits: [
    'A token that somebody revoked in the settings: no webhook tells it, and the audit log names it by another number than its uses. Resolve its incident as true.',
    'A use whose record was received before the revocation was, though it happened after it: the next use is found.',
    'Secrets by their name, since the name stays when the value is made anew.',
    'Cloud keys, and others of which the code host’s audit log does not tell.',
    'What was refused: a dead token’s use is not in the audit log, and needs no finding.',
  ],
  settings: { graceMs: z.int().min(0).max(86_400_000).default(600_000) },
  about: revocations,
  where: ({ uses }) => uses.length > 0,
  conclude: (of, { key, settings }) =>
    survivalsOf(of, settings.graceMs).map(({ word, uses }) => {
      const first = uses[0]!;
      const who = first.by?.login ?? 'somebody unnamed';
      const line = (seen: Basis['seen'], what: string): Basis => ({ fact: revocations, key, seen, what });
      return {
        ...{ subject: of.credential, occasion: `since ${word.time}` },
        title: `A credential that was revoked is still used, as ${who}`,
        summary: `${word.what} at ${word.time}. At ${first.time} it was used for ${first.action ?? 'an unnamed act'}${first.address === undefined ? '' : ` from ${first.address}`}.`,
        because: [
          line(word, word.what),
          ...uses
            .slice(0, 10)
            .map((use) =>
              line(use, `it was used as ${use.by?.login ?? 'somebody'} for ${use.action ?? 'an unnamed act'}`),
            ),
        ],
        entities: [
          { kind: 'credential' as const, id: clip(of.credential, 500) },
          ...(first.by === undefined ? [] : [personOf(first.by, key)]),
          ...(first.address === undefined ? [] : [{ kind: 'address' as const, id: first.address }]),
        ],
        response: endingTokensOf(first.by, first.organization, key),
        remedy: [
          `End it now: have ${who} delete the token, end their sessions, and look at the SSH keys and apps that they have since.`,
          'A classic personal access token is ended by its owner, or by the provider when its text is handed in (`tripline revoke-token`).',
        ],
      };
    }),
});
