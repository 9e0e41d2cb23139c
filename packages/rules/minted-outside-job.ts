import type { ConcludeContext, Conclusion } from '@tripline/contracts/rule';
import { parseTime } from '@tripline/contracts/time';
import { inOwnOrder } from '@tripline/facts/bounds';
import { hashIn, lifeOf, type MintUse, mintedCredentials } from '@tripline/facts/minted-credentials';
import { networkOf } from '@tripline/facts/token-uses';
import { conclusionOf, noneOwn } from './builders/basis.ts';
import {
  credentialEntity,
  endingAccessOfMint,
  endLine,
  entitiesOfMint,
  entitiesOfUses,
  mintLine,
  runOf,
  useLine,
  whyEnded,
} from './minted-words.ts';

/** A use of what the broker minted, after its job or before there was any. `subject`: the key of its hash. */
export function usesOutsideLife(
  subject: string,
  { read, watch, settings }: ConcludeContext<{ mintedGraceMs: number }>,
): Conclusion[] {
  const hash = hashIn(subject);
  const known = read(mintedCredentials, subject);
  const mint = known?.mints.toSorted(inOwnOrder)[0];
  if (hash === undefined || known === undefined || mint === undefined || known.uses.length === 0) return [];
  const ends = [...known.ends, ...(watch(mintedCredentials, mint.grantKey)?.ends ?? [])];
  const life = lifeOf(mint, ends);
  const isWithin = ({ time }: MintUse) => {
    const ms = parseTime(time);
    return ms >= life.fromMs - settings.mintedGraceMs && ms <= life.toMs + settings.mintedGraceMs;
  };
  const [within, outside] = [known.uses.filter(isWithin), known.uses.filter((use) => !isWithin(use))];
  const first = outside.toSorted(inOwnOrder)[0];
  if (first === undefined) return [];
  const networkOfAddress = (address: string | undefined) =>
    networkOf(address === undefined ? {} : { 'client.address': address });
  const own = new Set([mint.address, ...within.map(({ address }) => address)].map(networkOfAddress));
  own.delete(undefined);
  const isElsewhere = ({ address }: MintUse) => {
    const network = networkOfAddress(address);
    return network !== undefined && own.size > 0 && !own.has(network);
  };
  const elsewhere = outside.find(isElsewhere);
  const from = first.address === undefined ? '' : ` from ${first.address}`;
  const { end } = life;
  const isAfter = parseTime(first.time) > life.toMs;
  const since = !isAfter
    ? `It was minted at ${mint.time}, and not before.`
    : end !== undefined && parseTime(end.time) <= life.toMs
      ? `It was to end by ${end.time}, since ${whyEnded(end)}.`
      : `It had expired at ${new Date(life.toMs).toISOString()}.`;
  const where =
    elsewhere === undefined ? '' : ` ${elsewhere.address} is not where the job was: it was taken out of it.`;
  return [
    conclusionOf<never>(
      {
        ...{ subject: hash, occasion: mint.grant, severity: elsewhere === undefined ? 'high' : 'critical' },
        title: `A credential ${runOf(mint)} was used ${isAfter ? 'after its job' : 'before it was minted'}`,
        summary: `At ${first.time} it was used for ${first.action ?? 'an unnamed act'}${from}. ${since}${where}`,
        because: [
          mintLine(subject, mint),
          ...(end === undefined ? [] : [endLine(known.ends.includes(end) ? subject : mint.grantKey, end)]),
          ...outside.slice(0, 20).map((use) => useLine(subject, use)),
        ],
        entities: [credentialEntity(hash), ...entitiesOfMint(mint), ...entitiesOfUses(outside, subject)],
        response: endingAccessOfMint(mint),
        remedy: [
          `See that it is dead: \`tripline access grants\`, and at the provider. Until then it opens what policy ${mint.policy} gives.`,
          `Read what the run did with it, what it printed and what it sent where; the audit log finds its uses by \`hashed_token\`.`,
        ],
      },
      noneOwn,
    ),
  ];
}
