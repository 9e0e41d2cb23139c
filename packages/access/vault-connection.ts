import { httpUrl, secret } from '@tripline/runtime/setting';
import { z } from 'zod';

/** A path at which something is mounted in OpenBao or Vault. */
export const mount = z.string().regex(/^[\w-]{1,100}(?:\/[\w-]{1,100}){0,5}$/, 'say its path, as approle');

/** Where OpenBao or Vault is, and by what the broker is known there: fields of every setting that names one. */
export const vaultConnection = {
  url: httpUrl.describe('Address of OpenBao or Vault, without /v1.'),
  namespace: z
    .string()
    .regex(/^[\w./-]{1,200}$/, 'say its path')
    .optional()
    .describe('Its namespace, where it has any.'),
  token: secret.optional().describe('A periodic token of the broker’s own, which it renews.'),
  appRole: z
    .strictObject({
      mount: mount.default('approle').describe('Where the method is mounted, below auth/.'),
      roleId: z.string().min(1).max(200).describe('Id of the role.'),
      secretId: secret.describe('Its secret id.'),
    })
    .optional()
    .describe('Or the AppRole by which the broker logs in.'),
  jwt: z
    .strictObject({
      mount: mount.default('kubernetes').describe('Where the method is mounted, below auth/: kubernetes or jwt.'),
      role: z.string().min(1).max(200).describe('Role to log in as.'),
      file: z
        .string()
        .min(1)
        .default('/var/run/secrets/kubernetes.io/serviceaccount/token')
        .describe('File of the token, read at each login.'),
    })
    .optional()
    .describe('Or the token of the machine by which it logs in.'),
};
export type VaultConnection = z.output<z.ZodObject<typeof vaultConnection>>;

/** Of the three ways to log in a setting says one. */
export const saysOneLogin = ({ token, appRole, jwt }: Pick<VaultConnection, 'token' | 'appRole' | 'jwt'>): boolean =>
  [token, appRole, jwt].filter((one) => one !== undefined).length === 1;
export const oneLogin = 'say one of token, appRole and jwt: by what the broker is known there';
