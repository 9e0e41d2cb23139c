import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext } from '@tripline/contracts/fact';
import { defineRule, type Rule } from '@tripline/contracts/rule';
import { msBetween, parseTime } from '@tripline/contracts/time';
import { inOwnOrder } from '@tripline/facts/bounds';
import { strange } from '@tripline/facts/reviewed';
import { z } from 'zod';
import { type Concluded, conclusionOf } from './basis.ts';
import { entitiesOf, type Named, namedSchema, type Seen, seenBy, seenSchema } from './seen.ts';
import { commonOfFacts, type Meta, type Reading, type SettingsOf, type Shape } from './verdict.ts';

/**
 * A period in which a trait was seen repeatedly: its first sight, its last, and those on which findings rest. A trait
 * has several periods where it was not seen for `silenceMs` in between.
 */
export type Spell = { trait: Named; sights: readonly Seen[]; outside?: true };
/** `of` as it was named when it was first seen. */
type Known = { of: Named; since: Seen; spells: readonly Spell[] };

/** How a trait appeared: never seen before, or after `silentMs` without a sight. */
export type FirstSight = { of: Named; trait: Named; first: Seen; silentMs?: number };

/**
 * Something is seen with a trait that it never had (a credential in a new workflow), or has not had for long. What it has
 * in the first `learnMs` after it was first heard of is usual, whenever Tripline itself began to listen; what is found
 * later, or first seen in a run of which another rule found something, is never learned, so it is found once and stands; nor is
 * what outsiders do. Of one author's making the earliest traits are kept, so that no flood pushes out what is usual.
 */
export function firstSeen<S extends Shape>(
  of: Meta &
    Reading & {
      settings?: S;
      /** The subject that has the traits. */
      subject: (event: LoggedEvent) => Named | undefined;
      trait: (event: LoggedEvent) => Named | undefined;
      /** Both at most `keepMs`. Without `silenceMs` a trait that was seen once is known for as long as anything is kept. */
      learnMs: (settings: SettingsOf<S>) => number;
      /** No setting, since it decides what is kept, ms. */
      silenceMs?: number;
      keepMs: number;
      /** Most new traits that are kept, of one author and in all; 50 and 200 by default. */
      bounds?: { perAuthor: number; most: number };
      tell: (sight: Seen, trait: Named) => string;
      found: (sight: FirstSight, settings: SettingsOf<S>) => Omit<Concluded<never>, 'because' | 'occasion'>;
    },
): Rule<unknown, SettingsOf<S>> {
  const { silenceMs = Number.POSITIVE_INFINITY, tell, found } = of;
  const own = traitsOf({ ...of, silenceMs });
  return defineRule<unknown, SettingsOf<S>>({
    ...commonOfFacts(of, of.settings ?? ({} as S)),
    concludes: {
      uses: [own],
      subjects: ({ key }) => [key],
      conclude(subject, { settings, read, tainted }) {
        const known = read(own, subject);
        if (known === undefined) return [];
        const usualUntilMs = parseTime(known.since.time) + of.learnMs(settings);
        return known.spells.flatMap((spell) => {
          const first = spell.sights[0]!;
          const before = known.spells.findLast(
            (other) => other.trait.id === spell.trait.id && !other.outside && isBefore(other, spell),
          );
          // While it is being learned what is usual, what outsiders do is nothing; later it is only what nobody of the house did.
          if (spell.outside && (before !== undefined || parseTime(first.time) < usualUntilMs)) return [];
          const lastBefore = before?.sights.at(-1);
          // Sights from a run with a finding teach nothing.
          const isTaught = parseTime(first.time) < usualUntilMs && !(first.run !== undefined && tainted(first.run));
          if (lastBefore === undefined && isTaught) return [];
          const silentMs = lastBefore === undefined ? undefined : msBetween(lastBefore, first);
          const sight = { of: known.of, trait: spell.trait, first, ...(silentMs === undefined ? {} : { silentMs }) };
          const occasion =
            silentMs === undefined ? spell.trait.id : `${spell.trait.id} since ${first.time.slice(0, 10)}`;
          const because = [lastBefore, first].flatMap((seen) =>
            seen === undefined
              ? []
              : [
                  {
                    fact: own,
                    key: subject,
                    seen,
                    what: tell(seen, spell.trait),
                    entities: entitiesOf(seen),
                  },
                ],
          );
          return [conclusionOf<never>({ occasion, ...found(sight, settings), because }, noOwnSight)];
        });
      },
    },
  });
}

const isBefore = (a: Spell, b: Spell): boolean => inOwnOrder(a.sights[0]!, b.sights[0]!) < 0;
function noOwnSight(): never {
  throw new Error('it rests on what it was given');
}

/** The traits of each subject, as a fact of the rule's own. */
function traitsOf(
  of: Pick<Parameters<typeof firstSeen>[0], 'id' | 'on' | 'where' | 'subject' | 'trait' | 'keepMs' | 'bounds'> & {
    silenceMs: number;
  },
): Fact<Known> {
  const { id, on, where, subject, trait, keepMs, silenceMs, bounds = { perAuthor: 50, most: 200 } } = of;
  const oneOf = new Set<unknown>(where?.oneOf);
  return {
    id,
    description: `What the rule ${id} keeps for itself.`,
    reads: on,
    value: z.object({
      of: namedSchema,
      since: seenSchema,
      spells: z.array(
        z.object({ trait: namedSchema, sights: z.array(seenSchema), outside: z.literal(true).optional() }),
      ),
    }) as unknown as z.ZodType<Known>,
    keys(event) {
      if (where !== undefined && !oneOf.has((event.data as Record<string, unknown>)[where.attribute])) return [];
      const named = trait(event) === undefined ? undefined : subject(event);
      return named === undefined ? [] : [named.id];
    },
    learn(known, event, at) {
      const seen = seenBy(event);
      const outside = isOutsiders(event) ? ({ outside: true } as const) : {};
      const isFirst = known === undefined || inOwnOrder(seen, known.since) < 0;
      const { of: named, since } = isFirst ? { of: subject(event)!, since: seen } : known;
      const spells = withSight(
        known?.spells ?? [],
        { trait: trait(event)!, sights: [seen], ...outside },
        silenceMs,
        at.pinned,
      );
      if (known !== undefined && since === known.since && spells === known.spells) return known;
      return { of: named, since, spells: bounded(spells, bounds, at) };
    },
    keepMs,
  };
}

/** Done by somebody who is nobody of the house, as whoever forks or opens a change is: it teaches nothing. */
function isOutsiders({ data }: LoggedEvent): boolean {
  const {
    'tripline.head.fork': fork,
    'tripline.user.association': association = '',
    'tripline.repository.visibility': visibility,
  }: Attributes = data;
  return fork === true || (visibility === 'public' && strange.has(association));
}

/** The spells with one sight more, which may make two of them one; the same list where it lies within what is known. */
function withSight(
  spells: readonly Spell[],
  sight: Spell,
  silenceMs: number,
  pinned: ReadonlySet<string>,
): readonly Spell[] {
  const ms = parseTime(sight.sights[0]!.time);
  const touches = ({ trait, sights, outside }: Spell) =>
    trait.id === sight.trait.id &&
    outside === sight.outside &&
    ms > parseTime(sights[0]!.time) - silenceMs &&
    ms < parseTime(sights.at(-1)!.time) + silenceMs;
  const touched = spells.filter(touches);
  const all = [...touched.flatMap(({ sights }) => sights), ...sight.sights].sort(inOwnOrder);
  const once = all.filter(({ eventId }, place) => all.findIndex((other) => other.eventId === eventId) === place);
  const kept = once.filter(({ eventId }, place) => place === 0 || place === once.length - 1 || pinned.has(eventId));
  const [only] = touched;
  if (
    touched.length === 1 &&
    kept.length === only!.sights.length &&
    kept.every((seen, at) => seen === only!.sights[at])
  ) {
    return spells;
  }
  const names = [...touched, sight].map(({ trait }) => trait.name).sort();
  const spell = { ...sight, trait: { id: sight.trait.id, name: names[0]! }, sights: kept };
  return [...spells.filter((other) => !touched.includes(other)), spell].sort((a, b) => (isBefore(a, b) ? -1 : 1));
}

/** Of one author's traits, and of all, the earliest; what a standing finding rests on stays. */
function bounded(
  spells: readonly Spell[],
  { perAuthor, most }: { perAuthor: number; most: number },
  { pinned, flooded }: Pick<LearnContext, 'pinned' | 'flooded'>,
): readonly Spell[] {
  const counts = new Map<string, number>();
  const totals = { house: 0, outside: 0 };
  const isPinned = ({ sights }: Spell) => sights.some(({ eventId }) => pinned.has(eventId));
  const isKept = ({ sights, outside }: Spell, always: boolean) => {
    const author = sights[0]!.by.id;
    // Outsiders, who are as many as they like, crowd out nothing of the house.
    const side = outside ? 'outside' : 'house';
    const count = counts.get(author) ?? 0;
    const full = count >= perAuthor ? author : totals[side] >= most ? 'many' : undefined;
    if (full !== undefined && !always) {
      flooded('traits', full);
      return false;
    }
    counts.set(author, count + 1);
    totals[side] += 1;
    return true;
  };
  const kept = new Set(spells.filter((spell) => isPinned(spell) && isKept(spell, true)));
  for (const spell of spells) if (!isPinned(spell) && isKept(spell, false)) kept.add(spell);
  return spells.filter((spell) => kept.has(spell));
}
