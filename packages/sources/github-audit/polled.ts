import { nextInLink } from '../link.ts';
import { cursorAfter, type PollWindow, windowAt } from '../poll-window.ts';
import {
  type Asked,
  type PollAnswer,
  type Polled,
  type PolledPage,
  type PollTarget,
  type Refused,
  refusedByStatus,
} from '../polled.ts';
import type { EventOfMany, Ignored } from '../source.ts';
import { createWorkspaces, type NamedOwner, type Whose } from '../workspace.ts';
import { checkAuditPolls } from './doctor.ts';
import { eventOfRecord, type RecordContext } from './record.ts';
import { type AuditPollSettings, targetNameOf } from './settings.ts';

type Needs = {
  github: { apiUrl: string };
  workspaces: Parameters<typeof createWorkspaces>[0]['workspaces'];
  'github-audit'?: AuditPollSettings | undefined;
};

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** Records appear up to some minutes after what they tell of: so much of a window is read again by the next. */
const overlapMs = 20 * minuteMs;
/** Before the first request, so that what led to it is known. */
const firstWindowMs = 60 * minuteMs;
const recordsAPage = 100;

/** GitHub's audit log of an organisation or an enterprise, read page by page, oldest first: README.md. */
export const polled: Polled<Needs> = {
  name: 'github-audit',
  // https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/reviewing-the-audit-log-for-your-organization
  kept: [
    { records: 'git events', keptMs: 7 * dayMs },
    { records: 'records', keptMs: 180 * dayMs },
  ],
  targets: ({ github, workspaces, 'github-audit': audit }) => {
    const { of } = createWorkspaces({ workspaces, drills: false });
    return (audit?.polled ?? []).flatMap((one): PollTarget[] => {
      const workspace = 'enterprise' in one ? one.workspace : of(one.organization);
      if (workspace === undefined) return [];
      const token = audit?.pollToken;
      const known = workspaces.find(({ id }) => id === workspace)?.github.organizations ?? [];
      const isAsked = ({ login }: { login: string }) =>
        'enterprise' in one || login.toLowerCase() === one.organization.toLowerCase();
      const owners = known.filter(isAsked);
      return [
        {
          ...{ name: targetNameOf(one), workspace, apiUrl: withoutEndSlash(github.apiUrl), intervalMs: minuteMs },
          owners: 'organization' in one && owners.length === 0 ? [{ login: one.organization }] : owners,
          headers: {
            accept: 'application/vnd.github+json, application/json;q=0.9',
            'user-agent': 'tripline/0.1',
            'x-github-api-version': '2022-11-28',
            ...(token !== undefined && { authorization: `token ${token}` }),
          },
          ...(token === undefined &&
            'organization' in one && {
              token: {
                provider: 'github',
                owner: one.organization,
                permissions: { organization_administration: 'read' },
              },
            }),
        },
      ];
    });
  },
  request({ target, cursor, begunMs }) {
    const { sinceMs, page } = windowAt(cursor, begunMs - firstWindowMs);
    const query = new URLSearchParams({
      phrase: `created:>=${new Date(sinceMs).toISOString().slice(0, 19)}+00:00`,
      ...{ include: 'all', order: 'asc', per_page: String(recordsAPage) },
      ...(page !== null && { after: page }),
    });
    return { url: `${target.apiUrl}/${placeOf(target)}/audit-log?${query}` };
  },
  read(answer, asked) {
    const window = windowAt(asked.cursor, asked.begunMs - firstWindowMs);
    if (answer.status !== 200) return refusedBy(answer, window, asked);
    const records = recordsIn(answer.body);
    if (records === undefined) return { refused: 'retry', message: 'GitHub gave no whole page of the audit log' };
    return pageOf(records, answer, window, asked);
  },
  doctor: checkAuditPolls,
};

/** Where in the API a target's log is. */
function placeOf({ name }: PollTarget): string {
  const [kind, enterprise] = name.split(':');
  return kind === 'enterprise' && enterprise !== undefined
    ? `enterprises/${encodeURIComponent(enterprise)}`
    : `orgs/${encodeURIComponent(name)}`;
}

function recordsIn(body: Buffer): unknown[] | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function pageOf(records: unknown[], answer: PollAnswer, window: PollWindow, { target, nowMs }: Asked): PolledPage {
  const context: RecordContext = {
    ...{ receivedAtMs: nowMs, trust: 'high' },
    whose: (owners) => whoseOf(target, owners),
  };
  const read = records.map((record, nth): EventOfMany | Ignored => {
    const told = isObject(record)
      ? eventOfRecord(record, context)
      : ({ ignored: 'unexpected-shape', unread: { content: record, why: 'it is no object' } } as const);
    return 'ignored' in told ? { ...told, part: `record ${nth + 1} of ${records.length}` } : told;
  });
  const events = read.flatMap((one) => ('ignored' in one ? [] : [one]));
  const newestMs = records.reduce<number>((newest, record) => Math.max(newest, timeOf(record) ?? 0), 0);
  const next = nextInLink(answer.headers['link'], 'after');
  return {
    events,
    leftOut: read.flatMap((one) => ('ignored' in one ? [one] : [])),
    cursor: cursorAfter(window, { newestMs, next, nowMs, overlapMs }),
    hasMore: next !== null,
    ...(next === null && { wholeUntilMs: nowMs }),
    ...(answer.headers['x-ratelimit-remaining'] === '0' && { restMs: untilReset(answer, nowMs) }),
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A record of the target's own organisations, or of nobody's, is its workspace's; an organisation is its id, where both are known. */
function whoseOf({ workspace, owners: known = [] }: PollTarget, named: readonly NamedOwner[]): Whose {
  const isKnown = ({ login, id }: NamedOwner) =>
    known.some((one) =>
      one.id !== undefined && id !== undefined ? one.id === id : one.login.toLowerCase() === login.toLowerCase(),
    );
  return named.every(isKnown) ? { workspace } : { ignored: 'unknown-organization' };
}

/** When a record's act was, ms since the epoch, also of one that cannot be read otherwise. */
function timeOf(record: unknown): number | undefined {
  const ms = isObject(record) ? (record['@timestamp'] ?? record['created_at']) : undefined;
  return typeof ms === 'number' && Number.isFinite(ms) ? Math.floor(ms) : undefined;
}

/** What an answer other than a page means. A page's name that GitHub takes no more, after an outage, begins its window anew. */
function refusedBy(answer: PollAnswer, window: PollWindow, { target, nowMs }: Asked): Refused {
  const { status, headers } = answer;
  const what = `the audit log of ${target.name}`;
  const isLimit = headers['x-ratelimit-remaining'] === '0' || headers['retry-after'] !== undefined;
  if (status === 429 || (status === 403 && isLimit)) {
    const byHeader = refusedByStatus({ ...answer, status: 429 }, what, nowMs);
    const afterMs = byHeader.afterMs ?? untilReset(answer, nowMs);
    const message = `${what} answered ${status}: GitHub's allowance of 1,750 requests an hour is used up for now`;
    return { refused: 'rate-limited', message, afterMs };
  }
  if (window.page !== null && (status === 400 || status === 410 || status === 422)) {
    const message = `${what} answered ${status} to the name of a page that it gave: its window is read anew`;
    return { refused: 'retry', message, cursor: JSON.stringify({ ...window, page: null }) };
  }
  if (status === 401 || status === 403 || status === 404) {
    const message = `${what} answered ${status}: only Enterprise Cloud has one; grant the App organization_administration: read, or the token's owner read:audit_log`;
    return { refused: 'give-up', message };
  }
  return refusedByStatus(answer, what, nowMs);
}

/** Until GitHub's allowance is there again, ms; a minute where it does not say. */
function untilReset({ headers }: PollAnswer, nowMs: number): number {
  const resetMs = Number(headers['x-ratelimit-reset']) * 1000 - nowMs;
  return resetMs > 0 ? resetMs : minuteMs;
}

const withoutEndSlash = (url: string): string => (url.endsWith('/') ? url.slice(0, -1) : url);
