import type { Attributes } from '@tripline/contracts/attributes';
import type { EventType, LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { audited, type TokenUse, tokenUsed, tokenUseOf, tokenUseSchema } from './audited.ts';
import { type Bound, keepBounded, observedBy } from './bounds.ts';
import { observedSchema } from './observed.ts';
import { accountSchema, authorOf, keyOf, onceAnEvent, senderOf } from './things.ts';

const dayMs = 86_400_000;

/** `revoked`: from then on nothing is to be done with it; `restored`: it may be used again. */
const wordSchema = observedSchema.extend({
  did: z.enum(['revoked', 'restored']),
  /** Why, as a line of evidence says it. */
  what: z.string(),
  by: accountSchema.optional(),
});
const revocationSchema = z.object({
  /** The hash of its value, or its id. */
  credential: z.string(),
  words: z.array(wordSchema),
  /** Uses that were received once it was revoked, the first of them. */
  uses: z.array(tokenUseSchema),
});
export type Revocation = z.infer<typeof revocationSchema>;
type Word = z.infer<typeof wordSchema>;

const words: Bound<Word> = {
  ...{ kind: 'revocations', authorOf: ({ by }) => authorOf(by), mostPerAuthor: 10, most: 30 },
  nameOf: ({ did }) => did,
};
/** A few say all that many say. */
const uses: Bound<TokenUse> = { kind: 'uses', authorOf: () => '', mostPerAuthor: 20, most: 20, rolls: 'all' };

const reads = [
  ...audited,
  'dev.cdeventsx.tripline-act.performed',
  'dev.cdeventsx.tripline-response.finished',
] as const satisfies readonly EventType[];

/** Credentials that were revoked, or belong to an incident that was resolved as true, and what was done with them since. */
export const revocations: Fact<Revocation> = {
  id: 'revocations',
  description:
    'A credential that Tripline revoked (a personal access token), or of which an incident was resolved as true; and its uses that were received after that. A use that was received before is not kept.',
  reads,
  value: revocationSchema as z.ZodType<Revocation>,
  keys: (event) => [...spokenOf(event).keys()],
  learn(known, event, at) {
    const told = spokenOf(event).get(at.key)!;
    if (told.word !== undefined) {
      const kept = keepBounded<Word>(known?.words ?? [], told.word, words, at);
      if (kept === known?.words) return known;
      return { credential: told.credential, words: [...kept], uses: known?.uses ?? [] };
    }
    // Of what nobody revoked nothing is kept.
    const since = known?.words[0];
    if (known === undefined || since === undefined || parseTime(event.time) < parseTime(since.time)) return known;
    const kept = keepBounded<TokenUse>(known.uses, tokenUseOf(event), uses, at);
    return kept === known.uses ? known : { ...known, uses: [...kept] };
  },
  keepMs: 180 * dayMs,
};

type Spoken = { credential: string; word?: Word };

/** By key, what an event says of credentials: that they are revoked or restored, or used. */
const spokenOf = onceAnEvent((event): ReadonlyMap<string, Spoken> => {
  const all = wordsIn(event);
  if (all.length === 0) {
    const { hash, id } = tokenUsed(event) ?? {};
    for (const credential of [hash, id]) if (credential !== undefined) all.push({ credential });
  }
  return new Map(all.map((one) => [keyOf(event, `revoked:${one.credential}`), one]));
});

function wordsIn(event: LoggedEvent): Spoken[] {
  const data: Attributes = event.data;
  const word = (credential: string, did: Word['did'], what: string): Spoken => {
    const by = senderOf(data);
    return {
      credential: clip(credential, 200),
      word: { ...observedBy(event), did, what: clip(what, 300), ...(by === undefined ? {} : { by }) },
    };
  };
  if (event.type === 'dev.cdeventsx.tripline-act.performed') return actsIn(data, word);
  const { 'tripline.response.credential': revoked, 'tripline.credential.id': id } = data;
  // What was shown, or is left to a person, was not done.
  const isDone = data['tripline.response.state'] === 'done' && data['tripline.response.verdict'] === 'act';
  if (revoked !== undefined) return isDone ? [word(revoked, 'revoked', 'Tripline revoked the token')] : [];
  const isApproval = event.type === 'dev.cdeventsx.tripline-grant.added' && id !== undefined;
  if (!isApproval || data['tripline.grant.kind'] !== 'personal-access-token') return [];
  return [word(id, 'restored', `${data['user.name'] ?? 'somebody'} approved the token`)];
}

function actsIn(data: Attributes, word: (credential: string, did: Word['did'], what: string) => Spoken): Spoken[] {
  const { 'tripline.act.kind': kind, 'tripline.act.target': target = '' } = data;
  const who = data['user.name'] ?? 'somebody';
  const isClosed = kind === 'incident-resolved' && data['tripline.act.resolution'] === 'true';
  const isOpen = kind === 'incident-reopened' || (kind === 'incident-resolved' && !isClosed);
  if (!isClosed && !isOpen) return [];
  const did = isClosed ? 'revoked' : 'restored';
  const what = `${who} ${kind === 'incident-reopened' ? 'reopened' : 'resolved'} ${target}${isClosed ? ' as true' : ''}`;
  return (data['tripline.act.entities'] ?? []).flatMap((entity) => {
    // A secret is known by its name, which stays when its value is made anew.
    const [kind = ''] = entity.id.split(':', 1);
    if (entity.kind !== 'credential' || ['secret', 'workflow', 'environment'].includes(kind)) return [];
    const credential = ['token', 'id'].includes(kind) ? entity.id.slice(kind.length + 1) : entity.id;
    return credential === '' ? [] : [word(credential, did, what)];
  });
}
