import type { AttributeName } from '@tripline/contracts/attributes';
import type { EventType } from '@tripline/contracts/event';
import { type Confidence, type Entity, type Evidence, lessSureOf } from '@tripline/contracts/finding';
import type { AnyRule, FindingDraft } from '@tripline/contracts/rule';
import { clip } from '@tripline/contracts/text';
import { inOwnOrder } from '@tripline/facts/bounds';
import { z } from 'zod';
import { lineOf, namedOnce } from '../evidence.ts';
import { entitiesOf, type Seen } from './seen.ts';

/** What every builder needs beside its own options: the entries of the catalogue. */
export type Meta = Pick<
  AnyRule,
  | 'id'
  | 'title'
  | 'description'
  | 'severity'
  | 'principles'
  | 'attack'
  | 'owasp'
  | 'falseAlarms'
  | 'limits'
  | 'offByDefault'
> & {
  /** Webhooks by default. */
  feeds?: AnyRule['feeds'];
  /** At its best feed; high by default. */
  confidence?: Confidence;
  untilConfigured?: NonNullable<AnyRule['untilConfigured']>;
  kind?: NonNullable<AnyRule['kind']>;
  supersedes?: NonNullable<AnyRule['supersedes']>;
  yieldsTo?: NonNullable<AnyRule['yieldsTo']>;
};

/** The events that a rule reads; of them, with `where`, only those with one of the values. */
export type Reading = {
  on: readonly EventType[];
  where?: { attribute: AttributeName; oneOf: readonly (string | number | boolean)[] };
};

/** The settings of a rule by name, each with a default, and what they come to. */
export type Shape = z.ZodRawShape;
export type SettingsOf<S extends Shape> = z.output<z.ZodObject<S>>;

/**
 * What follows. Evidence, confidence (never surer than its feeds), the deciding event (the latest by its own time) and the
 * people and repositories of it follow from `because`.
 */
export type BuiltFinding = Pick<FindingDraft, 'subject' | 'title' | 'summary' | 'severity'> & {
  because: readonly Seen[];
  entities?: readonly Entity[];
  response?: FindingDraft['response'];
  remedy?: readonly string[];
  /** At most, whatever the feeds are worth. */
  confidence?: Confidence;
};

/** Describes one of a rule's observations in one sentence. */
export type Tell<T extends Seen = Seen> = (seen: T) => string;

/** What the catalogue and the engine need of every built rule that reads events itself. */
export function common<S extends Shape>(of: Meta & Reading, settings: S) {
  const { on, where } = of;
  return { ...commonOfFacts(of, settings), reads: on, ...(where === undefined ? {} : { where }) };
}

/** The same of one that only concludes: its facts read the events, and it reads none. */
export function commonOfFacts<S extends Shape>(of: Meta, settings: S) {
  const { feeds = { needs: ['github'] as const }, confidence = 'high' as const } = of;
  const { id, title, description, severity, principles, attack, owasp, falseAlarms, limits } = of;
  const { untilConfigured, offByDefault, kind, supersedes, yieldsTo } = of;
  return {
    ...{ id, title, description, severity, principles, attack, owasp, falseAlarms, feeds, confidence },
    ...(limits === undefined ? {} : { limits }),
    ...(untilConfigured === undefined ? {} : { untilConfigured }),
    ...(offByDefault === undefined ? {} : { offByDefault }),
    ...(kind === undefined ? {} : { kind }),
    ...(supersedes === undefined ? {} : { supersedes }),
    ...(yieldsTo === undefined ? {} : { yieldsTo }),
    reads: [],
    settings: z.strictObject(settings) as unknown as z.ZodType<SettingsOf<S>>,
    learns: false,
  };
}

const mostLines = 40;

/** Evidence of each observation, once an event, in their own order: of too many the first and the last. */
export function evidenceOf<T extends Seen>(because: readonly T[], tell: Tell<T>): Evidence[] {
  const once = new Map(because.toSorted(inOwnOrder).map((seen) => [seen.eventId, seen]));
  const lines = [...once.values()];
  const told = lines.length <= mostLines ? lines : [...lines.slice(0, mostLines / 2), ...lines.slice(-mostLines / 2)];
  return told.map((seen) => lineOf(seen, tell(seen)));
}

/** The verdict's own entities, then the people and repositories that it rests on, each once. `of`: its subject. All of them: an exception or a silence for one is none for whoever makes use of their time. */
export function withPeople(entities: readonly Entity[], those: readonly (readonly Entity[])[], of: string): Entity[] {
  const all = those.flat();
  const [people, places] = [all.filter(({ kind }) => kind === 'user'), all.filter(({ kind }) => kind !== 'user')];
  return namedOnce([...entities, ...people, ...places], of);
}

/** The lowest of what it rests on, and at most `most`. */
export function sureness(because: readonly Seen[], most: Confidence = 'high'): Confidence {
  return because.reduce((least, { trust }) => lessSureOf(least, trust), most);
}

/** A verdict as `find` of a rule that judges takes it. */
export function draftOf<T extends Seen>(
  verdict: BuiltFinding & { because: readonly T[]; occasion: string },
  tell: Tell<T>,
) {
  const { because, subject, occasion, title, summary, severity, response = [], remedy = [] } = verdict;
  const last = because.toSorted(inOwnOrder).at(-1);
  if (last === undefined) throw new Error('a verdict needs what it rests on (because)');
  return {
    ...{ subject: clip(subject, 500), occasion, title: clip(title, 300), summary, response, remedy },
    confidence: sureness(because, verdict.confidence),
    evidence: evidenceOf(because, tell),
    entities: withPeople(verdict.entities ?? [], because.map(entitiesOf), subject),
    decidedBy: { eventId: last.eventId, time: last.time },
    ...(severity === undefined ? {} : { severity }),
  } satisfies FindingDraft;
}
