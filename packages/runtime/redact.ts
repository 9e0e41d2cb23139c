import { createHash } from 'node:crypto';

/**
 * Shapes of credentials that people and attackers put where text is expected: titles, branch names, commit messages,
 * URLs. Prefixes are those that the issuers publish for secret scanning. Every expression is linear: a literal prefix,
 * then one character class that cannot fail after its minimum; where more must follow (a JWT's dots), the look-behind
 * lets no second attempt begin within the first one's run.
 */
const shapes: readonly { kind: string; pattern: RegExp }[] = [
  // GitHub's tokens, the stateless `ghs_<app>_<jwt>` with its dots included.
  { kind: 'github-token', pattern: /gh[pousr]_[\w.-]{16,}/g },
  { kind: 'github-token', pattern: /github_pat_\w{16,}/g },
  { kind: 'gitlab-token', pattern: /gl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|oas|imt)-[\w.-]{16,}/g },
  { kind: 'slack-token', pattern: /xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}/g },
  { kind: 'slack-webhook', pattern: /hooks\.slack\.com\/(?:services|workflows)\/[\w/-]{10,}/g },
  { kind: 'aws-access-key', pattern: /(?:AKIA|ASIA)[A-Z0-9]{16}/g },
  { kind: 'npm-token', pattern: /npm_[A-Za-z0-9]{30,}/g },
  { kind: 'pypi-token', pattern: /pypi-[\w-]{30,}/g },
  { kind: 'vault-token', pattern: /hv[sbr]\.[\w-]{20,}/g },
  { kind: 'stripe-key', pattern: /[rs]k_live_[A-Za-z0-9]{16,}/g },
  { kind: 'google-key', pattern: /AIza[\w-]{35}/g },
  { kind: 'jwt', pattern: /(?<![\w-])eyJ[\w-]{10,}\.[\w-]{4,}\.[\w-]{4,}/g },
  { kind: 'private-key', pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g },
];
/** All patterns as one: nearly every text matches none of them. */
const anyShape = new RegExp(shapes.map(({ pattern }) => pattern.source).join('|'));
/** Length of the shortest text that any pattern matches. Most names and states are shorter and need no check. */
export const shortestCredential = 15;
/** `scheme://user:password@`: the password goes, the rest stays readable. */
const urlPassword = /(:\/\/[^\s/:@]{1,256}:)([^\s/@]{1,1024})(@)/g;

/** Base64 SHA-256 of a credential, as `hashed_token` in GitHub's audit log. */
export function credentialHash(value: string): string {
  return createHash('sha256').update(value).digest('base64');
}

/** Replaces every part of `text` that looks like a credential by its hash. */
export function redactText(text: string): string {
  let redacted = text;
  if (text.length >= shortestCredential && anyShape.test(text)) {
    for (const { kind, pattern } of shapes) {
      redacted = redacted.replace(pattern, (value) => `[${kind} sha256:${credentialHash(value)}]`);
    }
  }
  // Most URLs contain no @, which is fast to check.
  return redacted.includes('://') && redacted.includes('@')
    ? redacted.replace(urlPassword, '$1[password]$3')
    : redacted;
}

/** `redact` on every string within a JSON value, keys included; shares what did not change. */
export function redactValue<T>(value: T, redact: (text: string) => string = redactText): T {
  if (typeof value === 'string') return redact(value) as T;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    let changed = false;
    const items = value.map((item: unknown) => {
      const redacted = redactValue(item, redact);
      changed ||= redacted !== item;
      return redacted;
    });
    return changed ? (items as T) : value;
  }
  let changed = false;
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => {
    const redacted: [string, unknown] = [redact(key), redactValue(item, redact)];
    changed ||= redacted[0] !== key || redacted[1] !== item;
    return redacted;
  });
  return changed ? (Object.fromEntries(entries) as T) : value;
}
