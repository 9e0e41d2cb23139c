import { listByTier, tiers } from '@tripline/access/settings';
import { httpUrl, secret } from '@tripline/runtime/setting';
import { z } from 'zod';

const gitlab = z.strictObject({
  tiers: tiers.describe('Tiers whose credentials it mints; absent: those that no other entry names.'),
  url: httpUrl.default('https://gitlab.com').describe('Address of GitLab.'),
  token: secret.describe(
    'A token with scope api of somebody who is Maintainer of the projects that policies give, and of no others.',
  ),
});

/** `broker.gitlab` of tripline.yaml. */
export const gitlabSettings = listByTier(gitlab)
  .default([])
  .describe('GitLab as what gives jobs project access tokens, one entry a tier. None: gives none.');
export type GitLabSettings = z.output<typeof gitlabSettings>[number];
