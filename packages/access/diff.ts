import { createHash } from 'node:crypto';
import { severities } from '@tripline/contracts/finding';
import { inSmallLetters } from '@tripline/contracts/text';
import type { NamedFiles } from './files.ts';
import type { LockFile } from './lock.ts';
import { breakGlassOf, nameRight, permissionsOf, pinOf, reachOf, schedulesOf } from './people-rights.ts';
import type { GithubWho, Give, PeoplePolicy, Policy, PolicyFile } from './policy.ts';
import { describeSts } from './sts.ts';
import { contains, describeSet, isInAnyCase, type TextSet } from './text-set.ts';

/**
 * What a new version of the policies changes. `wider`: somebody gets something that nobody got before, or keeps it longer.
 * `other`: as well as less. `policy`: absent where it concerns all.
 */
export type Difference = {
  is: 'wider' | 'narrower' | 'other';
  policy?: string;
  field: string;
  from: string;
  to: string;
};
type Found = Omit<Difference, 'policy'>;

/** Policies with the ids that their names mean, and the texts of the files that they name, where those were read. */
export type Version = { file: PolicyFile; lock: LockFile; files?: NamedFiles };

/** Every difference of two versions. Where none is wider or other, whatever the new one gives the old one gave. */
export function diff(from: Version, to: Version): Difference[] {
  const names = [...new Set([...Object.keys(from.file.policies), ...Object.keys(to.file.policies)])].sort();
  return [
    ...changedText('audience', from.file.audience, to.file.audience),
    ...names.flatMap((policy) => {
      const [before, after] = [from.file.policies[policy], to.file.policies[policy]];
      const found =
        before === undefined
          ? [
              {
                is: 'wider' as const,
                field: 'policy',
                from: 'none',
                to: `gives ${after!.give.map(describeGive).join(', ')}`,
              },
            ]
          : after === undefined
            ? [
                {
                  is: 'narrower' as const,
                  field: 'policy',
                  from: `gives ${before.give.map(describeGive).join(', ')}`,
                  to: 'none',
                },
              ]
            : differencesOf(before, after, from, to);
      return found.map((one) => ({ ...one, policy }));
    }),
    ...peopleDiffer(from, to),
  ];
}

/** What people may ask for. `policy` says `people.<name>`. */
function peopleDiffer(from: Version, to: Version): Difference[] {
  const names = [...new Set([...Object.keys(from.file.people), ...Object.keys(to.file.people)])].sort();
  return names.flatMap((name): Difference[] => {
    const [before, after] = [from.file.people[name], to.file.people[name]];
    const said = (one: PeoplePolicy | undefined) => (one === undefined ? 'none' : `gives ${describeRight(one)}`);
    const found: Found[] =
      before === undefined || after === undefined
        ? [{ is: before === undefined ? 'wider' : 'narrower', field: 'policy', from: said(before), to: said(after) }]
        : [
            ...bySet('who', accountsOf(before.who, from), accountsOf(after.who, to)),
            ...reachDiffers(before, after, from, to),
            ...byNumber('for', before.for, after.for),
            ...bySet('approvedBy', accountsOf(before.approvedBy, from), accountsOf(after.approvedBy, to)),
            ...byOrder(
              'phishingResistant',
              ['true', 'false'],
              String(before.phishingResistant),
              String(after.phishingResistant),
            ),
            ...byOrder('fast', ['no', 'yes'], yes(before.fast), yes(after.fast)),
            ...bySooner('breakGlass', breakGlassOf(before), breakGlassOf(after)),
            ...bySet('onDuty of who', schedulesOf(before).who, schedulesOf(after).who),
            ...bySet('onDuty of approvedBy', schedulesOf(before).approvedBy, schedulesOf(after).approvedBy),
          ];
    return found.map((one) => ({ ...one, policy: `people.${name}` }));
  });
}

/** What they may have; of another kind of thing it is neither more nor less. */
function reachDiffers(before: PeoplePolicy, after: PeoplePolicy, from: Version, to: Version): Found[] {
  const [was, is] = [reachOf(before), reachOf(after)];
  if (was.kind !== is.kind) return changedText('gives', describeRight(before), describeRight(after));
  const field = { collaborator: 'repositories', 'team-member': 'teams', 'org-role': 'roles' }[is.kind];
  return [
    ...bySet(field, pinnedOf(was, from), pinnedOf(is, to)),
    ...byOrder(is.kind === 'team-member' ? 'as' : 'permission', permissionsOf(is.kind), was.most, is.most),
  ];
}

export function describeRight(right: PeoplePolicy): string {
  const { kind, names, most } = reachOf(right);
  return `${nameRight(kind, most, names.join(', '))} for ${minutes(right.for)}`;
}
/** By id alone: another login of the same account is nobody else. */
const accountsOf = (logins: readonly string[], { lock }: Version): TextSet =>
  logins.map((login) => lock.people[login]?.id ?? `${login} (not pinned)`);
const pinnedOf = ({ kind, names }: ReturnType<typeof reachOf>, { lock }: Version): TextSet =>
  names.map((name) => pinOf(lock, kind, name)?.id ?? `${name} (not pinned)`);

function differencesOf(before: Policy, after: Policy, from: Version, to: Version): Found[] {
  return [
    ...changedText('tier', before.tier, after.tier),
    ...bySet('tiers', environmentsOf(before, from), environmentsOf(after, to)),
    ...whoDiffers(before.who, after.who, from.lock, to.lock),
    ...needsDiffer(before.needs, after.needs, from, to),
    ...giveDiffers(amounts(before.give, from.files), amounts(after.give, to.files)),
    ...byOrder('until', ['job', 'run'], before.until, after.until),
    ...byNumber('max', before.max, after.max),
    ...byOrder('onIncident', ['atOnce', 'afterJob'], before.onIncident, after.onIncident),
    // Tokens that are for the bare host let in by it, too.
    ...bySet('sts', before.sts.map(describeSts), after.sts.map(describeSts)),
  ];
}

/** Environments whose jobs may ask: those of the tier and, where the policy lists some, of these. */
function environmentsOf({ tier, who }: Policy, { file: { tiers } }: Version): TextSet {
  const own = (tiers[tier] ?? []).map(inSmallLetters);
  const listed = 'github' in who ? who.github.environment : 'gitlab' in who ? who.gitlab.environment : undefined;
  if (listed === undefined) return own;
  return own.filter((name) => isInAnyCase(listed, name));
}

function whoDiffers(before: Policy['who'], after: Policy['who'], from: LockFile, to: LockFile): Found[] {
  const [issuer] = Object.keys(before);
  const [other] = Object.keys(after);
  if (issuer !== other) return changedText('who', issuer!, other!);
  const [was, is] = [Object.values(before)[0] as Fields, Object.values(after)[0] as Fields];
  const pins = (lock: LockFile, fields: Fields): string => {
    const name =
      issuer === 'buildkite' ? `${fields['organization']}/${fields['pipeline']}` : String(fields['repository']);
    return JSON.stringify((lock as Record<string, Record<string, unknown>>)[issuer!]?.[name] ?? null);
  };
  const fields = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return [
    ...fields.flatMap((field) => fieldDiffers(field, was[field], is[field])),
    ...changedText('lock', pins(from, was), pins(to, is)),
  ];
}
type Fields = Record<string, unknown>;

function fieldDiffers(field: string, before: unknown, after: unknown): Found[] {
  if (field === 'runner') return runnerDiffers(before as GithubWho['runner'], after as GithubWho['runner']);
  // What is allowed beside.
  if (before === true || after === true) return byOrder(field, ['no', 'yes'], yes(before), yes(after));
  // A job of the caller's own: neither within nor beyond a list of workflows.
  if (field === 'workflow' && (before === undefined) !== (after === undefined))
    return changedText(
      field,
      before === undefined ? 'its own' : describeSet(before as TextSet),
      after === undefined ? 'its own' : describeSet(after as TextSet),
    );
  if (typeof before === 'string' || typeof after === 'string') return changedText(field, String(before), String(after));
  return bySet(field, before as TextSet | undefined, after as TextSet | undefined);
}
const yes = (value: unknown): string => (value === true ? 'yes' : 'no');

function runnerDiffers(before: GithubWho['runner'], after: GithubWho['runner']): Found[] {
  const said = (runner: GithubWho['runner']) =>
    runner === undefined ? 'any' : runner === 'hosted' ? runner : `group ${describeSet(runner.group)}`;
  if (before === undefined || after === undefined)
    return byOrder('runner', [said(before === undefined ? after : before), 'any'], said(before), said(after));
  if (before === 'hosted' || after === 'hosted') return changedText('runner', said(before), said(after));
  return [
    ...bySet('runner.group', before.group, after.group),
    ...bySet('runner.network', before.network, after.network),
  ];
}

function needsDiffer(before: Policy['needs'], after: Policy['needs'], from: Version, to: Version): Found[] {
  const has = (field: string, was: unknown, is: unknown) =>
    byOrder(
      `needs.${field}`,
      ['wanted', 'not wanted'],
      was === undefined ? 'not wanted' : 'wanted',
      is === undefined ? 'not wanted' : 'wanted',
    );
  const found = [
    ...has('reviewed', before.reviewed, after.reviewed),
    ...has('knownRunner', before.knownRunner, after.knownRunner),
    ...has('promotedFrom', before.promotedFrom, after.promotedFrom),
    ...has('mfa', before.mfa, after.mfa),
    // None above low is less than none above high.
    ...byOrder(
      'needs.noIncident',
      [...severities, 'not wanted'],
      before.noIncident ?? 'not wanted',
      after.noIncident ?? 'not wanted',
    ),
  ];
  if (before.promotedFrom !== undefined && after.promotedFrom !== undefined) {
    found.push(...changedText('needs.promotedFrom', before.promotedFrom, after.promotedFrom));
    found.push(
      ...bySet(
        `tiers.${after.promotedFrom}`,
        from.file.tiers[before.promotedFrom] ?? [],
        to.file.tiers[after.promotedFrom] ?? [],
      ),
    );
  }
  if (before.mfa === undefined || after.mfa === undefined) return found;
  return [
    ...found,
    ...changedText('needs.mfa.of', before.mfa.of, after.mfa.of),
    ...bySet('needs.mfa.owners', ownersOf(before.mfa, from), ownersOf(after.mfa, to)),
    ...byNumber('needs.mfa.within', before.mfa.within, after.mfa.within),
    ...byOrder(
      'needs.mfa.phishingResistant',
      ['true', 'false'],
      String(before.mfa.phishingResistant),
      String(after.mfa.phishingResistant),
    ),
  ];
}

/** With the ids that their logins mean: of those alone, somebody is asked. */
const ownersOf = ({ owners = [] }: NonNullable<Policy['needs']['mfa']>, { lock }: Version): TextSet =>
  owners.map((name) => `${name} (${lock.people[name]?.id ?? 'not pinned'})`);

/** Of each thing that is given, how much of it: levels that hold one another, or how long. */
function giveDiffers(was: Amounts, is: Amounts): Found[] {
  return [...new Set([...was.keys(), ...is.keys()])].sort().flatMap((thing) => {
    const [less, more] = [was.get(thing), is.get(thing)];
    if (less?.of === more?.of && less?.amount === more?.amount) return [];
    const said = (one: Amount | undefined) => (one === undefined ? 'nothing' : one.said);
    if (less !== undefined && more !== undefined && less.of !== more.of)
      return changedText(`give ${thing}`, said(less), said(more));
    return byAmount(`give ${thing}`, less?.amount ?? 0, more?.amount ?? 0, said(less), said(more));
  });
}
type Amount = { amount: number; of: string; said: string };
type Amounts = Map<string, Amount>;
const levels = ['none', 'read', 'write', 'admin'];
const gitlabLevels = ['none', 'guest', 'planner', 'reporter', 'developer', 'maintainer'];

function amounts(give: readonly Give[], files: NamedFiles = {}): Amounts {
  const all: Amounts = new Map();
  const add = (thing: string, amount: number, said: string, of = '') => {
    const known = all.get(thing);
    if (known === undefined || known.amount < amount) all.set(thing, { amount, of, said });
  };
  for (const one of give) {
    if ('github' in one) {
      for (const repository of one.github.repositories)
        for (const [permission, level] of Object.entries(one.github.permissions))
          add(`github ${repository} ${permission}`, levels.indexOf(level), level);
    } else if ('aws' in one) {
      const narrowed = by(one.aws.policy, files);
      add(`aws ${one.aws.role}`, one.aws.for, `${minutes(one.aws.for)}, ${narrowed}`, narrowed);
    } else if ('vault' in one) add(`vault ${one.vault.role}`, one.vault.for, minutes(one.vault.for));
    else {
      const { project, scopes, level, for: lives } = one.gitlab;
      for (const scope of scopes) add(`gitlab ${project} ${scope}`, lives, minutes(lives));
      add(`gitlab ${project} level`, gitlabLevels.indexOf(level), level);
    }
  }
  return all;
}

/** A file is another one once its text is. */
function by(file: string | undefined, files: NamedFiles): string {
  if (file === undefined) return 'all of the role';
  const text = Object.hasOwn(files, file) ? files[file]! : undefined;
  if (text === undefined) return `narrowed by ${file}`;
  return `narrowed by ${file} (SHA-256 ${createHash('sha256').update(text).digest('hex').slice(0, 12)})`;
}

export function describeGive(give: Give): string {
  if ('aws' in give) return `aws ${give.aws.role} for ${minutes(give.aws.for)}`;
  if ('vault' in give) return `vault ${give.vault.role} for ${minutes(give.vault.for)}`;
  if ('gitlab' in give) return `gitlab ${give.gitlab.project} ${give.gitlab.scopes.join('+')} as ${give.gitlab.level}`;
  const permissions = Object.entries(give.github.permissions).map(([permission, level]) => `${permission}:${level}`);
  return `github ${give.github.repositories.join(', ')} ${permissions.join(' ')}`;
}
const minutes = (ms: number): string => `${Math.round(ms / 60_000)} min`;

/** Absent: whatever it is. */
function bySet(field: string, before: TextSet | undefined, after: TextSet | undefined): Found[] {
  const isWithin = (outer: TextSet | undefined, inner: TextSet | undefined) =>
    outer === undefined || (inner !== undefined && contains(outer, inner));
  const said = (set: TextSet | undefined) => (set === undefined ? 'any' : describeSet(set) || 'none');
  const [isNarrower, isWider] = [isWithin(before, after), isWithin(after, before)];
  if (isNarrower && isWider) return [];
  return [{ is: isNarrower ? 'narrower' : isWider ? 'wider' : 'other', field, from: said(before), to: said(after) }];
}

const changedText = (field: string, from: string, to: string): Found[] =>
  from === to ? [] : [{ is: 'other', field, from, to }];
/** `order`: from what gives least to what gives most. */
const byOrder = (field: string, order: readonly string[], from: string, to: string): Found[] =>
  byAmount(field, order.indexOf(from), order.indexOf(to), from, to);
const byNumber = (field: string, fromMs: number, toMs: number): Found[] =>
  byAmount(field, fromMs, toMs, minutes(fromMs), minutes(toMs));
/** What comes sooner is wider; null: it never comes. */
const bySooner = (field: string, fromMs: number | null, toMs: number | null): Found[] => {
  const said = (one: number | null) => (one === null ? 'never' : `after ${minutes(one)}`);
  const sooner = (one: number | null) => -(one ?? Number.POSITIVE_INFINITY);
  return byAmount(field, sooner(fromMs), sooner(toMs), said(fromMs), said(toMs));
};
const byAmount = (field: string, less: number, more: number, from: string, to: string): Found[] =>
  less === more ? [] : [{ is: less < more ? 'wider' : 'narrower', field, from, to }];
