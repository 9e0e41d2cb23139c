import { z } from 'zod';
import { saidBy, type VaultSession } from './session.ts';

/** What signs with a key of the transit engine: `mount` and name of it. */
export type TransitKey = { mount: string; key: string };

/** Vault signed nothing. The message says why and what to do, without a secret. */
export class NotSignedError extends Error {
  readonly code = 'NOT_SIGNED';
}

const signed = z.object({ data: z.object({ signature: z.string().regex(/^vault:v\d{1,9}:[\w-]{86,2048}$/) }) });

/**
 * The RS256 signature of `input`, base64url, by a key that never leaves OpenBao or Vault.
 * https://openbao.org/api-docs/secret/transit/#sign-data
 * @throws {NotSignedError}
 */
export async function signByTransit(
  { ask }: Pick<VaultSession, 'ask'>,
  { mount, key }: TransitKey,
  input: string,
): Promise<string> {
  const answer = await ask({
    ...{ method: 'POST', path: `${mount}/sign/${encodeURIComponent(key)}/sha2-256` },
    body: {
      input: Buffer.from(input).toString('base64'),
      // As JSON Web Signatures want it: base64url without padding.
      ...{ signature_algorithm: 'pkcs1v15', marshaling_algorithm: 'jws' },
    },
  });
  const read = signed.safeParse(answer.status === 200 ? answer.data : undefined);
  if (read.success) return read.data.data.signature.split(':')[2]!;
  const remedy = `let the broker update ${mount}/sign/${key}, and see that it is an RSA key`;
  throw new NotSignedError(`Vault does not sign with ${mount}/keys/${key}: ${saidBy(answer)}; ${remedy}`);
}
