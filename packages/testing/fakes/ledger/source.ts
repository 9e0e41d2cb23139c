import { createHash, timingSafeEqual } from 'node:crypto';
import type { TriplineEvent } from '@tripline/contracts/event';
import { parseJsonObject } from '@tripline/sources/json';
import { refuse } from '@tripline/sources/refusal';
import type { Delivery, Ignored, Normalised, Source } from '@tripline/sources/source';

type Needs = { ledger?: { tokens: readonly string[] } };
type Entry = { id: string; actor: string; reads: string; org: string };

/** Each record of a delivery tells who read which repository. */
export const source: Source<Needs> = {
  name: 'ledger',
  routes: ['/services/collector', '/services/collector/event'],
  encodings: ['gzip'],
  contentTypes: ['application/json'],
  contentTypeAdvice: 'send JSON',
  secrets: ({ ledger }) =>
    (ledger?.tokens ?? []).map((secret) => ({
      secret,
      secretScope: { kind: 'workspaces', ids: ['acme'], beyond: false },
    })),
  verify(_body, { authorization }, secrets) {
    const digest = (text: string) => createHash('sha256').update(text).digest();
    const given = digest(String(authorization));
    const fitting = secrets.find(({ secret }) => timingSafeEqual(given, digest(`Bearer ${secret}`)));
    return fitting ?? { refusal: refuse(401, 'bad-signature', 'The token is none of ledger.tokens') };
  },
  claimsOf: () => ({}),
  normalise,
  doctor: ({ ledger }) => [
    {
      name: 'feed Ledger',
      remedy: 'set ledger.tokens',
      look: async () => (ledger ? { state: 'ok', detail: 'configured' } : { state: 'off', detail: 'not configured' }),
    },
  ],
};

function normalise({ rawBody, receivedAtMs, bodySha256 }: Delivery): Normalised {
  const parsed = parseJsonObject(rawBody);
  if ('refusal' in parsed) return parsed;
  const entries = parsed.body['entries'] as Entry[];
  const leftOut = entries.filter(({ org }) => org !== 'acme').map((): Ignored => ({ ignored: 'unknown-organization' }));
  const time = new Date(receivedAtMs).toISOString();
  const events = entries
    .filter(({ org }) => org === 'acme')
    .map(
      ({ id, actor, reads }): TriplineEvent => ({
        ...{
          id: `ledger:${id}`,
          source: '//ledger.example/acme',
          type: 'dev.cdeventsx.tripline-repository.read',
          time,
        },
        ...{ workspace: 'acme', trust: 'medium', bodySha256 },
        data: { 'vcs.repository.name': reads, 'user.name': actor },
      }),
    );
  return { events, leftOut };
}
