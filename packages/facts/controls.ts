import type { Attributes } from '@tripline/contracts/attributes';
import type { LoggedEvent } from '@tripline/contracts/event';
import type { Fact } from '@tripline/contracts/fact';
import { clip } from '@tripline/contracts/text';
import { parseTime } from '@tripline/contracts/time';
import { z } from 'zod';
import { type Bound, inOwnOrder, keepBounded, observedBy } from './bounds.ts';
import { readJson, type Strengths, strengthsOf, toldBefore } from './control-strengths.ts';
import { observedSchema } from './observed.ts';
import { covers } from './ref-patterns.ts';
import { accountSchema, authorOf, keyOf, repositoryKeyOf, senderOf } from './things.ts';

const strengthsSchema = z.record(z.string(), z.number()).nullable();

/** One change of one control, and what it says once it was made. */
const changeSchema = observedSchema.extend({
  /** Which control: its kind and the provider's id. */
  control: z.string(),
  kind: z.string(),
  name: z.string(),
  action: z.string(),
  by: accountSchema.optional(),
  /** How strong it is, by aspect; null where it is not in force: deleted, disabled, on trial. */
  after: strengthsSchema,
  /** The same before the change, as far as the event says it. */
  before: strengthsSchema.optional(),
  include: z.array(z.string()),
  exclude: z.array(z.string()),
  defaultBranch: z.string().optional(),
});
export type ControlChange = z.infer<typeof changeSchema>;

const valueSchema = z.object({ changes: z.array(changeSchema) });
export type Controls = z.infer<typeof valueSchema>;

/** More than the provider lets one account make within the half minute in which a push is waited with: 80 a minute. */
const bound: Bound<ControlChange> = {
  kind: 'changes of controls',
  authorOf: ({ by, control }) => `${authorOf(by)} ${control}`,
  mostPerAuthor: 60,
  most: 200,
};
const kinds = new Set(['branch-protection', 'branch-protection-switch', 'ruleset']);
const mostPatterns = 50;

/** One key a repository; what an organisation decides for its repositories stands under `ownerControlsKey`. */
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

/** The key of what the owner of an event's repository decides for all of its repositories. */
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
  // All that a ruleset is for: one for branches covers no tag.
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
  /** What it covered before it became weaker, and covers now. */
  include: readonly string[];
  exclude: readonly string[];
  /** It covers less, and is no weaker where it covers still. */
  isNarrowed: boolean;
  /** The change with which the last of it was put back. */
  restoredBy?: ControlChange;
};

/** What was made weaker, in the order of its own times: a function of the changes, in whatever order they were received. */
export function relaxationsOf({ changes }: Controls): Relaxation[] {
  const byControl = Map.groupBy(changes, ({ control }) => control);
  const found = [...byControl.values()].flatMap((own) => relaxationsOfOne(own, changes));
  // Another default branch matters where something covers whichever it is.
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
  for (const change of own.toSorted(inOwnOrder)) {
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
    // What came back into force is held against what it was when it was in force.
    for (const before of [last, change.before, last === null ? lastInForce : undefined]) {
      if (before && (after !== null || last !== null)) {
        for (const [aspect, former] of weakerBy(before, after)) weaker.set(aspect, former);
      }
    }
    if (weaker.size > 0) {
      const former = reached ?? change;
      const relaxation: Relaxation = {
        ...{ change, aspects: [...weaker.keys()] },
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
  // What was deleted has another id when it is made again.
  for (const [relaxation, pending] of open) {
    const again = pending.has(inForce) ? madeAgain(relaxation.change, all) : undefined;
    if (again !== undefined) relaxation.restoredBy = again;
  }
  return found;
}

function madeAgain(gone: ControlChange, all: readonly ControlChange[]): ControlChange | undefined {
  return all
    .toSorted(inOwnOrder)
    .find(
      (other) =>
        other.kind === gone.kind &&
        other.action === 'created' &&
        other.after !== null &&
        inOwnOrder(other, gone) > 0 &&
        gone.include.every((pattern) => other.include.includes(pattern)),
    );
}

/** Of a classic protection what is no more covered is told by its pattern, though nothing was received of it before. */
function patternsLost({ kind }: ControlChange, aspects: Iterable<string>): string[] {
  if (kind !== 'branch-protection' && kind !== defaultBranchKind) return [];
  return [...aspects].flatMap((aspect) => (aspect.startsWith('covering ') ? [aspect.slice('covering '.length)] : []));
}
const isOfCoverage = (aspect: string): boolean => aspect.startsWith('covering ') || aspect.startsWith('leaving out ');

/** The aspect of a control that there is one at all. */
const inForce = 'in force';

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
  ref: { type: 'branch' | 'tag'; name: string },
  ms: number,
): boolean {
  if (ms < parseTime(change.time) || (restoredBy !== undefined && ms > parseTime(restoredBy.time))) return false;
  // A classic protection is of branches alone.
  if (change.kind !== 'ruleset' && ref.type === 'tag') return false;
  const fits = (pattern: string) => covers(pattern, ref, change.defaultBranch);
  if (isNarrowed && change.include.some(fits) && !change.exclude.some(fits)) return false;
  return include.some(fits) && !exclude.some(fits);
}
