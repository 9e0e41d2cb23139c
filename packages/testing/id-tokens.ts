import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK, jwtVerify, SignJWT } from 'jose';

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

/** Verifies as jose alone does it, with the key at hand: what every verifier must do at least. */
export async function verifierByJose(key: IssuerKey, expected: { audience: string; issuer: string }) {
  const imported = await importJWK(key.publicJwk, 'RS256');
  return (token: string) => jwtVerify(token, imported, { algorithms: ['RS256'], typ: 'JWT', ...expected });
}
