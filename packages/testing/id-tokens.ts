import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** A key of an issuer: signs as it does, and stands in its key set. */
export type IssuerKey = {
  publicJwk: JWK & { kid: string };
  /** RFC 7638, SHA-256 in base64url. */
  thumbprint: string;
  /** A token over `claims`; `header` adds to its header or changes it. */
  sign: (claims: Record<string, unknown>, header?: Record<string, unknown>) => Promise<string>;
};

/** RSA of 2,048 bits, as GitHub, GitLab, Buildkite and CircleCI have. */
export async function makeIssuerKey(kid: string, algorithm = 'RS256'): Promise<IssuerKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' };
  return {
    publicJwk,
    thumbprint: await calculateJwkThumbprint(publicJwk),
    sign: (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid, typ: 'JWT', ...header }).sign(privateKey),
  };
}
