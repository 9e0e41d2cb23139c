import { httpUrl } from '@tripline/runtime/setting';
import { z } from 'zod';

/** Building blocks of the settings of issuers. */

/** `iss` as tokens write it, which none of the issuers ends in a slash. */
export const issuerUrl = httpUrl.refine(
  (text) => !text.endsWith('/'),
  'must be as tokens write it, without a slash at its end',
);

export const jwksUri = httpUrl
  .optional()
  .describe('Where its keys are read. Absent: where the issuer publishes them, below its own address.');

export const thumbprints = z
  .array(z.string().regex(/^[\w-]{43}$/, 'must be a thumbprint of RFC 7638: SHA-256 in base64url, 43 characters'))
  .min(1)
  .optional()
  .describe(
    'RFC 7638 thumbprints of the only keys that are believed, for those who would rather stop than trust a new key unseen. Absent: any key that it publishes.',
  );

export const numericIds = z.array(z.string().regex(/^[1-9]\d{0,19}$/, 'must be a number in quotes')).min(1);
export const uuidSetting = z
  .string()
  .regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be a UUID in lower case');
