import type { Version } from './diff.ts';
import { rankOfPermission, reachOf } from './people-rights.ts';
import type { Policy } from './policy.ts';
import type { Standing, StandingKind } from './standing.ts';

type House = Pick<Version, 'file' | 'lock'>;

/**
 * The policy by which jobs, or people for minutes (`people.<name>`), are given all that something gives on every repository that it reaches, so
 * that it is needed no more. Undefined where there is none, and where what it may do is not known. `organization`: the login of whose it is.
 */
export function coveredBy(row: Standing, version: House, organization: string): string | undefined {
  return ways[row.kind]?.(row, version, organization);
}

type Way = (row: Standing, version: House, organization: string) => string | undefined;
const ways: Partial<Record<StandingKind, Way>> = {
  'fine-grained-token': ofToken,
  'deploy-key': ofToken,
  'aws-role': ofAwsRole,
  'outside-collaborator': ofCollaborator,
  'organization-role': ofRole,
};

function ofToken({ repositories, scope }: Standing, { file }: House): string | undefined {
  if (repositories === 'all' || repositories.length === 0 || scope.length === 0) return undefined;
  const asked = scope.map((one) => one.split(':') as [string, string]).filter(([name]) => name !== 'metadata');
  return policyThat(file.policies, ({ give }) =>
    give.some(
      (one) =>
        'github' in one &&
        repositories.every((name) => one.github.repositories.some((other) => isSame(other, name))) &&
        asked.every(([name, level]) => levelOf(one.github.permissions[name]) >= levelOf(level)),
    ),
  );
}
const levelOf = (level: string | undefined): number => ['read', 'write', 'admin'].indexOf(level ?? '');

/** The same role, and all of it: what a policy narrows by a file gives less. */
function ofAwsRole({ id }: Standing, { file }: House): string | undefined {
  const arn = id.slice('aws-role/'.length).split('#')[0];
  return policyThat(file.policies, ({ give }) =>
    give.some((one) => 'aws' in one && one.aws.role === arn && one.aws.policy === undefined),
  );
}

const policyThat = (policies: Readonly<Record<string, Policy>>, gives: (policy: Policy) => boolean) =>
  Object.entries(policies).find(([, policy]) => gives(policy))?.[0];

/** By the ids of account and repositories that the lock file pins; a role of one's own on a repository ranks with nothing. */
function ofCollaborator({ id, repositories, scope }: Standing, { file, lock }: House): string | undefined {
  if (repositories === 'all' || repositories.length === 0 || scope.length === 0) return undefined;
  const account = id.slice('outside-collaborator/'.length);
  const found = Object.entries(file.people).find(([, right]) => {
    const { kind, names, most } = reachOf(right);
    const isEnough = (one: string) => {
      const rank = rankOfPermission(kind, one);
      return rank >= 0 && rank <= rankOfPermission(kind, most);
    };
    return (
      kind === 'collaborator' &&
      right.who.some((login) => lock.people[login]?.id === account) &&
      repositories.every((name) => names.some((other) => lock.github[other] !== undefined && isSame(other, name))) &&
      scope.every(isEnough)
    );
  });
  return found && `people.${found[0]}`;
}

/** Where everybody who has the role in person may ask for it; what a team has is nobody's to ask for. Roles that GitHub defines have one id everywhere. */
function ofRole({ id, holders = [] }: Standing, { file, lock }: House, organization: string): string | undefined {
  const role = id.slice('organization-role/'.length);
  const found = Object.entries(file.people).find(([, right]) => {
    const { kind, names } = reachOf(right);
    const isIt = (name: string) => lock.roles[name]?.id === role && isSame(name.split('/')[0]!, organization);
    const accounts = new Set(right.who.flatMap((login) => lock.people[login]?.id ?? []));
    return (
      kind === 'org-role' &&
      names.some(isIt) &&
      holders.length > 0 &&
      holders.every((one) => one.login !== undefined && one.id !== undefined && accounts.has(one.id))
    );
  });
  return found && `people.${found[0]}`;
}

const isSame = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
