import { describeGive, describeRight } from './diff.ts';
import { breakGlassOf, schedulesOf } from './people-rights.ts';
import type { Give, PeoplePolicy, Policy, PolicyFile } from './policy.ts';
import { describeSts } from './sts.ts';
import { describeSet } from './text-set.ts';

/** A policy by which something is given, and to whom, in words. `tier`: null where people ask for it. */
export type Getter = {
  policy: string;
  tier: string | null;
  gives: string;
  who: string[];
  needs: string[];
  until: string;
};

/**
 * Who can get what `thing` names: part of a repository's, role's or project's name, or of what a policy gives, such as
 * `acme/api contents:write`. Every word of it must be in what is given. An empty one asks for everything.
 */
export function whoGets(file: PolicyFile, thing: string): Getter[] {
  const words = thing
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const people = Object.entries(file.people)
    .filter(([, right]) => words.every((word) => describeRight(right).toLowerCase().includes(word)))
    .map(
      ([name, right]): Getter => ({
        ...{
          policy: `people.${name}`,
          tier: null,
          gives: describeRight(right),
          who: [`people: ${right.who.join(', ')}`],
        },
        ...{ needs: needsOfRight(right), until: `the time that was asked for, at most ${right.for / 60_000} min` },
      }),
    );
  const jobs = Object.entries(file.policies).flatMap(([policy, one]) =>
    one.give
      .filter((give) => isNamed(give, words))
      .map((give) => ({
        ...{
          policy,
          tier: one.tier,
          gives: describeGive(give),
          who: [...describeWho(one.who), ...one.sts.map((sts) => `octo-sts’s clients ask by: ${describeSts(sts)}`)],
          needs: describeNeeds(one.needs),
        },
        until: `the end of the ${one.until}, at most ${one.max / 60_000} min`,
      })),
  );
  return [...jobs, ...people];
}

function needsOfRight(right: PeoplePolicy): string[] {
  const { who, approvedBy } = schedulesOf(right);
  const asking = who === undefined ? [] : [`whoever asks is on duty by ${who.join(' or ')}`];
  if (right.fast) return asking;
  const duty = approvedBy === undefined ? '' : `, who is on duty by ${approvedBy.join(' or ')}`;
  const afterMs = breakGlassOf(right);
  const alone =
    afterMs === null ? '' : `, or after ${afterMs / 60_000} min without an answer their own, which is found`;
  return [...asking, `a second factor of somebody else of ${right.approvedBy.join(', ')}${duty}${alone}`];
}

function isNamed(give: Give, words: readonly string[]): boolean {
  const said = describeGive(give).toLowerCase();
  return words.every((word) => said.includes(word));
}

function describeWho(who: Policy['who']): string[] {
  return Object.entries(who).flatMap(([issuer, fields]) =>
    Object.entries(fields as Record<string, unknown>).map(([field, value]) => `${issuer} ${field}: ${said(value)}`),
  );
}
function said(value: unknown): string {
  if (Array.isArray(value)) return describeSet(value);
  if (typeof value !== 'object' || value === null) return value === true ? 'allowed' : String(value);
  return Object.entries(value)
    .map(([field, inner]) => `${field} ${said(inner)}`)
    .join(', ');
}

function describeNeeds({ reviewed, promotedFrom, knownRunner, noIncident, mfa }: Policy['needs']): string[] {
  return [
    ...(reviewed ? ['a reviewed commit'] : []),
    ...(promotedFrom === undefined ? [] : [`deployed to ${promotedFrom} before`]),
    ...(knownRunner ? ['a known machine'] : []),
    ...(noIncident === undefined ? [] : [`no open incident of severity ${noIncident} or above`]),
    ...(mfa === undefined
      ? []
      : [
          `a second factor of ${mfa.of === 'trigger' ? 'whoever set it off' : `an owner (${(mfa.owners ?? []).join(', ')})`} within ${mfa.within / 60_000} min`,
        ]),
  ];
}
