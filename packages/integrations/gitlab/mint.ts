import type { Clock } from '@tripline/runtime/clock';
import { credentialHash } from '@tripline/runtime/redact';
import { z } from 'zod';
import { createJsonApi, type JsonAnswer, type NoCallAnswer, retryAfterMs } from '../caller.ts';
import type { MintAnswer, Minted, Minter, MinterOptions, MintOrder, Revocable, Revoked } from '../minter.ts';
import type { Check } from '../provider.ts';
import type { GitLabSettings } from './settings.ts';

type Order = MintOrder<'gitlab'>;
type Refused = Extract<MintAnswer, { result: 'refused' }>;

const levels = { guest: 10, planner: 15, reporter: 20, developer: 30, maintainer: 40 } as const;
const dayMs = 86_400_000;
const rateLimitedMs = 60_000;
/** Of the listing in which a token is looked for by name. */
const perPage = 100;
const mostPages = 20;

const made = z.object({
  id: z.int().positive(),
  name: z.string(),
  token: z.string().regex(/^[\x21-\x7e]{8,4096}$/),
  scopes: z.array(z.string()).min(1),
  access_level: z.int().positive(),
  expires_at: z.iso.date(),
});
const listed = z.array(
  z.object({ id: z.int().positive(), name: z.string(), revoked: z.boolean(), active: z.boolean() }),
);

/**
 * Project access tokens, named by the grant, with scopes and a level. Of all that is minted the widest: GitLab ends one by itself at
 * the end of a day alone, and whoever makes one must be Maintainer. It is revoked by its id; nothing of it is kept.
 * https://docs.gitlab.com/api/project_access_tokens/
 */
export function createGitLabMinter(
  { url, token }: GitLabSettings,
  { clock, fetch, timeoutMs }: MinterOptions & { clock: Clock },
): Minter<'gitlab'> {
  const api = createJsonApi({ url, service: 'GitLab', fetch, timeoutMs });
  const ask = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) =>
    api({
      ...{ method, path: `/api/v4/projects/${path}`, headers: { 'private-token': token } },
      ...(body === undefined ? {} : { body }),
    });

  async function mint({ give, grantId, pins, untilMs }: Order): Promise<MintAnswer> {
    const project = pins[give.project]?.id ?? '';
    if (!/^\d{1,15}$/.test(project))
      return refused('not-pinned', `${give.project} is not pinned by id: run tripline access lock`);
    const longestMs = Math.min(untilMs, clock.nowMs() + give.for);
    // It ends as this day begins, by UTC.
    const expiresAt = new Date(Math.ceil(longestMs / dayMs) * dayMs).toISOString().slice(0, 10);
    const level = levels[give.level];
    const answer = await ask('POST', `${project}/access_tokens`, {
      ...{ name: grantId, scopes: give.scopes, access_level: level, expires_at: expiresAt },
    });
    if (answer.status !== 201) return refusalOf(answer, give.project);
    const read = made.safeParse(answer.data);
    if (!read.success) {
      const id = (answer.data as { id?: unknown } | null)?.id;
      if (!Number.isSafeInteger(id)) return unreadable;
      return takeBack({ project, token: String(id) }, 'does not say what it may do and until when');
    }
    const { id, name, token: value, scopes, access_level: given, expires_at: until } = read.data;
    const handle = { project, token: String(id) };
    const wider = scopes.find((scope) => !give.scopes.includes(scope));
    let fault: string | undefined;
    if (name !== grantId) fault = 'bears another name than the grant’s id';
    else if (wider !== undefined) fault = `has the scope ${wider}, which was not asked for`;
    else if (given > level) fault = `has level ${given}, not ${level}`;
    else if (until > expiresAt) fault = `lives until ${until}, not ${expiresAt}`;
    if (fault !== undefined) return takeBack(handle, fault);
    const minted: Minted = {
      ...{ credential: { token: value }, handle, tokenHash: credentialHash(value), expiresAtMs: Date.parse(until) },
      scopes: [...scopes.map((scope) => `scope:${scope}`), `level:${given}`, `project:${project}`],
    };
    return { result: 'minted', minted };
  }

  async function takeBack(handle: Revocable['handle'], fault: string): Promise<MintAnswer> {
    const message = `GitLab gave a token that ${fault}`;
    const { result } = await revoke({ handle });
    if (result === 'dead') return refused('other-than-asked', `${message}; it was revoked`);
    return { result: 'unknown', reason: 'other-than-asked', message: `${message}, and could not be revoked` };
  }

  async function revoke({ handle }: Revocable): Promise<Revoked> {
    const path = pathOf(handle);
    if (path === undefined)
      return { result: 'not-yet', retry: false, reason: 'no-handle', message: 'its id is not known' };
    const answer = await ask('DELETE', path);
    if (answer.status === 204) return { result: 'dead', by: 'revoked' };
    if (answer.status === 400 || answer.status === 404) {
      // What was revoked before is refused.
      const { result } = await check({ handle });
      if (result === 'dead') return { result: 'dead', by: 'dead-already' };
    }
    const message = `GitLab does not revoke it: ${saidBy(answer)}`;
    if (answer.status === undefined) return { result: 'not-yet', retry: true, reason: answer.reason, message };
    if (answer.status === 429) {
      const afterMs = retryAfterMs(answer.headers, rateLimitedMs);
      return { result: 'not-yet', retry: true, reason: 'rate-limited', message, afterMs };
    }
    // A success of another kind is none of GitLab's.
    if (answer.status >= 500 || answer.status < 300) {
      return { result: 'not-yet', retry: true, reason: 'provider-failed', message };
    }
    const reason = answer.status === 401 || answer.status === 403 ? 'forbidden' : 'rejected';
    return { result: 'not-yet', retry: false, reason, message };
  }

  async function check({ handle }: Revocable): Promise<Check> {
    const path = pathOf(handle);
    if (path === undefined) return { result: 'unknown', detail: 'its id is not known' };
    const answer = await ask('GET', path);
    if (isGone(answer)) return { result: 'dead', detail: 'GitLab knows it no more' };
    const said = (answer.status === 200 ? answer.data : undefined) as
      | { revoked?: unknown; active?: unknown }
      | null
      | undefined;
    if (said?.revoked === true) return { result: 'dead', detail: 'GitLab says that it is revoked' };
    if (said?.active === false) return { result: 'dead', detail: 'GitLab says that it is active no more' };
    if (said?.active === true) return { result: 'alive', detail: 'GitLab says that it is active' };
    return { result: 'unknown', detail: `GitLab does not say: ${saidBy(answer)}` };
  }

  async function recover({ give, grantId, pins }: Order): ReturnType<NonNullable<Minter<'gitlab'>['recover']>> {
    const project = pins[give.project]?.id ?? '';
    const found: Revocable[] = [];
    for (let page = 1; page <= mostPages; page += 1) {
      const answer = await ask('GET', `${project}/access_tokens?state=active&per_page=${perPage}&page=${page}`);
      const read = listed.safeParse(answer.status === 200 ? answer.data : undefined);
      if (!read.success) return { result: 'unknown', detail: `GitLab lists no tokens: ${saidBy(answer)}` };
      const own = read.data.filter(({ name, revoked, active }) => name === grantId && active && !revoked);
      found.push(...own.map(({ id }) => ({ handle: { project, token: String(id) } })));
      if (read.data.length < perPage) return { result: 'known', found };
    }
    return { result: 'unknown', detail: `of more than ${perPage * mostPages} tokens not all can be looked at` };
  }

  return { kind: 'gitlab', mint, revoke, check, recover };
}

function pathOf({ project = '', token = '' }: Revocable['handle']): string | undefined {
  return /^\d{1,15}$/.test(project) && /^\d{1,15}$/.test(token) ? `${project}/access_tokens/${token}` : undefined;
}

type Answer = JsonAnswer | NoCallAnswer;

/** GitLab's own word that the project has no such token; another 404 may be a project that we may not see. */
function isGone(answer: Answer): boolean {
  const message = answer.status === 404 ? (answer.data as { message?: unknown } | null)?.message : undefined;
  return typeof message === 'string' && message.includes('Could not find project access token');
}

/** What an answer says, in words that bear nothing of a request. */
const saidBy = (answer: Answer) => (answer.status === undefined ? answer.message : `it answered ${answer.status}`);

const unreadable: MintAnswer = {
  ...{ result: 'unknown', reason: 'unreadable', message: 'GitLab’s answer is of no known form' },
};

function refusalOf(answer: Answer, project: string): MintAnswer {
  const message = `GitLab gives no token of ${project}: ${saidBy(answer)}`;
  if (answer.status === undefined) return { result: 'unknown', reason: answer.reason, message };
  if (answer.status === 429) {
    return { ...refused('rate-limited', message), retry: true, afterMs: retryAfterMs(answer.headers, rateLimitedMs) };
  }
  if (answer.status >= 500 || answer.status < 300) return { result: 'unknown', reason: 'provider-failed', message };
  if (answer.status < 400) return refused('moved', `${message}; check url in broker.gitlab`);
  if (answer.status === 401) return refused('unauthorised', `${message}; check token in broker.gitlab`);
  const must = 'whoever has broker.gitlab’s token must be Maintainer there, with scope api';
  if (answer.status === 403) return refused('forbidden', `${message}; ${must}`);
  if (answer.status === 404) return refused('not-found', `${message}; ${must}`);
  return refused('rejected', `${message}; check scopes and level, and whether the group allows project access tokens`);
}

function refused(reason: string, message: string): Refused {
  return { result: 'refused', retry: false, reason, message };
}
