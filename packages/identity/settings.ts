import type { EnvironmentSetting } from '@tripline/runtime/setting';
import { z } from 'zod';
import { buildkiteIssuerSettings } from './buildkite/settings.ts';
import { circleCiIssuerSettings } from './circleci/settings.ts';
import { gitHubIssuerSettings } from './github/settings.ts';
import { gitLabIssuerSettings } from './gitlab/settings.ts';

/** `identity` of tripline.yaml: whose id tokens prove who asks. Nobody's, unless it is named here. */
export const identitySettings = z.strictObject({
  audience: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe(
      'What tokens must name as their only `aud`: the address under which jobs ask for access. It must be nobody else’s, or a token that was shown elsewhere could be shown here.',
    ),
  github: z.array(gitHubIssuerSettings).default([]).describe('GitHub Actions: github.com, GHE.com, Enterprise Server.'),
  gitlab: z.array(gitLabIssuerSettings).default([]).describe('GitLab CI/CD, each instance by itself.'),
  buildkite: z.array(buildkiteIssuerSettings).default([]).describe('Buildkite.'),
  circleci: z.array(circleCiIssuerSettings).default([]).describe('CircleCI, each organisation by itself.'),
});
export type IdentitySettings = z.output<typeof identitySettings>;

export const identityEnvironment: readonly EnvironmentSetting[] = [
  { name: 'TRIPLINE_IDENTITY_AUDIENCE', path: 'identity.audience' },
];
