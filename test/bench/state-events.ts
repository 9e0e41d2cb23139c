import { defineRule } from '@tripline/contracts/rule';
import { configureRule } from '@tripline/engine/settings';
import type { StreamRecord } from '@tripline/stream/stream';
import { at, toRecords } from '@tripline/testing/timeline/play';
import { z } from 'zod';

const hourMs = 3_600_000;
export const startMs = Date.parse('2026-03-01T00:00:00Z');
/** Of a hundred events, so many are of a commit that is new, and so many of one that is as old as the store; the rest are of one of the last 5,000. */
const newOf100 = 50;
const oldOf100 = 5;

const commit = z.object({ firstMs: z.number(), seen: z.number(), by: z.string(), checks: z.array(z.string()) });

/** Keeps something of every commit: one key an event, read and written, of the size that rules keep. */
export const rule = configureRule(
  defineRule<z.infer<typeof commit>, unknown>({
    ...{ id: 'bench-commits', title: 'Commits', description: 'For the bench.', severity: 'low', confidence: 'low' },
    ...{ principles: [5], attack: [], owasp: [], feeds: { needs: ['github'] }, falseAlarms: [], learns: false },
    reads: ['dev.cdevents.branch.created'],
    settings: z.object({}),
    state: commit,
    keys: (event) => [(event.data as { 'vcs.ref.head.name': string })['vcs.ref.head.name']],
    judge(event, context) {
      const key = (event.data as { 'vcs.ref.head.name': string })['vcs.ref.head.name'];
      context.set(key, stateOf(context.nowMs, (context.get(key)?.seen ?? 0) + 1), 72 * hourMs);
    },
  }),
);

/** What stands under a commit's key. */
export const stateOf = (nowMs: number, seen: number) => ({
  firstMs: nowMs,
  seen,
  by: 'ada',
  checks: ['build', 'test', 'lint'],
});

/** The `number`-th commit of the store: its workspace and its key. */
export const workspaceOf = (number: number) => `bench-org-${number % 200}`;
export const keyOf = (number: number) =>
  `commit:bench-org-${number % 200}/app-${number % 19}@9f1c6f0e8d0b4c7a93b5e0d1${1e15 + number * 104_729}`;

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The records from offset `from` on, over a store of `keys` commits. The same for every size, but for which commits are old. */
export function recordsFrom(from: number, count: number, keys: number): StreamRecord[] {
  const events = Array.from({ length: count }, (_, place) => {
    const offset = from + place;
    const chance = random(offset * 7919 + 1);
    chance();
    const of100 = chance() * 100;
    const back = of100 < newOf100 ? 0 : Math.floor(chance() * 5000);
    const number = of100 >= 100 - oldOf100 ? Math.floor(chance() * keys) : keys + Math.max(0, offset - back);
    const data = { 'vcs.repository.name': 'acme/app', 'vcs.ref.head.name': keyOf(number) };
    const more = { id: `bench-${offset}`, workspace: workspaceOf(number) };
    return at(startMs + offset, 'dev.cdevents.branch.created', data, more);
  });
  return toRecords({ events }).map((record, place) => ({ ...record, offset: from + place }));
}
