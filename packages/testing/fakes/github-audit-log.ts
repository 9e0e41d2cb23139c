import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A record as the audit log gives it; `shownAtMs`: when it appears there, which may be minutes after its act. */
type Shown = { record: Record<string, unknown> & { '@timestamp': number }; shownAtMs: number };

/**
 * GitHub's audit log as far as reading it goes: by `created`, oldest first, page by page with the cursor in `Link`. For tests
 * only.
 */
export async function startAuditLog({ nowMs, token }: { nowMs: () => number; token: string }) {
  const records: Shown[] = [];
  const asked: URL[] = [];
  const state: {
    /** What every request is answered with instead. */
    refuse?: { status: number; headers?: Record<string, string> } | undefined;
    /** Cursors given so far are taken no more. */
    forgets?: boolean;
    /** What a page says is left of the allowance. */
    remaining?: number;
  } = {};
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://github.example');
    asked.push(url);
    const query = url.searchParams;
    if (request.headers.authorization !== `token ${token}`) return response.writeHead(401).end('{}');
    if (state.refuse !== undefined) return response.writeHead(state.refuse.status, state.refuse.headers).end('{}');
    if (state.forgets && query.has('after')) return response.writeHead(422).end('{}');
    const sinceMs = Date.parse(/^created:>=(.+)$/.exec(query.get('phrase') ?? '')?.[1] ?? '');
    if (Number.isNaN(sinceMs) || query.get('include') !== 'all' || query.get('order') !== 'asc')
      return response.writeHead(400).end('{}');
    const due = records
      .filter(({ record, shownAtMs }) => record['@timestamp'] >= sinceMs && shownAtMs <= nowMs())
      .sort((a, b) => a.record['@timestamp'] - b.record['@timestamp']);
    const from = Number(query.get('after') ?? 0);
    const perPage = Number(query.get('per_page'));
    const isLast = from + perPage >= due.length;
    // An address of somebody else's: nothing but the cursor is to be taken from it.
    const link = `<http://127.0.0.1:1/stolen?after=${from + perPage}&per_page=100>; rel="next", <http://127.0.0.1:1/>; rel="first"`;
    response.writeHead(200, {
      ...{ 'content-type': 'application/json', 'x-ratelimit-remaining': String(state.remaining ?? 1700) },
      'x-ratelimit-reset': String(Math.ceil(nowMs() / 1000) + 600),
      ...(!isLast && { link }),
    });
    response.end(JSON.stringify(due.slice(from, from + perPage).map(({ record }) => record)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** What was asked for, in order. */
    asked,
    state,
    /** Keeps one record more, of `atMs`, which appears `lateMs` after it. */
    add: (record: Shown['record'], lateMs = 0) =>
      void records.push({ record, shownAtMs: record['@timestamp'] + lateMs }),
    close: () => new Promise<void>((resolve) => void server.close(() => resolve()).closeAllConnections()),
  };
}
