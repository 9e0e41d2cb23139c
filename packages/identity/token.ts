import { parseObjectOfUniqueNames } from './json-object.ts';
import { type IdentityRefusal, refuseToken } from './refusal.ts';

/** Longest token that is read, in bytes: GitHub's have some 2,500, one of many custom properties some 5,000. */
const tokenLimitBytes = 8192;

/** A token as it is written, before anything of it is proved. */
export type ParsedToken = {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
  signature: Buffer;
};

/**
 * Reads a compact JWS strictly: three parts of canonical base64url (one spelling for the same bytes, so that a token
 * cannot be spelled anew to be another), header and claims each one JSON object without a name that stands twice.
 */
export function parseToken(token: string): ParsedToken | { refusal: IdentityRefusal } {
  if (token.length > tokenLimitBytes) {
    const message = `The token is longer than ${tokenLimitBytes} bytes: send the id token alone`;
    return { refusal: refuseToken('token-too-large', message) };
  }
  const parts = token.split('.');
  if (parts.length === 5)
    return { refusal: refuseToken('token-encrypted', 'The token is encrypted (JWE): send the signed id token') };
  const decoded = parts.map(decodePart);
  const [header, claims, signature] = decoded;
  if (decoded.length !== 3 || !header || !claims || !signature?.length) return { refusal: malformed() };
  const read = { header: parseObjectOfUniqueNames(header), claims: parseObjectOfUniqueNames(claims) };
  for (const [part, one] of Object.entries(read)) {
    if (!('fault' in one)) continue;
    if (one.fault === 'no-object') return { refusal: malformed() };
    const message = `A name stands twice in the token’s ${part}: no issuer writes such a token`;
    return { refusal: refuseToken('duplicate-names', message) };
  }
  const { header: headerRead, claims: claimsRead } = read as Record<
    keyof typeof read,
    { object: ParsedToken['header'] }
  >;
  return { header: headerRead.object, claims: claimsRead.object, signature };
}

function malformed(): IdentityRefusal {
  return refuseToken(
    'token-malformed',
    'This is no id token: send the signed JWT as the issuer gave it, three parts with dots between',
  );
}

/** The bytes of one part, or undefined where it is no base64url or not the one way to write them. */
function decodePart(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url');
  return bytes.toString('base64url') === part ? bytes : undefined;
}
