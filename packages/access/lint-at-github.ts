import type { Problem } from './lint.ts';
import type { PolicyFile } from './policy.ts';

/** What GitHub says of that which policies rest on, where it was asked. */
export type AtGithub = {
  /** By tier and repository, `production acme/api`: what its App was granted there, or that it is not installed on it. */
  granted: ReadonlyMap<string, Readonly<Record<string, string>> | 'not-installed'>;
  /** By repository and environment, `acme/api production`. */
  environments: ReadonlyMap<string, EnvironmentAtGithub>;
};
/**
 * `absent`: GitHub makes it when a job names it first. `open`: no reviewer and no gate. `unknown`: it could not be read. `mayHaveNone`: the
 * repository is private, and such have gates and reviewers only with GitHub Enterprise.
 */
export type EnvironmentAtGithub = { is: 'gated' | 'open' | 'absent' | 'unknown'; mayHaveNone: boolean };

const levels = ['read', 'write', 'admin'];
const strictTier = 'production';
const freeTier = 'dev';

/** What is asked of GitHub to judge them: repositories by the tier whose App gives on them, and environments that are named whole. */
export function askedOfGithub({ policies }: PolicyFile) {
  const given = new Map<string, { tier: string; repository: string }>();
  const named = new Map<string, { repository: string; environment: string }>();
  for (const { tier, who, give } of Object.values(policies)) {
    for (const one of give)
      if ('github' in one)
        for (const repository of one.github.repositories) given.set(`${tier} ${repository}`, { tier, repository });
    if (!('github' in who) || tier === freeTier) continue;
    const { repository } = who.github;
    for (const environment of who.github.environment ?? [])
      if (typeof environment === 'string') named.set(`${repository} ${environment}`, { repository, environment });
  }
  return { given: [...given.values()], environments: [...named.values()] };
}

/** What policies ask for that GitHub would not give, and which of their environments nothing gates. */
export function lintAtGithub({ policies }: PolicyFile, { granted, environments }: AtGithub): Problem[] {
  return Object.entries(policies).flatMap(([policy, { tier, who, give }]) => {
    const lacks = give.flatMap((one) => {
      if (!('github' in one)) return [];
      return one.github.repositories.flatMap((repository) =>
        lacking(repository, one.github.permissions, granted.get(`${tier} ${repository}`), tier),
      );
    });
    const open =
      'github' in who && tier !== freeTier
        ? (who.github.environment ?? []).flatMap((environment) =>
            typeof environment === 'string' ? ungated(who.github.repository, environment, tier, environments) : [],
          )
        : [];
    return [...lacks, ...open].map((problem) => ({ ...problem, policy }));
  });
}

function lacking(
  repository: string,
  wanted: Readonly<Record<string, string>>,
  has: Readonly<Record<string, string>> | 'not-installed' | undefined,
  tier: string,
): Problem[] {
  if (has === undefined) return [];
  if (has === 'not-installed')
    return [{ level: 'error', what: `the App of ${tier} is not installed on ${repository}: install it there` }];
  const short = Object.entries(wanted).filter(
    ([name, level]) => levels.indexOf(level) > levels.indexOf(has[name] ?? ''),
  );
  if (short.length === 0) return [];
  const said = short.map(([name, level]) => `${name}: ${level} (it has ${has[name] ?? 'none'})`).join(', ');
  return [{ level: 'error', what: `the App of ${tier} lacks on ${repository} ${said}: grant it, or ask for less` }];
}

function ungated(repository: string, environment: string, tier: string, known: AtGithub['environments']): Problem[] {
  const { is, mayHaveNone } = known.get(`${repository} ${environment}`) ?? { is: 'unknown', mayHaveNone: true };
  if (is === 'gated' || is === 'unknown') return [];
  const what =
    is === 'absent'
      ? `environment ${environment} is not there in ${repository}: GitHub makes it, ungated, for the first job that names it`
      : `environment ${environment} of ${repository} has no gate and no reviewer: any job that names it is of ${tier}`;
  const private_ = mayHaveNone
    ? '; a private repository has gates with GitHub Enterprise alone, and without one asking the broker is the only gate'
    : ': add the gate';
  return [{ level: tier === strictTier && !mayHaveNone ? 'error' : 'notice', what: `${what}${private_}` }];
}
