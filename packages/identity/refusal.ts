/**
 * Why a token proves nobody, and the HTTP status that it is answered with. Bounded: it labels metrics, and clients match
 * on it. 401: show another token. 413: it is too large to be one. 503: this one may be good, ask again later.
 */
export const identityRefusals = {
  'token-too-large': 413,
  'token-malformed': 401,
  'token-encrypted': 401,
  /** A name stands twice in the JSON of header, claims or key set: two readers could read two values. */
  'duplicate-names': 401,
  'issuer-unknown': 401,
  'algorithm-not-allowed': 401,
  /** The header names an extension that changes what is signed (`crit`, `b64`), another type, or no key. */
  'header-not-allowed': 401,
  'key-unknown': 401,
  /** The issuer's keys could not be read, or were read too short a time ago to know of a new one. */
  'keys-unavailable': 503,
  'bad-signature': 401,
  'claim-missing': 401,
  'claim-malformed': 401,
  'audience-is-list': 401,
  'audience-other': 401,
  expired: 401,
  'not-yet-valid': 401,
  'too-old': 401,
  /** Genuine, and of an organisation, group or namespace that is not configured. */
  'owner-unknown': 401,
  /** Two claims name the same thing and say different ids of it. */
  'claims-disagree': 401,
} as const;
export type IdentityRefusalReason = keyof typeof identityRefusals;

/**
 * `message` says what is wrong and what to do. It repeats times, ids of keys and names of claims, and nothing else of
 * the token.
 */
export type IdentityRefusal = {
  status: (typeof identityRefusals)[IdentityRefusalReason];
  reason: IdentityRefusalReason;
  message: string;
  /** Seconds after which the same token may be shown again; with 503 alone. */
  retryAfterS?: number;
};

export function refuseToken(reason: IdentityRefusalReason, message: string, retryAfterS?: number): IdentityRefusal {
  return { status: identityRefusals[reason], reason, message, ...(retryAfterS === undefined ? {} : { retryAfterS }) };
}
