import type { EnvironmentSetting } from '@tripline/runtime/setting';
import { z } from 'zod';

/** `database` of tripline.yaml. */
export const databaseSettings = z
  .strictObject({
    url: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must begin with postgres://')
      .optional()
      .describe(
        'Postgres to use, with the parameters of libpq (`sslmode`, `sslrootcert`, …). Absent: an embedded one in the data folder. Tables lie in schema `public`, unless `options` name a search_path.',
      ),
    sslMode: z
      .enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'])
      .optional()
      .describe("How much TLS is asked for where the URL has no `sslmode`; libpq's own default is `prefer`."),
    sslRootCert: z
      .string()
      .min(1)
      .optional()
      .describe("PEM file of the CAs that may vouch for the server; `system` for this machine's own."),
    sslCert: z.string().min(1).optional().describe('PEM file of a client certificate.'),
    sslKey: z.string().min(1).optional().describe('PEM file of its key.'),
  })
  .transform(({ url, ...tls }) => ({ url: url && withParameters(url, tls) }));

/** Lays libpq's variables beneath the parameters that a URL has. */
function withParameters(url: string, beneath: Record<string, string | undefined>): string {
  const [base, query] = url.split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  const isSecured = parameters.has('sslmode') || parameters.has('ssl');
  for (const [name, value] of Object.entries(beneath)) {
    const parameter = name.toLowerCase();
    if (value !== undefined && !parameters.has(parameter) && !(name === 'sslMode' && isSecured)) {
      parameters.set(parameter, value);
    }
  }
  return parameters.size > 0 ? `${base}?${parameters}` : url;
}

export const databaseEnvironment: readonly EnvironmentSetting[] = [
  { name: 'DATABASE_URL', path: 'database.url', secret: true },
  { name: 'PGSSLMODE', path: 'database.sslMode' },
  { name: 'PGSSLROOTCERT', path: 'database.sslRootCert' },
  { name: 'PGSSLCERT', path: 'database.sslCert' },
  { name: 'PGSSLKEY', path: 'database.sslKey' },
];
