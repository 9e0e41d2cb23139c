import type { Attributes } from '@tripline/contracts/attributes';
import { type EventType, isEvent, type LoggedEvent } from '@tripline/contracts/event';
import type { Fact, LearnContext, Observed } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inOwnOrder, keepBounded, observedBy } from './bounds.ts';
import { isEarlier, keepEarliest } from './earliest.ts';
import { observedSchema } from './observed.ts';
import { bindsOf, bindsSchema, isBound, ownerRulesetsKey } from './owner-rulesets.ts';
import { matches } from './ref-patterns.ts';
import { keyOf, namedRepository, onceAnEvent, repositoryKeyOf } from './things.ts';

const dayMs = 86_400_000;

const namedSchema = observedSchema.extend({ name: z.string() });
const protectionSchema = observedSchema.extend({
  /** The protection's id at the provider; `inventory` for what an inventory listed. */
  control: z.string(),
  /** Patterns of branch names; empty while it is off or gone. `~DEFAULT_BRANCH` stands for the default branch. */
  patterns: z.array(z.string()),
  /** Those before this change, as far as its event tells them: nobody may have told of the protection before. */
  before: z.array(z.string()).optional(),
  /** It covers every branch now, or did before this change: such a pattern is none of `patterns`, since it does not tell which refs matter. */
  all: z.enum(['now', 'before']).optional(),
  /** Of an owner's ruleset for its repositories, which stands under a key of the owner's: which of them it binds. */
  binds: bindsSchema.optional(),
});
const askedSchema = observedSchema.extend({ revision: z.string(), answered: z.boolean() });
export const repositorySchema = z.object({
  /** Every full name and default branch that was reported, each with its first time. */
  names: z.array(namedSchema),
  defaultBranches: z.array(namedSchema),
  visibility: z.array(observedSchema.extend({ value: z.enum(['public', 'private', 'internal']) })),
  protections: z.array(protectionSchema),
  /** Paths of workflows that an inventory has using secrets. */
  secretWorkflows: z.array(namedSchema),
  /** The latest commits that were looked up at the provider's API; `answered` is false where it could not be asked. */
  asked: z.array(askedSchema),
});
export type Repository = z.infer<typeof repositorySchema>;

const nothing: Repository = {
  names: [],
  defaultBranches: [],
  visibility: [],
  protections: [],
  secretWorkflows: [],
  asked: [],
};
type Named = z.infer<typeof namedSchema>;
type Protection = z.infer<typeof protectionSchema>;

const names: Bound<Named> = {
  kind: 'names',
  authorOf: () => '',
  mostPerAuthor: 20,
  most: 20,
  nameOf: ({ name }) => name,
};
const workflows: Bound<Named> = {
  ...names,
  kind: 'secret workflows',
  mostPerAuthor: 100,
  most: 100,
  nameOf: ({ name }) => name,
};
const branches: Bound<Named> = { ...names, kind: 'default branches' };
const protections: Bound<Protection> = {
  kind: 'protections',
  authorOf: ({ control }) => control,
  mostPerAuthor: 12,
  most: 300,
  nameOf: ({ control }) => control,
};
const visibilities: Bound<Repository['visibility'][number]> = {
  kind: 'visibility',
  authorOf: () => '',
  mostPerAuthor: 20,
  most: 20,
  nameOf: ({ value }) => value,
};
const questions: Bound<Repository['asked'][number]> = {
  kind: 'questions',
  authorOf: () => '',
  mostPerAuthor: 5,
  most: 5,
  rolls: 'all',
};
/**
 * How long a branch still counts as protected after its protection was removed: whoever removes it may be about to
 * push.
 */
const liftedMs = 7 * dayMs;

const reads = [
  'dev.cdeventsx.tripline-inventory.observed',
  'dev.cdeventsx.tripline-ref.pushed',
  'dev.cdevents.change.created',
  'dev.cdeventsx.tripline-control.changed',
  'dev.cdeventsx.tripline-change.looked-up',
] as const satisfies readonly EventType[];

export const repositories: Fact<Repository> = {
  id: 'repositories',
  description:
    'A repository by its id: the names default branches and visibilities that it has had, and which branches are protected by what, from inventories and the events of branch protections and rulesets. ' +
    'What an inventory tells by name stands under the name, and rulesets of an organisation under its name, with the repositories that they bind by name or id. Patterns that a ruleset excludes are not told by webhooks.',
  reads,
  value: repositorySchema,
  keys(event) {
    if (isEvent(event, 'dev.cdeventsx.tripline-inventory.observed')) return [...listedIn(event).keys()];
    const key = repositoryKeyOf(event) ?? ownerRulesetsKey(event);
    return key === undefined ? [] : [key];
  },
  learn,
  keepMs: 400 * dayMs,
};

/** The entries of an inventory, by the key of each repository. */
const listedIn = onceAnEvent((event) => {
  const { 'tripline.inventory.protected': guarded = [], 'tripline.inventory.credential_uses': uses = [] }: Attributes =
    event.data;
  const byKey = new Map<string, { guarded: (typeof guarded)[number][]; secretWorkflows: string[] }>();
  const listed = (id: string) => {
    const key = keyOf(event, id);
    const known = byKey.get(key) ?? { guarded: [], secretWorkflows: [] };
    byKey.set(key, known);
    return known;
  };
  for (const one of guarded) listed(one.repositoryId ?? namedRepository(one.repository)).guarded.push(one);
  for (const { credential } of uses) {
    const [, repository, path] = /^workflow:([^/]+\/[^/]+)\/(.+)$/.exec(credential) ?? [];
    if (repository !== undefined) listed(namedRepository(repository)).secretWorkflows.push(path!);
  }
  return byKey;
});

function learn(known: Repository | undefined, event: LoggedEvent, at: LearnContext): Repository {
  const data: Attributes = event.data;
  const before = known ?? nothing;
  let next = before;
  const set = <Name extends keyof Repository>(name: Name, value: readonly Repository[Name][number][]): void => {
    if (value !== next[name]) next = { ...next, [name]: value };
  };
  if (isEvent(event, 'dev.cdeventsx.tripline-inventory.observed')) {
    const { guarded = [], secretWorkflows = [] } = listedIn(event).get(at.key) ?? {};
    for (const { repository, patterns } of guarded) {
      const ofBranches = patterns.filter((pattern) => !pattern.startsWith('refs/tags/'));
      const told: Protection = {
        ...observedBy(event),
        ...{ control: inventory, patterns: ofBranches.filter((one) => !matchesAll(one)).slice(0, 200) },
        ...(ofBranches.some(matchesAll) ? { all: 'now' } : {}),
      };
      set('protections', keepBounded(next.protections, told, protections, at));
      set('names', earliest(next.names, event, clip(repository, 256), names, at));
    }
    for (const path of secretWorkflows) {
      set('secretWorkflows', earliest(next.secretWorkflows, event, clip(path, 300), workflows, at));
    }
    return next;
  }
  if (isEvent(event, 'dev.cdeventsx.tripline-change.looked-up')) {
    const answered = data['tripline.lookup.outcome'] === 'found';
    const told = { ...observedBy(event), revision: data['vcs.ref.head.revision']!, answered };
    const name = clip(data['vcs.repository.name']!, 256);
    set('names', earliest(next.names, event, name, names, at));
    set('asked', keepBounded(next.asked, told, questions, at));
    return next;
  }
  const { 'vcs.repository.name': name, 'tripline.repository.default_branch': branch } = data;
  if (name !== undefined) set('names', earliest(next.names, event, clip(name, 256), names, at));
  const former = formerNameOf(data);
  if (former !== undefined) set('names', earliest(next.names, event, former, names, at));
  if (branch !== undefined) {
    set('defaultBranches', earliest(next.defaultBranches, event, clip(branch, 300), branches, at));
  }
  const value = data['tripline.repository.visibility'];
  if (value !== undefined) {
    const isSame = (one: Repository['visibility'][number]) => one.value === value;
    if (isEarlier(event, next.visibility.find(isSame))) {
      const told = { ...observedBy(event), value };
      set('visibility', keepEarliest(next.visibility, told, isSame, visibilities, at));
    }
  }
  const protection = isCreation(data)
    ? { ...observedBy(event), control: inventory, patterns: [] }
    : protectionOf(event);
  if (protection !== undefined) set('protections', keepBounded(next.protections, protection, protections, at));
  return next;
}

/** How it was called at `ms` of the provider's time; undefined where nothing tells. */
export function nameAt(known: Repository | undefined, ms: number): string | undefined {
  const names = known?.names ?? [];
  return (names.findLast(({ time }) => parseTime(time) <= ms) ?? names[0])?.name;
}

/** The name that a repository had then, and all by which it is known. */
export const namesOf = (known: Repository | undefined, name: string): string[] => [
  ...new Set([name, ...(known?.names ?? []).map((one) => one.name)]),
];

/** The name before a renaming: an inventory may have listed the repository under it. */
export function formerNameOf(data: Attributes): string | undefined {
  if (data['tripline.control.action'] !== 'renamed') return undefined;
  const changed = data['tripline.control.changes']?.['repository'];
  const from = /^\{"name":\{"from":"([\w.-]+)"/.exec(changed ?? '')?.[1];
  return from === undefined ? undefined : clip(`${data['vcs.owner.name']}/${from}`, 256);
}

/** The list with the first report of each name. */
function earliest(
  known: readonly Named[],
  event: LoggedEvent,
  told: string,
  bound: Bound<Named>,
  at: LearnContext,
): readonly Named[] {
  const isSame = ({ name }: Named) => name === told;
  // Nearly every event repeats earlier ones.
  const before = known.find(isSame);
  if (before !== undefined && !isEarlier(event, before)) return known;
  return keepEarliest(known, { ...observedBy(event), name: told }, isSame, bound, at);
}

/**
 * Types of rules that restrict changes of a branch; a ruleset of other rules, such as on commit messages, does not
 * protect it.
 */
const protecting = /"type":"(?:pull_request|update|merge_queue|required_status_checks|required_deployments)"/;

function protectionOf(event: LoggedEvent): Protection | undefined {
  const data: Attributes = event.data;
  const kind = data['tripline.control.kind'];
  const control = data['tripline.control.id'] ?? data['tripline.control.name'];
  if ((kind !== 'branch-protection' && kind !== 'ruleset') || control === undefined) return undefined;
  const settings = data['tripline.control.settings'] ?? {};
  const ofBranches = (data['tripline.control.patterns'] ?? [])
    .filter((one) => !one.startsWith('refs/tags/'))
    .map((one) => one.replace(/^refs\/heads\//, ''));
  const patterns = ofBranches.filter((one) => !matchesAll(one));
  const isGone = data['tripline.control.action'] === 'deleted';
  const former = {
    ...settings,
    enforcement: data['tripline.control.changes']?.['enforcement'] ?? settings['enforcement'],
  };
  const isOn = !isGone && !isOff(kind, settings);
  const isLifted = !isOn && !isOff(kind, former);
  return {
    ...observedBy(event),
    ...{ control: `${kind} ${control}`, patterns: isOn ? patterns : [] },
    ...(isLifted && patterns.length > 0 ? { before: patterns } : {}),
    ...(ofBranches.some(matchesAll) && (isOn || isLifted) ? { all: isOn ? 'now' : 'before' } : {}),
    ...(ownerRulesetsKey(event) === undefined ? {} : { binds: bindsOf(settings) }),
  };
}

/** What the rulesets of its owner ask of one repository: a change after which one does not bind it covers nothing of it. */
export function boundBy(owner: Repository | undefined, fullName: string, id: string | undefined): Protection[] {
  return (owner?.protections ?? []).flatMap((one): Protection[] => {
    if (one.binds === undefined) return [];
    const { all: _, before: __, ...other } = one;
    return [isBound(one.binds, fullName, id) ? one : { ...other, patterns: [] }];
  });
}

/** Whether it protects nothing, by its settings. */
function isOff(kind: string, { enforcement, target, rules }: Readonly<Record<string, string | undefined>>): boolean {
  if (enforcement !== undefined && enforcement !== 'active') return true;
  if (target !== undefined && target !== 'branch') return true;
  return kind === 'ruleset' && rules !== undefined && rules.endsWith(']') && !protecting.test(rules);
}

/**
 * By what it is known that nobody required anything of a push to a repository at `ms` of the provider's time: an inventory that
 * found no branch protected, or that it was made, where no protection was told of since. `told`: all that is known of it, under its id and its names. What
 * somebody takes away does not count as never there: nothing is known until a week has passed since, and an inventory of
 * after it found none either. `ofOwner`: what the owner's rulesets ask of it, of which inventories tell too.
 */
export function requiresNoReview(
  told: readonly Repository[],
  ms: number,
  ofOwner: readonly Protection[] = [],
): Observed | undefined {
  const all = [...told.flatMap((one) => one.protections), ...ofOwner];
  const byControl = Map.groupBy(all.toSorted(inOwnOrder), ({ control }) => control);
  const isBefore = ({ time }: Protection) => parseTime(time) <= ms;
  const inventories = (byControl.get(inventory) ?? []).filter(isBefore);
  const last = inventories.at(-1);
  const from = inventories.findLastIndex(covers) + 1;
  const since = inventories[from];
  if (last === undefined || since === undefined) return undefined;
  const isLong = (sinceMs: number) => ms - sinceMs >= liftedMs;
  // One that found it protected may be kept no more.
  const isOfOld = from === 0 && inventories.length < protections.mostPerAuthor;
  if (!isOfOld && !isLong(parseTime(since.time))) return undefined;
  byControl.delete(inventory);
  for (const changes of byControl.values()) {
    // Whoever changes it over and over would have it forgotten that it was there.
    if (changes.length >= protections.mostPerAuthor || told.some((one) => one.protections.length >= protections.most))
      return undefined;
    const heard = changes.filter(isBefore);
    const latest = heard.at(-1);
    const isInventoried =
      latest?.binds !== undefined && inventories.some((one) => isOfAll(one) && inOwnOrder(one, latest) > 0);
    if (isInventoried) continue;
    if (latest === undefined ? didCover(changes[0]!) : covers(latest)) return undefined;
    if (latest === undefined || !heard.some((one) => covers(one) || didCover(one))) continue;
    const endedMs = parseTime(latest.time);
    if (!isLong(endedMs) || parseTime(last.time) <= endedMs) return undefined;
  }
  return since;
}
/** By an inventory, which lists what the owner's rulesets ask of a repository too; that it was made tells nothing of them. */
const isOfAll = ({ eventType }: Protection): boolean => eventType === 'dev.cdeventsx.tripline-inventory.observed';
const covers = ({ patterns, all }: Protection): boolean => patterns.length > 0 || all === 'now';
const didCover = ({ before = [], all }: Protection): boolean => before.length > 0 || all === 'before';

/** Whether `branch` was a default branch, or protected, at `ms` of the provider's time. */
export function isProtectedBranch(known: readonly (Repository | undefined)[], branch: string, ms: number): boolean {
  return known.some(
    (repository) =>
      isDefaultBranch([repository], branch) || (repository !== undefined && isFitting(repository, branch, ms)),
  );
}

/** Whether an inventory or an event of a protection names the branch. `ms`: by the provider's time. */
export function isKnownProtected(known: readonly Repository[], branch: string, ms: number): boolean {
  return known.some((repository) => isFitting(repository, branch, ms));
}

export function isDefaultBranch(known: readonly (Repository | undefined)[], branch: string): boolean {
  return known.some((repository) => repository?.defaultBranches.some(({ name }) => name === branch));
}

function isFitting({ protections }: Repository, branch: string, ms: number): boolean {
  const byControl = Map.groupBy(protections, ({ control }) => control);
  const gone = new Map<string, number>();
  for (const told of byControl.values()) {
    for (const [place, now] of told.entries()) {
      const patterns = new Set(now.patterns);
      for (const lost of formerOf(told, place)) if (!patterns.has(lost)) gone.set(lost, parseTime(now.time));
    }
  }
  return [...byControl.values()].some((told) => {
    const fits = ({ patterns }: Pick<Protection, 'patterns'>) => patterns.some((pattern) => matches(pattern, branch));
    // The first report also counts for the time before it, of which nothing was received.
    const until = told.findLastIndex((one) => parseTime(one.time) <= ms);
    const now =
      until < 0 && told[0]!.before !== undefined
        ? { ...told[0]!, patterns: told[0]!.before }
        : told[Math.max(until, 0)]!;
    if (fits(now)) {
      if (now.control !== inventory) return true;
      // An inventory lists only patterns, so a later removal is matched by its pattern.
      return now.patterns.some((pattern) => {
        const goneMs = gone.get(pattern);
        const isLifted = goneMs !== undefined && goneMs > parseTime(now.time) && goneMs + liftedMs <= ms;
        return !isLifted && matches(pattern, branch);
      });
    }
    // However often it was changed since.
    return told.slice(0, Math.max(until, 0) + 1).some((change, place) => {
      const former = { patterns: formerOf(told, place) };
      return fits(former) && ms - parseTime(change.time) < liftedMs;
    });
  });
}

/** What a protection covered before a change of it: as it was told last, and as the change says. */
const formerOf = (told: readonly Protection[], place: number): string[] => [
  ...(told[place - 1]?.patterns ?? []),
  ...(told[place]!.before ?? []),
];

/** The control of which inventories tell, and that a repository is made: then nothing of it is protected. */
const inventory = 'inventory';
/** Whether anything is known of what protected it once: by an inventory, or since it was made. */
export const isListed = ({ protections }: Repository): boolean =>
  protections.some(({ control }) => control === inventory);
const isCreation = (data: Attributes): boolean =>
  data['tripline.control.kind'] === 'repository' && data['tripline.control.action'] === 'created';

/** A pattern that matches every name does not tell which refs matter. */
const matchesAll = (pattern: string): boolean => /^(?:~ALL|\*|\*\*|\*\*\/\*|\*\*\/\*\*)$/.test(pattern);
