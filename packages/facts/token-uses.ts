import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Fact, Observed } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { audited, type TokenUse, tokenUsed, tokenUseOf, tokenUseSchema } from './audited.ts';
import { type Bound, inOwnOrder, inPlaceOf } from './bounds.ts';
import { isEarlier, keepEarliest } from './earliest.ts';
import { keyOf } from './things.ts';

const dayMs = 86_400_000;

/** How long a token must be silent for its next use to begin another spell, in days. Rules may ask for longer ones. */
export const spellDays = 30;

/** `network`, `client`: see `networkOf` and `clientOf`. */
const contextSchema = tokenUseSchema.extend({ network: z.string(), client: z.string() });
/** Days in a row, each within `spellDays` of the next: the first use of the first day and, where it is another, of the last. */
const spellSchema = z.object({ first: tokenUseSchema, last: tokenUseSchema });
const tokenSchema = z.object({
  hash: z.string(),
  spells: z.array(spellSchema),
  /** The first use from each network with each client. */
  contexts: z.array(contextSchema),
});
export type TokenUses = z.infer<typeof tokenSchema>;
export type TokenContext = z.infer<typeof contextSchema>;
type Spell = z.infer<typeof spellSchema>;

/** The first are what is usual; what is used from everywhere is usual nowhere, and no flood. */
const contexts: Bound<TokenContext> = {
  ...{ kind: 'contexts', authorOf: () => '', mostPerAuthor: 80, most: 80, first: true, rolls: 'all' },
  nameOf: ({ network, client }) => `${network} ${client}`,
};

/** Tokens of people and machines that live for long, by the hash of their value. */
export const tokenUses: Fact<TokenUses> = {
  id: 'token-uses',
  description:
    'A token, by the hash of its value: on which days it was used, with the silences between, and from which networks and clients first. Only the audit log tells. ' +
    'Not those that end within hours by themselves, such as a job’s own and those of an app.',
  reads: audited,
  value: tokenSchema as z.ZodType<TokenUses>,
  keys(event) {
    const token = isShortLived(event.data) ? undefined : tokenUsed(event)?.hash;
    return token === undefined ? [] : [tokenKey(event, token)];
  },
  learn(known, event, at) {
    const { hash } = tokenUsed(event)!;
    const use = tokenUseOf(event);
    const spells = withUse(known?.spells ?? [], use, at.pinned);
    const [network, client] = [networkOf(event.data), clientOf(event.data)];
    const before: readonly TokenContext[] = known?.contexts ?? [];
    const isSame = (other: TokenContext) => other.network === network && other.client === client;
    const after =
      network === undefined ? before : keepEarliest(before, { ...use, network, client }, isSame, contexts, at);
    if (known !== undefined && spells === known.spells && after === known.contexts) return known;
    return { hash: hash!, spells: [...spells], contexts: [...after] };
  },
  keepMs: 400 * dayMs,
};

export const tokenKey = (event: LoggedEvent, hash: string): string => keyOf(event, `token:${hash}`);

/** Of an app or a job, or a token that is exchanged every few hours: each is another. */
function isShortLived(data: Attributes): boolean {
  const { 'user.type': type, 'user.name': login = '', 'tripline.audit.record': record } = data;
  if (type === 'Bot' || login.endsWith('[bot]')) return true;
  return /server-to-server|user-to-server/i.test(String(record?.['programmatic_access_type'] ?? ''));
}

/** The neighbourhood of an address, since its last part changes by itself: `203.0.113.0/24`, or `2001:db8:1::/48`. */
export function networkOf({ 'client.address': address = '' }: Attributes): string | undefined {
  const four = /^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$/.exec(address);
  if (four) return `${four[1]}.0/24`;
  if (!address.includes(':')) return undefined;
  const [a = '0', b = '0', c = '0'] = address.toLowerCase().split('::', 1)[0]!.split(':');
  return `${clip(`${a || '0'}:${b}:${c}`, 20)}::/48`;
}

/** The client’s name without its version, as it calls itself: whoever sends it chooses it. */
const clientOf = ({ 'user_agent.original': text = '' }: Attributes): string =>
  clip(text.split(/[/\s(]/, 1)[0]!.toLowerCase(), 60);

const dayOf = ({ time }: Pick<Observed, 'time'>): number => Math.floor(parseTime(time) / dayMs);

/** The spells with one use more, which may make two of them one; the same list on a day that is known with an earlier use. */
function withUse(known: readonly Spell[], use: TokenUse, pinned: ReadonlySet<string>): readonly Spell[] {
  const day = dayOf(use);
  const isNear = ({ first, last }: Spell) => day > dayOf(first) - spellDays && day < dayOf(last) + spellDays;
  const near = known.filter(isNear);
  let [first, last] = [near[0]?.first ?? use, near.at(-1)?.last ?? use];
  if (day < dayOf(first)) first = inPlaceOf(first, use, pinned);
  else if (day === dayOf(first) && isEarlier(use, first)) first = inPlaceOf(first, use, pinned);
  if (day > dayOf(last)) last = inPlaceOf(last, use, pinned);
  else if (day === dayOf(last) && isEarlier(use, last)) last = inPlaceOf(last, use, pinned);
  const [only] = near;
  if (near.length === 1 && first === only!.first && last === only!.last) return known;
  const spells = [...known.filter((one) => !near.includes(one)), { first, last }];
  return spells.sort((a, b) => inOwnOrder(a.first, b.first));
}
