import type { Config } from '@tripline/config/config';
import { drillPrefix } from '@tripline/contracts/drill';
import type { Db } from '@tripline/db/database';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import type { Poll } from '@tripline/sources/polls';
import { createWorkspaces } from '@tripline/sources/workspace';
import {
  countAfter,
  failingPolls,
  hooksGone,
  hooksMissing,
  keepWatched,
  type Silent,
  type Watched,
  watch,
  workspacesInTrail,
} from './store/feed-watch.ts';
import { hourOf, hoursKept, silentSinceMs } from './usual-rate.ts';

export type FeedWatchParts = {
  config: Pick<Config, 'workspaces'> & { 'github-audit'?: { tokens?: readonly string[] | undefined } | undefined };
  polls: readonly Poll[];
  db: Db;
  logger: Logger;
  clock: Clock;
};

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const intervalMs = 5 * minuteMs;
/** Feeds of which each workspace may have events; the audit log's only where it is configured. */
const [webhooks, auditLog] = ['github', 'github-audit'];
/** Deliveries that were not made for so long; what a deployment loses is made within minutes. */
const missingMs = hourMs;
/** Twice as long as until a webhook that was refused is asked about again: one odd answer is none. */
const goneMs = 20 * minuteMs;
/** A polled feed that a person must fix, and one that may come back by itself. */
const unreadMs = { final: hourMs, other: 6 * hourMs };
/** A stream tells something every hour in all but the smallest organisations. */
const neverSeenMs = 24 * hourMs;
const mostWorkspaces = 1000;

/** Notices feeds that fall silent, and says so in the log. Starts with creation. */
export function createFeedWatch(parts: FeedWatchParts): { close: () => Promise<void> } {
  const { clock, logger } = parts;
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await lookAtFeeds(parts).catch((error) =>
        logger.error({ err: error }, 'watching for silent feeds failed; retrying at the next interval'),
      );
      await clock.pause(intervalMs, stopping.signal);
    }
  })();
  return {
    close: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** Counts what came since, and says which feeds of which workspaces fell silent or tell again. */
async function lookAtFeeds(parts: FeedWatchParts): Promise<void> {
  const { config, polls, db, clock } = parts;
  const known = [...config.workspaces.map(({ id }) => id), ...polls.map(({ target }) => target.workspace)];
  const heard = (await workspacesInTrail(db, mostWorkspaces)).filter(
    (workspace) => !workspace.startsWith('@') && !workspace.startsWith(drillPrefix),
  );
  const looked = { failing: await failingPolls(db), missing: await hooksMissing(db), gone: await hooksGone(db) };
  for (const workspace of new Set([...known, ...heard])) {
    const feeds = [webhooks!, ...(hasAuditLog(parts, workspace) ? [auditLog!] : [])];
    const watched = await watch(db, { workspace, feeds, nowMs: clock.nowMs() });
    const afterMs = Math.min(...watched.map(({ lastMs, begunMs }) => lastMs ?? begunMs));
    const counted = await countAfter(db, { workspace, afterMs });
    for (const before of watched) {
      const own = counted.filter(({ feed, lastMs }) => feed === before.feed && lastMs > (before.lastMs ?? 0));
      const after = withCounts(before, own, clock.nowMs());
      const silent = silenceOf(parts, after, looked);
      await keepWatched(db, before, { ...after, silent });
      if (silent !== null && silent.silence !== before.silent?.silence)
        parts.logger.warn({ workspace, feed: before.feed, silence: silent.silence }, 'a feed fell silent');
      if (silent === null && before.silent !== null)
        parts.logger.info({ workspace, feed: before.feed }, 'a feed tells again');
    }
  }
}

function withCounts(
  before: Watched,
  counted: readonly { hour: number; events: number; lastMs: number }[],
  nowMs: number,
): Watched {
  const counts: Record<string, number> = {};
  for (const [hour, events] of Object.entries(before.counts))
    if (Number(hour) > hourOf(nowMs) - hoursKept) counts[hour] = events;
  for (const { hour, events } of counted) counts[hour] = (counts[hour] ?? 0) + events;
  const lastMs = counted.reduce<number | null>((last, one) => Math.max(last ?? 0, one.lastMs), before.lastMs);
  return { ...before, counts, lastMs };
}

type Looked = {
  failing: Awaited<ReturnType<typeof failingPolls>>;
  missing: Awaited<ReturnType<typeof hooksMissing>>;
  gone: Awaited<ReturnType<typeof hooksGone>>;
};

/** Why a feed counts as silent now, the surest reason first; what it was said to be since stays. */
function silenceOf(parts: FeedWatchParts, watched: Watched, { failing, missing, gone }: Looked): Silent | null {
  const { feed, workspace, begunMs, lastMs, counts, silent } = watched;
  const nowMs = parts.clock.nowMs();
  const as = (silence: Silent['silence'], sinceMs: number): Silent =>
    silent?.silence === silence ? silent : { silence, sinceMs };
  const unread = failing.find(
    (one) =>
      one.feed === feed &&
      isOf(parts, one, workspace) &&
      nowMs - one.sinceMs >= unreadMs[one.isFinal ? 'final' : 'other'],
  );
  if (unread !== undefined) return as('not-readable', unread.sinceMs);
  const ofWorkspace = (hooks: Looked['missing'], longMs: number) =>
    hooks.find(
      ({ hook, sinceMs }) => feed === webhooks && nowMs - sinceMs >= longMs && workspaceOf(parts, hook) === workspace,
    );
  const deleted = ofWorkspace(gone, goneMs);
  if (deleted !== undefined) return as('hook-deleted', deleted.sinceMs);
  const lacking = ofWorkspace(missing, missingMs);
  if (lacking !== undefined) return as('deliveries-missing', lacking.sinceMs);
  if (lastMs === null)
    return feed === auditLog && isStreamed(parts, workspace) && nowMs - begunMs >= neverSeenMs
      ? as('never-seen', begunMs)
      : null;
  const sinceMs = silentSinceMs(counts, { begunMs, lastMs, nowMs });
  return sinceMs === undefined ? null : as('below-usual', sinceMs);
}

const isOf = ({ polls }: FeedWatchParts, { feed, target }: { feed: string; target: string }, workspace: string) =>
  polls.some((one) => one.feed.name === feed && one.target.name === target && one.target.workspace === workspace);

/** Of an organisation's webhook: the App's own delivers for all of them. */
function workspaceOf({ config }: FeedWatchParts, hook: string): string | undefined {
  const organization = /^org:([^/]+)\//.exec(hook)?.[1];
  return organization === undefined
    ? undefined
    : createWorkspaces({ workspaces: config.workspaces, drills: false }).of(organization);
}

function isStreamed({ config, polls }: FeedWatchParts, workspace: string): boolean {
  if (polls.some(({ feed, target }) => feed.name === auditLog && target.workspace === workspace)) return false;
  const own = config.workspaces.find(({ id }) => id === workspace) as
    | { 'github-audit'?: { tokens?: readonly string[] | undefined } | undefined }
    | undefined;
  return (own?.['github-audit']?.tokens ?? config['github-audit']?.tokens ?? []).length > 0;
}

const hasAuditLog = (parts: FeedWatchParts, workspace: string): boolean =>
  isStreamed(parts, workspace) ||
  parts.polls.some(({ feed, target }) => feed.name === auditLog && target.workspace === workspace);
