import { parseJsonObject } from '@tripline/sources/json';
import { cursorAfter, windowAt } from '@tripline/sources/poll-window';
import { type Polled, refusedByStatus } from '@tripline/sources/polled';
import type { EventOfMany, Ignored } from '@tripline/sources/source';
import { z } from 'zod';

type Needs = { gazette?: { apiUrl: string; token?: string | undefined; organizations: readonly string[] } };

const hourMs = 3_600_000;
const entry = z.object({ id: z.string(), atMs: z.int(), actor: z.string(), reads: z.string() });
const page = z.object({ records: z.array(z.unknown()), next: z.string().nullable(), restMs: z.int().optional() });

/** Each record tells who read which repository. */
export const polled: Polled<Needs> = {
  name: 'gazette',
  kept: [{ records: 'records', keptMs: 7 * 24 * hourMs }],
  targets: ({ gazette }) =>
    (gazette?.organizations ?? []).map((name) => ({
      ...{ name, workspace: name, apiUrl: gazette!.apiUrl, intervalMs: 60_000 },
      ...(gazette!.token === undefined
        ? {
            headers: {},
            token: { provider: 'github', owner: name, permissions: { organization_administration: 'read' } },
          }
        : { headers: { authorization: `token ${gazette!.token}` } }),
    })),
  request({ target: { apiUrl, name }, cursor, begunMs }) {
    const { sinceMs, page: next } = windowAt(cursor, begunMs - hourMs);
    const query = new URLSearchParams({ since: String(sinceMs), ...(next !== null && { page: next }) });
    return { url: `${apiUrl}/orgs/${encodeURIComponent(name)}/records?${query}` };
  },
  read(answer, { target, cursor, begunMs, nowMs }) {
    if (answer.status !== 200) return refusedByStatus(answer, 'the gazette', nowMs);
    const parsed = parseJsonObject(answer.body);
    const fitted = 'body' in parsed ? page.safeParse(parsed.body) : undefined;
    if (!fitted?.success) return { refused: 'retry', message: 'the gazette answered no page of records' };
    const { records, next, restMs } = fitted.data;
    const entries = records.map((record) => entry.safeParse(record));
    const read = entries.flatMap(({ data }) => (data === undefined ? [] : [data]));
    const newestMs = read.reduce((newest, { atMs }) => Math.max(newest, atMs), 0);
    const window = windowAt(cursor, begunMs - hourMs);
    return {
      events: read.map((one) => eventOf(one, target.workspace)),
      leftOut: records.flatMap((content, nth): Ignored[] =>
        entries[nth]!.success ? [] : [{ ignored: 'unexpected-shape', unread: { content } }],
      ),
      cursor: cursorAfter(window, { newestMs, next, nowMs, overlapMs: 15 * 60_000 }),
      hasMore: next !== null,
      ...(next === null && { wholeUntilMs: nowMs }),
      ...(restMs !== undefined && { restMs }),
    };
  },
  doctor: ({ gazette }) => [
    {
      name: 'feed Gazette',
      remedy: 'set gazette.token',
      look: async () => (gazette ? { state: 'ok', detail: 'configured' } : { state: 'off', detail: 'not configured' }),
    },
  ],
};

function eventOf({ id, atMs, actor, reads }: z.infer<typeof entry>, workspace: string): EventOfMany {
  return {
    ...{ id: `gazette:${id}`, source: `//gazette.example/${workspace}` },
    ...{ type: 'dev.cdeventsx.tripline-repository.read', time: new Date(atMs).toISOString() },
    ...{ workspace, trust: 'medium' },
    data: { 'vcs.repository.name': reads, 'user.name': actor },
  };
}
