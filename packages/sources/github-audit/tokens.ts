import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { refuse } from '../refusal.ts';
import type { FeedSecret, SecretScope } from '../secrets.ts';
import type { RequestHeaders, Verified } from '../source.ts';

/** The settings from which the stream's tokens are read. */
export type TokenSettings = {
  'github-audit'?: { tokens?: readonly string[] | undefined } | undefined;
  workspaces: readonly { id: string; 'github-audit'?: { tokens?: readonly string[] | undefined } | undefined }[];
  drills: boolean;
  drillKey?: string | undefined;
};

/**
 * The token by which `tripline attack` sends records. A token is sent as it stands, so it is made of the drill key and not the
 * key itself, which signs: whoever reads a drill's delivery can sign none.
 */
export function drillTokenOf(drillKey: string): string {
  return createHmac('sha256', drillKey).update('token of the audit log’s stream').digest('hex');
}

/**
 * The stream's tokens. Those of `github-audit` are valid for any organisation while no workspace is configured, else for the
 * workspaces that have none of their own. A token in several places, as while it is being moved, is valid for all of them. A
 * drill's is valid for drills alone.
 */
export function auditTokens({ 'github-audit': all, workspaces, drills, drillKey }: TokenSettings): FeedSecret[] {
  const tokens = new Map<string, string[]>();
  const add = (token: string, ids: readonly string[]) => tokens.set(token, [...(tokens.get(token) ?? []), ...ids]);
  const rest = workspaces.filter((workspace) => workspace['github-audit']?.tokens === undefined);
  for (const token of all?.tokens ?? [])
    add(
      token,
      rest.map(({ id }) => id),
    );
  for (const { id, 'github-audit': own } of workspaces) for (const token of own?.tokens ?? []) add(token, [id]);
  const scopeOf = (ids: readonly string[]): SecretScope =>
    workspaces.length === 0 ? { kind: 'anybody' } : { kind: 'workspaces', ids, beyond: false };
  const list = [...tokens].map(([secret, ids]): FeedSecret => ({ secret, secretScope: scopeOf(ids) }));
  if (!drills || drillKey === undefined) return list;
  return [...list, { secret: drillTokenOf(drillKey), secretScope: { kind: 'drills' } }];
}

/** `Authorization: Splunk <token>`. Every token is compared, in constant time, so that the answer's does not tell which one fitted. */
export function verifyToken(headers: RequestHeaders, secrets: readonly FeedSecret[]): Verified {
  const given = headers['authorization'];
  if (typeof given !== 'string' || given.trim() === '')
    return { refusal: refuse(401, 'missing-signature', 'Authorization is missing; send `Splunk <token>`') };
  const token = /^Splunk /i.test(given) ? given.slice('Splunk '.length).trim() : '';
  if (token === '')
    return { refusal: refuse(401, 'malformed-authorization', 'Authorization must be `Splunk <token>`') };
  const digest = digestOf(token);
  let fitting: SecretScope | undefined;
  for (const { secret, secretScope } of secrets) if (timingSafeEqual(digest, digestOf(secret))) fitting = secretScope;
  const message = 'The token is none of this feed: github-audit.tokens, or workspaces[].github-audit.tokens';
  return fitting === undefined ? { refusal: refuse(401, 'bad-signature', message) } : { secretScope: fitting };
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();
