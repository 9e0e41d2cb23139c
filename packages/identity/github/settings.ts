import { z } from 'zod';
import { issuerUrl, jwksUri, numericIds, thumbprints } from '../issuer-settings.ts';

/** One of `identity.github`. */
export const gitHubIssuerSettings = z.strictObject({
  issuer: issuerUrl
    .default('https://token.actions.githubusercontent.com')
    .describe(
      'As tokens write `iss`: another for an enterprise’s own issuer, for GHE.com, and for Enterprise Server (`https://HOST/_services/token`).',
    ),
  jwksUri,
  thumbprints,
  owners: numericIds.describe('Ids of the organisations whose jobs are known (`gh api orgs/acme --jq .id`).'),
  namesJobs: z
    .boolean()
    .default(true)
    .describe(
      'Whether tokens name their job (`check_run_id`). False for an Enterprise Server, whose tokens do not: then a grant lasts until the run ends, not the job.',
    ),
});
export type GitHubIssuerSettings = z.output<typeof gitHubIssuerSettings>;
