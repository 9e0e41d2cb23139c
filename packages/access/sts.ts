import type { Give, Policy, PolicyFile, StsName } from './policy.ts';

/** How people read it: `acme/api deploy`. */
export const describeSts = ({ scope, identity }: StsName): string => `${scope} ${identity}`;

/** Two that are equal are one: names of repositories are the same in any case, those of files are not. */
const keyOf = ({ scope, identity }: StsName): string => `${scope.toLowerCase()} ${identity}`;

/**
 * The policy that says that it is asked for by this name. None where two say so, or where it gives anything but one credential of GitHub's
 * for the scope: whoever asks so takes one token, and means the scope.
 */
export function policyOfSts({ policies }: PolicyFile, asked: StsName): string | undefined {
  const key = keyOf(asked);
  const [first, ...more] = Object.entries(policies).filter(([, { sts }]) => sts.some((one) => keyOf(one) === key));
  if (first === undefined || more.length > 0) return undefined;
  const [name, policy] = first;
  return faultOfScope(policy.give, asked) === undefined ? name : undefined;
}

/** Everything that keeps policies from being asked for by the names that they say. */
export function faultsOfSts(named: readonly (readonly [string, Policy])[]): { policy: string; what: string }[] {
  const owners = new Map<string, string>();
  return named.flatMap(([policy, one]) =>
    one.sts.flatMap((sts) => {
      const before = owners.get(keyOf(sts));
      owners.set(keyOf(sts), policy);
      const twice = before === undefined ? undefined : `policy ${before} is asked for by it already`;
      return [faultOfScope(one.give, sts), twice].flatMap((what) =>
        what === undefined ? [] : [{ policy, what: `sts ${describeSts(sts)}: ${what}` }],
      );
    }),
  );
}

/** Why what is given is not what somebody means who asks for a token of the scope. */
export function faultOfScope(give: readonly Give[], { scope }: StsName): string | undefined {
  const [one, ...more] = give;
  if (one === undefined || !('github' in one) || more.length > 0)
    return 'octo-sts’s clients take one token of GitHub’s: have the policy give that alone';
  const { repositories } = one.github;
  const wanted = scope.toLowerCase();
  const isWithin = scope.includes('/')
    ? repositories.length === 1 && repositories[0]!.toLowerCase() === wanted
    : repositories.every((repository) => repository.toLowerCase().split('/')[0] === wanted);
  if (isWithin) return undefined;
  return `it gives ${repositories.join(', ')}: say ${scope.includes('/') ? 'that repository, and no other' : 'repositories of that owner'}`;
}
