import { z } from 'zod';
import { issuerUrl, jwksUri, numericIds, thumbprints } from '../issuer-settings.ts';

/** One of `identity.gitlab`. */
export const gitLabIssuerSettings = z.strictObject({
  issuer: issuerUrl.default('https://gitlab.com').describe('Address of the GitLab instance, as tokens write `iss`.'),
  jwksUri,
  thumbprints,
  namespaces: numericIds.describe(
    'Ids of the groups whose projects are known, each subgroup by its own (`namespace_id`: group page, *⋮ → Copy group ID*).',
  ),
});
export type GitLabIssuerSettings = z.output<typeof gitLabIssuerSettings>;
