import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inOwnOrder, keepBounded, observedBy } from './bounds.ts';
import { isAsStrong, isOfCoverage, readJson, type Strengths, strengthsOf, toldBefore } from './control-strengths.ts';
import { observedSchema } from './observed.ts';
import { covers } from './ref-patterns.ts';
import { accountSchema, authorOf, keyOf, repositoryKeyOf, senderOf } from './things.ts';

const strengthsSchema = z.record(z.string(), z.number()).nullable();

/** One change of one control, and the control's content after it. */
const changeSchema = observedSchema.extend({
  /** Which control: its kind and the provider's id. */
  control: z.string(),
  kind: z.string(),
  name: z.string(),
  action: z.string(),
  by: accountSchema.optional(),
  /** Its strength by aspect; null where it is not in force: deleted, disabled, or in evaluate mode. */
  after: strengthsSchema,
  /** The strength before the change, as far as the event says it. */
  before: strengthsSchema.optional(),
  include: z.array(z.string()),
  exclude: z.array(z.string()),
  defaultBranch: z.string().optional(),
});
export type ControlChange = z.infer<typeof changeSchema>;

const valueSchema = z.object({ changes: z.array(changeSchema) });
export type Controls = z.infer<typeof valueSchema>;

/** More than the provider allows one account within the half minute for which a push is held: 80 a minute. */
const bound: Bound<ControlChange> = {
  kind: 'changes of controls',
  authorOf: ({ by, control }) => `${authorOf(by)} ${control}`,
  mostPerAuthor: 60,
  most: 200,
};
const kinds = new Set(['branch-protection', 'branch-protection-switch', 'ruleset']);
const mostPatterns = 50;

/** One key per repository; an organisation's controls for its repositories are under `ownerControlsKey`. */
export const controls: Fact<Controls> = {
  id: 'controls',
  description:
    'Branch protections and rulesets as they changed: what each demands of a push, aspect by aspect, who may go round it, and which refs it covers. ' +
    'Only what keeps unreviewed commits out counts (reviews, who may push, force, deletion, signatures, being in force); checks that must pass do not. ' +
    'What a control said before its first change that is received is known as far as that change tells it; a change that no webhook tells is not known.',
  reads: ['dev.cdeventsx.tripline-control.changed'],
  value: valueSchema,
  keys(event) {
    const data: Attributes = event.data;
    if (!kinds.has(data['tripline.control.kind'] ?? '') && formerDefaultOf(event) === undefined) return [];
    const key = repositoryKeyOf(event) ?? ownerControlsKey(event);
    return key === undefined ? [] : [key];
  },
  learn(known, event, at) {
    const former = formerDefaultOf(event);
    const told = former === undefined ? changeOf(event) : switchOf(event, former);
    const changes = keepBounded(known?.changes ?? [], told, bound, at);
    return changes === known?.changes ? known : { changes: [...changes] };
  },
  keepMs: 180 * 86_400_000,
};

/** The key of the controls that the owner of an event's repository sets for all its repositories. */
export function ownerControlsKey(event: LoggedEvent): string | undefined {
  const data: Attributes = event.data;
  const owner = data['vcs.owner.id'] ?? data['vcs.owner.name']?.toLowerCase();
  return owner === undefined ? undefined : keyOf(event, `owner:${owner}`);
}

function changeOf(event: LoggedEvent): ControlChange {
  const data: Attributes = event.data;
  const kind = data['tripline.control.kind']!;
  const action = data['tripline.control.action']!;
  const name = clip(data['tripline.control.name'] ?? 'a protection without a name', 200);
  const settings = data['tripline.control.settings'] ?? {};
  const told = strengthsOf(kind, settings);
  const former = toldBefore(kind, settings, data['tripline.control.changes']);
  const isGone = action === 'deleted' || action === 'disabled';
  const by = senderOf(data);
  const branch = data['tripline.repository.default_branch'];
  const { include, exclude } = patternsOf(kind, data);
  return {
    ...observedBy(event),
    ...{ control: `${kind} ${data['tripline.control.id'] ?? name}`, kind, name, action: clip(action, 50) },
    ...{ include, exclude, after: isGone ? null : told },
    ...(by === undefined ? {} : { by }),
    ...(branch === undefined ? {} : { defaultBranch: clip(branch, 200) }),
    ...(action === 'created' || action === 'enabled' ? { before: null } : isGone ? { before: told } : {}),
    ...(action === 'edited' && former !== undefined ? { before: former } : {}),
  };
}

/** The default branch until this event, where it made another the default. */
function formerDefaultOf({ data }: LoggedEvent): string | undefined {
  const { 'tripline.control.kind': kind, 'tripline.control.changes': changes }: Attributes = data;
  return kind === 'repository' ? changes?.['default_branch'] : undefined;
}

/** Rulesets follow the default branch: another is covered from now on, and the one before no more. */
function switchOf(event: LoggedEvent, former: string): ControlChange {
  const data: Attributes = event.data;
  const [from, to] = [former, data['tripline.repository.default_branch'] ?? ''].map((name) => clip(name, 200));
  const by = senderOf(data);
  return {
    ...observedBy(event),
    ...{ control: defaultBranchKind, kind: defaultBranchKind, name: to!, action: 'edited' },
    ...{ before: { [`covering ${from}`]: 1 }, after: { [`covering ${to}`]: 1 }, include: [to!], exclude: [] },
    ...(by === undefined ? {} : { by }),
  };
}
const defaultBranchKind = 'default branch';

function patternsOf(kind: string, data: Attributes): { include: string[]; exclude: string[] } {
  if (kind === 'branch-protection-switch') return { include: ['~ALL'], exclude: [] };
  const conditions = readJson(data['tripline.control.settings']?.['conditions']) as
    | { ref_name?: { exclude?: unknown } | null }
    | undefined;
  const exclude = conditions?.ref_name?.exclude;
  const texts = Array.isArray(exclude) ? exclude.filter((one): one is string => typeof one === 'string') : [];
  // What a ruleset targets: one for branches covers no tag.
  const all = data['tripline.control.settings']?.['target'] === 'tag' ? 'refs/tags/**/*' : 'refs/heads/**/*';
  const clipped = (list: readonly string[]) =>
    list.slice(0, mostPatterns).map((pattern) => (pattern === '~ALL' ? all : clip(pattern, 200)));
  return { include: clipped(data['tripline.control.patterns'] ?? []), exclude: clipped(texts) };
}

/** A control was made weaker, and until when. */
export type Relaxation = {
  change: ControlChange;
  /** What became weaker, such as `in force` or `bypass Integration 12`. */
  aspects: readonly string[];
  /** All that it demanded before. */
  former: Strengths;
  /** What it covered before it became weaker, and covers now. */
  include: readonly string[];
  exclude: readonly string[];
  /** It covers less, and is no weaker where it still covers. */
  isNarrowed: boolean;
  /** The change that restored the last of it. */
  restoredBy?: ControlChange;
};

const relaxations = new WeakMap<Controls, Relaxation[]>();
/**
 * Relaxations in the order of their own times: a function of the changes, whatever the order of arrival. Worked out
 * once a value, since every push to a ref that is covered asks.
 */
export function relaxationsOf(known: Controls): readonly Relaxation[] {
  let found = relaxations.get(known);
  if (found === undefined) {
    found = relaxationsIn(known);
    relaxations.set(known, found);
  }
  return found;
}

function relaxationsIn({ changes }: Controls): Relaxation[] {
  const inOrder = changes.toSorted(inOwnOrder);
  const byControl = Map.groupBy(inOrder, ({ control }) => control);
  const found = [...byControl.values()].flatMap((own) => relaxationsOfOne(own, inOrder));
  // A change of the default branch matters to controls that cover the default branch.
  const isFollowed = changes.some(({ after, include }) => after !== null && include.includes('~DEFAULT_BRANCH'));
  if (!isFollowed) return found.filter(({ change }) => change.kind !== defaultBranchKind).sort(byTime);
  return found.sort(byTime);
}
const byTime = (a: Relaxation, b: Relaxation): number => inOwnOrder(a.change, b.change);

function relaxationsOfOne(own: readonly ControlChange[], all: readonly ControlChange[]): Relaxation[] {
  const found: Relaxation[] = [];
  /** Of each that is not put back yet, the aspects that are weaker still, with how strong they were. */
  const open = new Map<Relaxation, Map<string, number>>();
  /** Undefined while nothing is known of it. */
  let last: Strengths | null | undefined;
  let lastInForce: Strengths | undefined;
  let reached: ControlChange | undefined;
  for (const change of own) {
    const { after } = change;
    for (const [relaxation, pending] of open) {
      for (const [aspect, former] of pending) {
        if (after !== null && (aspect === inForce || (after[aspect] ?? 0) >= former)) pending.delete(aspect);
      }
      if (pending.size > 0) continue;
      relaxation.restoredBy = change;
      open.delete(relaxation);
    }
    const weaker = new Map<string, number>();
    // A control that is in force again is compared with its content when it was last in force.
    for (const before of [last, change.before, last === null ? lastInForce : undefined]) {
      if (before && (after !== null || last !== null)) {
        for (const [aspect, former] of weakerBy(before, after)) weaker.set(aspect, former);
      }
    }
    if (weaker.size > 0) {
      const former = reached ?? change;
      const relaxation: Relaxation = {
        ...{
          change,
          aspects: [...weaker.keys()],
          former: strongest(last, change.before, last === null ? lastInForce : undefined),
        },
        include: [...new Set([...former.include, ...change.include, ...patternsLost(change, weaker.keys())])],
        exclude: change.exclude.filter((pattern) => former.exclude.includes(pattern)),
        isNarrowed: [...weaker.keys()].every(isOfCoverage),
      };
      found.push(relaxation);
      open.set(relaxation, weaker);
    }
    last = after;
    if (after !== null) lastInForce = after;
    reached = change;
  }
  return found.filter((relaxation) => {
    const others = standIns(relaxation, all);
    const { change, restoredBy } = relaxation;
    // Another control took its place before: a ruleset replaced by one as strong, a branch rule moved into a ruleset.
    if (others.some(({ from, until }) => inOwnOrder(from, change) < 0 && !(until && inOwnOrder(until, change) <= 0)))
      return false;
    const later = others.find(({ from }) => inOwnOrder(from, change) > 0)?.from;
    if (later !== undefined && (restoredBy === undefined || inOwnOrder(later, restoredBy) < 0))
      relaxation.restoredBy = later;
    return true;
  });
}

/** When other controls demanded as much of all that a relaxation is of; what is deleted and made again has another id. */
function standIns(
  { change, aspects, former, include, exclude, isNarrowed }: Relaxation,
  all: readonly ControlChange[],
) {
  if (change.kind !== 'ruleset' && change.kind !== 'branch-protection') return [];
  const lost = aspects.filter(isOfCoverage).map((aspect) => aspect.replace(/^(?:covering|leaving out) /, ''));
  const patterns = isNarrowed ? lost : include;
  const isOne = (other: ControlChange) =>
    (other.kind === 'ruleset' || other.kind === 'branch-protection') &&
    other.after !== null &&
    other.exclude.every((pattern) => exclude.includes(pattern)) &&
    patterns.every((pattern) => other.include.some((wider) => isWithin(pattern, wider, change.defaultBranch))) &&
    isAsStrong({ kind: other.kind, strengths: other.after }, { kind: change.kind, strengths: former });
  const others = Map.groupBy(all, ({ control }) => control);
  others.delete(change.control);
  const periods = [...others.values()].flatMap((own) =>
    own.flatMap((from, place) => (isOne(from) ? [{ from, until: own[place + 1] }] : [])),
  );
  return periods.sort((a, b) => inOwnOrder(a.from, b.from));
}

/** Whether all that a pattern covers is covered by another, as far as that can be seen: they are one, or it is a name. */
function isWithin(pattern: string, wider: string, defaultBranch: string | undefined): boolean {
  const plain = (one: string) => one.replace(/^refs\/heads\//, '');
  if (plain(pattern) === plain(wider)) return true;
  const isTag = pattern.startsWith('refs/tags/');
  const name = pattern === '~DEFAULT_BRANCH' ? defaultBranch : plain(pattern).replace(/^refs\/tags\//, '');
  if (wider === '~ALL' || (plain(wider) === '**/*' && !isTag)) return true;
  if (name === undefined || /[*?[\\~]/.test(name)) return false;
  return covers(wider, { type: isTag ? 'tag' : 'branch', name }, defaultBranch);
}

/** Of a classic protection what is no more covered is told by its pattern, though nothing was received of it before. */
function patternsLost({ kind }: ControlChange, aspects: Iterable<string>): string[] {
  if (kind !== 'branch-protection' && kind !== defaultBranchKind) return [];
  return [...aspects].flatMap((aspect) => (aspect.startsWith('covering ') ? [aspect.slice('covering '.length)] : []));
}

/** The aspect of a control that there is one at all. */
const inForce = 'in force';

/** In each aspect the strongest of all that a control is known to have been. */
function strongest(...known: readonly (Strengths | null | undefined)[]): Strengths {
  const all = known.filter((one) => one !== null && one !== undefined);
  const aspects = new Set(all.flatMap((one) => Object.keys(one)));
  return Object.fromEntries([...aspects].map((aspect) => [aspect, Math.max(...all.map((one) => one[aspect] ?? 0))]));
}

/** Aspects in which `after` is weaker than `before`, each with how strong it was. */
function weakerBy(before: Strengths, after: Strengths | null): [aspect: string, former: number][] {
  if (after === null) return [[inForce, 1]];
  const aspects = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...aspects].flatMap((aspect) => {
    const former = before[aspect] ?? 0;
    return former > (after[aspect] ?? 0) ? [[aspect, former] as [string, number]] : [];
  });
}

/** Whether what was relaxed covers `ref` and was not put back by `ms`. */
export function isRelaxedFor(
  { change, include, exclude, isNarrowed, restoredBy }: Relaxation,
  ref: RefName,
  ms: number,
): boolean {
  if (ms < parseTime(change.time) || (restoredBy !== undefined && ms > parseTime(restoredBy.time))) return false;
  // A classic protection is of branches alone.
  if (change.kind !== 'ruleset' && ref.type === 'tag') return false;
  const fits = (pattern: string) => covers(pattern, ref, change.defaultBranch);
  if (isNarrowed && change.include.some(fits) && !change.exclude.some(fits)) return false;
  return include.some(fits) && !exclude.some(fits);
}

export type RefName = { type: 'branch' | 'tag'; name: string };

/** Whether some control is, or was, for `ref`: then it matters to it what becomes of controls. */
export const isOfControls = ({ changes }: Controls, ref: RefName): boolean =>
  changes.some(({ kind, include, defaultBranch }) => {
    if (ref.type === 'tag' && kind !== 'ruleset') return false;
    return kind === defaultBranchKind || include.some((pattern) => covers(pattern, ref, defaultBranch));
  });

/** Whether what was relaxed names `ref`, or the default branch that it is, and not just every ref. */
export const isNamedBy = ({ change, include }: Relaxation, ref: RefName): boolean =>
  include.some((pattern) => !standsForAll(pattern) && covers(pattern, ref, change.defaultBranch)) ||
  (ref.type === 'branch' && ref.name === change.defaultBranch);
const standsForAll = (pattern: string): boolean =>
  /^(?:~ALL|(?:refs\/(?:heads|tags)\/)?\*\*(?:\/\*\*?)?)$/.test(pattern);

/** Branches that a relaxation names: those that a pattern stands for are not known here. */
export function branchesNamedBy({ change, include }: Relaxation): string[] {
  const names = include
    .map((pattern) => pattern.replace(/^refs\/heads\//, ''))
    .filter((one) => !/[*?[\\~]|^refs\//.test(one));
  return [...new Set([...names, ...(change.defaultBranch === undefined ? [] : [change.defaultBranch])])];
}

/** As it stands by what is proved: what a delivery for which nobody has vouched puts back is relaxed still. */
export function asProved(relaxation: Relaxation, doubtOf: (eventId: string) => unknown): Relaxation {
  const { restoredBy, ...open } = relaxation;
  return restoredBy === undefined || doubtOf(restoredBy.eventId) === undefined ? relaxation : open;
}
