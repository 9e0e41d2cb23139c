import { trustBuildkite } from './buildkite/issuer.ts';
import { trustCircleCi } from './circleci/issuer.ts';
import { trustGitHub } from './github/issuer.ts';
import { trustGitLab } from './gitlab/issuer.ts';
import type { TrustedIssuer } from './issuer.ts';
import type { IdentitySettings } from './settings.ts';

/**
 * The issuers that the settings name, each with its place in them. To add a kind: a folder beside this file, a line here
 * and one in settings.ts.
 */
export function trustedIssuers(settings: IdentitySettings): { path: [string, number]; issuer: TrustedIssuer }[] {
  const of = <One>(kind: string, named: readonly One[], trust: (one: One) => TrustedIssuer) =>
    named.map((one, nth) => ({ path: [kind, nth] as [string, number], issuer: trust(one) }));
  return [
    ...of('github', settings.github, trustGitHub),
    ...of('gitlab', settings.gitlab, trustGitLab),
    ...of('buildkite', settings.buildkite, trustBuildkite),
    ...of('circleci', settings.circleci, trustCircleCi),
  ];
}

/**
 * Audiences for which jobs ask tokens to show them to others: whoever receives one could show it here. Those that the issuers
 * put in by default, and those of the services that jobs sign in to most.
 */
const audiencesOfOthers = [
  /^https:\/\/(?:github|buildkite|gitlab)\.com(?:\/|$)/,
  /^(?:sts\.amazonaws\.com|api:\/\/AzureADTokenExchange|sigstore|pypi|testpypi|npm:registry\.npmjs\.org)$/,
];

/** What is wrong with `identity` as a whole, each with its place in it. */
export function faultsOfIdentity(settings: IdentitySettings): { path: (string | number)[]; message: string }[] {
  const named = trustedIssuers(settings);
  const twice = named.filter(({ issuer }, at) => named.findIndex((other) => other.issuer.iss === issuer.iss) !== at);
  const shared = settings.circleci.flatMap(({ organization }, nth) =>
    organization === settings.audience ? [nth] : [],
  );
  const { audience } = settings;
  const isOfOthers = audience !== undefined && audiencesOfOthers.some((form) => form.test(audience));
  return [
    ...(isOfOthers ? [{ path: ['audience'], message: 'is what jobs show to others; choose one of your own' }] : []),
    ...twice.map(({ path }) => ({ path, message: 'has an issuer that is named twice; name all of its owners in one' })),
    ...shared.map((nth) => ({
      path: ['circleci', nth, 'organization'],
      message:
        'is also identity.audience: every service that trusts CircleCI is shown such tokens; choose one of your own',
    })),
  ];
}
