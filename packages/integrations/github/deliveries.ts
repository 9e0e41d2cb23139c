import { nextInLink } from '@tripline/sources/link';
import { z } from 'zod';
import type { Outcome } from '../outcome.ts';
import { appClient, withAppToken } from './app-token.ts';
import { outcomeOf, outcomeOfError } from './classify.ts';
import { createGitHubClient, type GitHubClient, GitHubRefusedError } from './client.ts';
import { CannotReadError, cannotRead, type GitHubAccess } from './reader.ts';

/** A webhook whose deliveries GitHub lists: the App's own, or one of an organisation. */
export type Hook = { kind: 'app' } | { kind: 'organization'; organization: string; id: string };

/** The webhooks whose deliveries can be listed, by what is configured: those that are named, and the App's own. */
export function hooksOf(github: {
  app?: { id: string } | undefined;
  hooks: readonly { organization: string; id: string }[];
}): { name: string; hook: Hook; source: string | null }[] {
  const named = github.hooks.map(({ organization, id }) => ({
    name: `org:${organization.toLowerCase()}/${id}`,
    hook: { kind: 'organization', organization, id } as const,
    source: sourceOf(organization),
  }));
  if (github.app === undefined) return named;
  return [{ name: `app:${github.app.id}`, hook: { kind: 'app' }, source: null }, ...named];
}

/** Who says so in events of an organisation's deliveries; see `source` of packages/sources/github. */
const sourceOf = (organization: string) => `//github.com/${encodeURIComponent(organization)}`;

/**
 * Whether any of these webhooks may list deliveries of `source`. The App's webhook may list those of every
 * organisation.
 */
export function mayList(hooks: readonly { source: string | null }[], source: string): boolean {
  if (!source.startsWith('//github.com/')) return false;
  return hooks.some((hook) => hook.source === null || hook.source.toLowerCase() === source.toLowerCase());
}

export type HookAccess = GitHubAccess & { hookToken?: string | undefined };

/** One attempt of GitHub to make a delivery. Attempts of one delivery share its `guid`, which is `X-GitHub-Delivery`. */
export type DeliveryAttempt = {
  /** GitHub's number of the attempt; may be beyond 2^53, so it is text. */
  id: string;
  guid: string;
  atMs: number;
  event: string;
  redelivery: boolean;
  /** What the receiver answered; 0 where there was no answer. */
  statusCode: number;
  /** Whether it was answered 2xx. */
  made: boolean;
};

/** Newest first. `next` names the following page, or is null on the last one. */
export type DeliveryPage = { attempts: DeliveryAttempt[]; next: string | null };

export type HookClient = {
  /** @throws {CannotReadError} */
  list: (cursor: string | null) => Promise<DeliveryPage>;
  /** Requests one more attempt. GitHub answers 202 before it delivers: `done` means "accepted". Never rejects. */
  redeliver: (id: string) => Promise<Outcome>;
};

/**
 * GitHub deletes deliveries after this time, and redelivers none of them.
 * https://docs.github.com/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks
 */
export const deliveriesKeptMs = 3 * 86_400_000;

/**
 * Hands `work` a client for one webhook. The App's own needs no permission: the App's JWT will do. An organisation's is
 * seen through `hookToken`, or else through a token of the App that is minted for it and revoked afterwards.
 * @throws {CannotReadError}
 */
export async function withHook<T>(
  access: HookAccess,
  hook: Hook,
  options: { nowMs: () => number; onLeftAlive: (reason: string) => void },
  work: (client: HookClient) => Promise<T>,
): Promise<T> {
  const { apiUrl, app, hookToken, fetch, timeoutMs } = access;
  const common = { apiUrl, fetch, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  const manner = 'once';
  const use = (client: GitHubClient) => work(hookClient(client, hook, options.nowMs));
  try {
    if (hook.kind === 'organization' && hookToken !== undefined)
      return await use(createGitHubClient({ ...common, authorization: `token ${hookToken}`, manner }));
    if (app === undefined) throw new Error('a webhook is configured with nothing to ask for its deliveries');
    if (hook.kind === 'app') return await use(await appClient({ ...common, ...app }));
    const scope = { owner: hook.organization, permissions: { organization_hooks: 'write' } } as const;
    return await withAppToken({ ...common, ...app }, scope, use, { ...options, manner });
  } catch (error) {
    throw cannotRead(error, options.nowMs());
  }
}

function hookClient(client: GitHubClient, hook: Hook, nowMs: () => number): HookClient {
  const [deliveries, where] =
    hook.kind === 'app'
      ? ['/app/hook/deliveries', {}]
      : ['/orgs/{org}/hooks/{hook_id}/deliveries', { org: hook.organization, hook_id: hook.id }];
  return {
    async list(cursor) {
      const parameters = { ...where, per_page: 100, ...(cursor === null ? {} : { cursor }) };
      const request = { route: `GET ${deliveries}`, parameters };
      const answer = await client.send(request).catch((error: unknown) => {
        throw cannotRead(error, nowMs());
      });
      if (answer.status !== 200) throw cannotRead(new GitHubRefusedError(request, answer), nowMs());
      const attempts = page.safeParse(answer.data);
      if (attempts.success) return { attempts: attempts.data, next: nextInLink(answer.headers['link'], 'cursor') };
      const message = `GitHub's answer to GET ${deliveries} is no list of deliveries`;
      throw new CannotReadError({ kind: 'retry', reason: 'broken-off', message });
    },
    async redeliver(id) {
      try {
        const parameters = { ...where, delivery_id: id };
        return outcomeOf(
          await client.send({ route: `POST ${deliveries}/{delivery_id}/attempts`, parameters }),
          nowMs(),
        );
      } catch (error) {
        return outcomeOfError(error);
      }
    },
  };
}

const page = z.array(
  z
    .object({
      id: z.union([z.int(), z.bigint()]).transform(String),
      guid: z.string().regex(/^[A-Za-z0-9-]{1,100}$/),
      delivered_at: z.iso.datetime({ offset: true }),
      redelivery: z.boolean(),
      status_code: z.int().min(0).max(999),
      event: z.string().max(100),
    })
    .transform(
      ({ id, guid, delivered_at, redelivery, status_code, event }): DeliveryAttempt => ({
        ...{ id, guid, event, redelivery },
        atMs: Date.parse(delivered_at),
        statusCode: status_code,
        made: status_code >= 200 && status_code < 300,
      }),
    ),
);
