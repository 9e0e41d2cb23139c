import type { Standing, StandingGap } from '@tripline/access/standing';
import { outcomeOf } from '../classify.ts';
import { type GitHubClient, GitHubRefusedError, type GitHubRequest } from '../client.ts';
import { isForbidden } from '../inventory.ts';

/** One reading of what stands in an organisation: what was found, and what could not be read. */
export type Look = {
  client: GitHubClient;
  organization: string;
  add: (row: Standing) => void;
  /**
   * Reads one part. Where GitHub does not allow it, or does not have it, the part is a gap and what comes after it is read all
   * the same. @throws {GitHubRefusedError} {@link NoAnswerError} for anything else, such as a used up rate limit.
   */
  attempt: (part: Part, work: () => Promise<void>) => Promise<void>;
  gaps: () => StandingGap[];
};

/** `what` reads on from "… cannot be listed". `missing`: why GitHub has no such listing, where it answers 404. */
export type Part = Pick<StandingGap, 'what' | 'kinds'> & { permission: string; missing?: string; remedy?: string };

export function createLook(client: GitHubClient, organization: string, add: (row: Standing) => void): Look {
  const gaps = new Map<string, StandingGap>();
  return {
    ...{ client, organization, add },
    async attempt(part, work) {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof GitHubRefusedError)) throw error;
        const { status } = error.answer;
        const isMissing = status === 404 || status === 410;
        if (!isMissing && !isForbidden(error) && status !== 422) throw error;
        // A repository that was deleted meanwhile has nothing that stands.
        if (isMissing && part.missing === undefined) return;
        const known = gaps.get(part.what) ?? {
          what: part.what,
          why: isMissing ? part.missing! : error.message,
          remedy: part.remedy ?? `grant ${part.permission}`,
          kinds: part.kinds,
        };
        gaps.set(part.what, known);
      }
    },
    gaps: () => [...gaps.values()],
  };
}

/** GitHub's allowance of requests is used up: what was read so far is all that is to be had now. */
export const isLimited = (error: unknown): boolean =>
  error instanceof GitHubRefusedError && outcomeOf(error.answer, 0).reason === 'rate-limited';

/** A request that answers one thing. @throws {GitHubRefusedError} */
export async function readThing<T>(client: GitHubClient, request: GitHubRequest): Promise<T> {
  const answer = await client.send(request);
  if (answer.status >= 300) throw new GitHubRefusedError(request, answer);
  return answer.data as T;
}

/** `{contents: 'write'}` as `contents:write`. */
export const scopeOf = (permissions: Readonly<Record<string, string>> | undefined): string[] =>
  Object.entries(permissions ?? {})
    .map(([name, level]) => `${name}:${level}`)
    .sort();

/** What of these permissions is worth taking over. */
export function powerOf(scope: readonly string[]): ('writes' | 'administers')[] {
  const written = scope.filter((one) => /:(?:write|admin)$/.test(one));
  if (
    written.some((one) =>
      /^(?:administration|members|organization_administration|organization_custom_org_roles):/.test(one),
    )
  )
    return ['administers'];
  return written.length > 0 ? ['writes'] : [];
}

/** A row of which only what differs is said. */
export const row = (one: Pick<Standing, 'kind' | 'id' | 'name'> & Partial<Standing>): Standing => ({
  ...{ owner: null, repositories: [], scope: [], createdAt: null, expiresAt: null },
  ...{ lastUse: 'unknown', seenAs: null, usedBy: [], traits: [], environments: [] },
  ...one,
});

/** As GitHub tells a last use: null is never, and what it leaves out is unknown. */
export function lastUseOf(told: string | null | undefined): Standing['lastUse'] {
  if (told === undefined) return 'unknown';
  return told === null ? 'never' : { at: new Date(told).toISOString(), by: 'provider' };
}

/** RFC 3339 in UTC, as rows have times; null where there is none or it is no time. */
export function timeOf(told: string | null | undefined): string | null {
  const ms = Date.parse(told ?? '');
  return Number.isNaN(ms) ? null : new Date(ms).toISOString();
}
