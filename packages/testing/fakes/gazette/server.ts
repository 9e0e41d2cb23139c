import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Kept = { id: string; atMs: number; actor: string; reads: string };

/** The gazette itself: keeps records, of which some appear late, and answers a page of two at a time. For tests only. */
export async function startGazette(token: string) {
  const records: unknown[] = [];
  const asked: string[] = [];
  /** Answers instead of the page, once each. */
  const insteads: ((response: ServerResponse) => void)[] = [];
  const state: {
    refuse?: { status: number; headers?: Record<string, string> } | undefined;
    restMs?: number | undefined;
  } = {};
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://gazette.example');
    asked.push(`${url.pathname}${url.search}`);
    const instead = insteads.shift();
    if (instead !== undefined) return instead(response);
    if (request.headers.authorization !== `token ${token}`) return response.writeHead(401).end();
    if (state.refuse !== undefined) return response.writeHead(state.refuse.status, state.refuse.headers).end();
    const sinceMs = Number(url.searchParams.get('since'));
    const due = records.filter((record) => !((record as Kept).atMs < sinceMs));
    const from = Number(url.searchParams.get('page') ?? 0);
    const next = from + 2 < due.length ? String(from + 2) : null;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ records: due.slice(from, from + 2), next, restMs: state.restMs }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Keeps one more record; anything but a whole one is kept too. */
    add: (...more: (Kept | object)[]) => void records.push(...more),
    /** Paths and queries in the order in which they were asked for. */
    asked,
    insteads,
    /** `refuse`: what every request is answered with; `restMs`: what a page says of its allowance. */
    state,
    close: () => new Promise<void>((resolve) => void server.close(() => resolve()).closeAllConnections()),
  };
}
