import { z } from 'zod';
import { jwksUri, thumbprints, uuidSetting } from '../issuer-settings.ts';

/** One of `identity.circleci`: each organisation is an issuer of its own. */
export const circleCiIssuerSettings = z.strictObject({
  organization: uuidSetting.describe('UUID of the organisation (*Organization Settings → Overview*).'),
  jwksUri,
  thumbprints,
});
export type CircleCiIssuerSettings = z.output<typeof circleCiIssuerSettings>;
