import { z } from 'zod';
import { issuerUrl, jwksUri, thumbprints, uuidSetting } from '../issuer-settings.ts';

/** One of `identity.buildkite`. */
export const buildkiteIssuerSettings = z.strictObject({
  issuer: issuerUrl
    .default('https://agent.buildkite.com')
    .describe('The same for all customers, as tokens write `iss`.'),
  jwksUri,
  thumbprints,
  organizations: z
    .array(uuidSetting)
    .min(1)
    .describe('UUIDs of the organisations whose jobs are known (`id` of `GET /v2/organizations/<slug>`).'),
});
export type BuildkiteIssuerSettings = z.output<typeof buildkiteIssuerSettings>;
