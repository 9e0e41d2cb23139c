import { createHash, timingSafeEqual } from 'node:crypto';
import { parseJsonObjects } from '@tripline/sources/json-objects';
import { refuse } from '@tripline/sources/refusal';
import type { Delivery, EventOfMany, FeedAnswer, Ignored, Normalised, Source } from '@tripline/sources/source';
import { z } from 'zod';

type Needs = { ledger?: { tokens: readonly string[] } };
const entry = z.object({ id: z.string(), actor: z.string(), reads: z.string(), org: z.string() });
type Entry = z.infer<typeof entry>;

/** Each record of a delivery tells who read which repository. */
export const source: Source<Needs> = {
  name: 'ledger',
  routes: ['/ledger/entries', '/ledger/entries/form'],
  encodings: ['gzip'],
  contentTypes: 'any',
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
  answer(status, standard) {
    if (!('error' in standard)) return inItsWords(200, 'Success', 0);
    const { reason } = standard.error;
    if (reason === 'bad-signature') return inItsWords(403, 'Invalid token', 4);
    if (status === 503) return inItsWords(503, 'Server is busy', 9);
    return inItsWords(status, 'Invalid data format', 6);
  },
  asks: [
    {
      method: 'GET',
      path: '/ledger/health',
      answer: ({ isKeeping }) => (isKeeping ? inItsWords(200, 'Healthy', 17) : inItsWords(503, 'Queue is full', 18)),
    },
  ],
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

const inItsWords = (status: number, text: string, code: number): FeedAnswer => ({
  ...{ status, contentType: 'application/json' },
  body: JSON.stringify({ text, code }),
});

/** A body is records one after another. */
function normalise({ rawBody, receivedAtMs }: Delivery): Normalised {
  const parsed = parseJsonObjects(rawBody);
  if ('refusal' in parsed) return parsed;
  const leftOut: Ignored[] = [];
  const events: EventOfMany[] = [];
  for (const object of parsed.objects) {
    const { data } = entry.safeParse('body' in object ? object.body : undefined);
    if (data === undefined)
      leftOut.push({ ignored: 'unexpected-shape', unread: { content: 'body' in object ? object.body : object.bytes } });
    else if (data.org !== 'acme') leftOut.push({ ignored: 'unknown-organization' });
    else events.push(eventOf(data, new Date(receivedAtMs).toISOString()));
  }
  return { events, leftOut };
}

function eventOf({ id, actor, reads }: Entry, time: string): EventOfMany {
  return {
    ...{ id: `ledger:${id}`, source: '//ledger.example/acme' },
    ...{ type: 'dev.cdeventsx.tripline-repository.read', time, workspace: 'acme', trust: 'medium' },
    data: { 'vcs.repository.name': reads, 'user.name': actor },
  };
}
