import type { Mode } from '@tripline/contracts/notification';
import type {
  Channel,
  ChannelDefinition,
  Comparison,
  DigestPage,
  DigestSnapshot,
  IncidentEvent,
  IncidentSnapshot,
  Message,
  MessageBody,
  Notified,
  Now,
  Reference,
  SendResult,
} from '../channel.ts';
import { replyLine } from '../event-lines.ts';
import type { DigestReport, IncidentReport } from '../incident-report.ts';
import { createSlackClient, mayHaveBeenDone, type SlackClient, type SlackReference } from './client.ts';
import { type CheckedSettings, lookAtSlack } from './doctor.ts';
import {
  renderDigest,
  renderDigestPage,
  renderIncident,
  renderPage,
  renderReply,
  type SlackMessage,
} from './message.ts';

export type SlackContent =
  | { is: 'incident'; report: IncidentReport }
  | { is: 'page'; report: IncidentReport; lines: readonly string[] }
  | { is: 'reply'; lines: readonly string[] }
  | { is: 'digest'; digest: DigestReport }
  | { is: 'digest-page'; pages: readonly DigestPage[] };

/** The settings that sending needs. */
type SlackSettings = { botToken: string; channel: string; apiUrl: string } & CheckedSettings;

/** Slack allows one message per second and channel, and separately one update per second. */
const slackIntervalMs = 1000;
const burst = 4;
/** Least time between two replies that report pages of a digest. */
const digestPagesMs = 60_000;
const actsOfPeople: ReadonlySet<IncidentEvent['kind']> = new Set(['acknowledged', 'resolved', 'reopened']);

/** Stands in for Slack where none is configured: every message succeeds, and nobody is notified. */
const dryRun: SlackClient = {
  post: async () => ({ outcome: { kind: 'done', reason: 'dry-run' } }),
  update: async () => ({ outcome: { kind: 'done', reason: 'dry-run' } }),
};

/**
 * One message per incident, kept up to date, with a thread of what happened since; a storm of incidents in one message.
 */
export const slackChannel: ChannelDefinition<SlackSettings> = {
  name: 'slack',
  doctor: lookAtSlack,
  open(settings, { timeoutMs, intervalMs = slackIntervalMs, fetch }): Channel<SlackContent> {
    const mode = settings === undefined ? 'dry-run' : 'live';
    const client = settings === undefined ? dryRun : createSlackClient({ ...settings, timeoutMs, fetch });
    return {
      name: 'slack',
      mode,
      limits: { messages: { intervalMs, burst }, updates: { intervalMs, burst } },
      firstMessageLimit: 'messages',
      firstMessage: 'posted',
      // New incidents first: a reply leaves half of the burst to incidents that were not reported yet.
      limitOf: (kind) =>
        kind === 'updated'
          ? { limit: 'updates', reserve: 0 }
          : { limit: 'messages', reserve: kind === 'thread-reply' ? 2 : 0 },
      compare: (incident, notified, now) => compareIncident(incident, notified, now, mode),
      compareDigest: (digest, notified) => compareDigest(digest, notified, mode),
      render: (message, options) => render(message.content, options),
      send: (message, body) => send(client, message, body),
      mayHaveBeenDone,
    };
  },
};

/**
 * What Slack lacks of an incident: its message; a page after the first, as a reply that the whole channel sees; then the
 * message as it is now; then a reply in its thread for what happened since.
 */
function compareIncident(
  { report, version, events }: IncidentSnapshot,
  notified: Notified,
  { nowMs, batching }: Now,
  mode: Mode,
): Comparison<SlackContent> {
  const { reference } = notified;
  const { state } = report;
  const lastEvent = events.at(-1)?.id ?? 0;
  const isNew = mode === 'live' ? reference === undefined : notified.sentAt === null;
  const news = events.filter((event) => event.id > notified.lastEvent && replyLine(event) !== undefined);
  const line = `${report.id} ${report.severity}, ${state}: ${report.title}`;
  const whole = { content: { is: 'incident', report }, line, version, isNews: true } as const;

  // A message that was given up is retried only with the next change.
  if (version <= notified.version && (isNew || news.length === 0)) return { kind: 'in-sync' };
  if (isNew) return toSend({ ...whole, kind: 'posted', after: { version, state, lastEvent }, repeats: true });
  // A change of who has the incident is sent without delay: people look at that.
  const calledMs = notified.sentAt?.getTime() ?? 0;
  const patienceMs = news.length === 0 ? batching.restMs : batching.gatherMs;
  const afterMs = state === notified.state || notified.state === null ? calledMs + patienceMs - nowMs : 0;
  // Bounded, so that a clock that is far off cannot delay it by as much.
  const waitMs = afterMs <= patienceMs ? afterMs : 0;
  if (version > notified.version && waitMs > 0) return { kind: 'wait', afterMs: waitMs };
  if (news.some(({ kind }) => kind === 'paged')) {
    const lines = replyLines(news);
    const after = { version: notified.version, lastEvent };
    return toSend({
      ...{ kind: 'broadcast', content: { is: 'page', report, lines }, reference, version, isNews: true },
      ...{ line: `${report.id} pages again: ${lines.join('; ')}`, after, givenUp: after },
      ...{ repeats: true, replaceable: true },
    });
  }
  const isOpening = nowMs - notified.createdAt.getTime() < batching.openingMs;
  const lines = replyLines(isOpening ? news.filter(({ kind }) => actsOfPeople.has(kind)) : news);
  if (version > notified.version) {
    const after = { version, state, ...(lines.length === 0 ? { lastEvent } : {}) };
    return toSend({ ...whole, kind: 'updated', reference, after, repeats: false, replaceable: true });
  }
  if (lines.length === 0) return { kind: 'skip', after: { version, lastEvent } };
  return toSend({
    ...{ kind: 'thread-reply', content: { is: 'reply', lines }, reference, version, after: { version, lastEvent } },
    ...{ line: `${report.id} ${lines.join('; ')}`, repeats: true, replaceable: true },
  });
}

/** Pages first. A finding that pages is reported by the page alone, not also as joined, and a failed response once. */
function replyLines(news: readonly IncidentEvent[]): string[] {
  const isPage = ({ kind }: IncidentEvent) => kind === 'paged';
  const paged = new Set(news.filter((event) => isPage(event) && 'title' in event.detail).map(findingOf));
  const reported = news.filter((event) => event.kind !== 'joined' || !paged.has(findingOf(event)));
  const ordered = [...reported.filter(isPage), ...reported.filter((event) => !isPage(event))];
  return [...new Set(ordered.map((event) => replyLine(event)!))];
}

function findingOf({ detail }: IncidentEvent): unknown {
  return detail['finding'];
}

/**
 * What the digest message lacks: nothing while every incident in it was reported at its present version and page
 * generation. Pages of grouped incidents go out together, one reply in `digestPagesMs`: a storm stays few messages.
 */
function compareDigest(digest: DigestSnapshot, notified: Notified, mode: Mode): Comparison<SlackContent> {
  const { reference, version } = notified;
  const { news, pages, pagedAgoMs } = digest;
  const waitMs = pagedAgoMs === null ? 0 : digestPagesMs - pagedAgoMs;
  if (pages.length > 0 && notified.sentAt !== null && waitMs <= 0) {
    const line = `${pages.length} incidents of one message page again, the gravest: ${pages[0]!.incident} ${pages[0]!.title}`;
    return toSend({
      ...{ kind: 'broadcast', content: { is: 'digest-page', pages }, line, reference, version },
      ...{ after: { version }, givenUp: { version }, repeats: true, replaceable: true, digested: { pages } },
    });
  }
  if (news.length === 0)
    return pages.length > 0 ? { kind: 'wait', afterMs: Math.max(waitMs, 1000) } : { kind: 'in-sync' };
  const isNew = notified.sentAt === null || (mode === 'live' && reference === undefined);
  const [gravest] = digest.gravest;
  const named = gravest ? `, the gravest: ${gravest.incident} ${gravest.title}` : '';
  return toSend({
    ...{ kind: isNew ? 'posted' : 'updated', content: { is: 'digest', digest }, reference, version },
    ...{ line: `${digest.incidents} more incidents in one message${named}`, after: { version: version + 1 } },
    ...{ repeats: isNew, replaceable: true, digested: { news } },
  });
}

function toSend(message: Message<SlackContent>): Comparison<SlackContent> {
  return { kind: 'message', message };
}

function render(content: SlackContent, options: { possiblyRepeated: boolean }): MessageBody {
  switch (content.is) {
    case 'incident':
      return renderIncident(content.report, options);
    case 'page':
      return renderPage(content.report, content.lines, options);
    case 'reply':
      return renderReply(content.lines, options);
    case 'digest':
      return renderDigest(content.digest, options);
    case 'digest-page':
      return renderDigestPage(content.pages, options);
  }
}

async function send(client: SlackClient, message: Message<SlackContent>, body: MessageBody): Promise<SendResult> {
  const text = body as SlackMessage;
  const reference = toSlack(message.reference);
  if (message.kind === 'posted') {
    const { outcome, reference: made } = await client.post(text);
    return made === undefined ? { outcome } : { outcome, reference: made };
  }
  // A change or a reply keeps the reference of the message that it belongs to. A dry run has none.
  const isUpdate = message.kind === 'updated' && reference !== undefined;
  const { outcome } = isUpdate ? await client.update(reference, text) : await client.post(text, reference);
  return { outcome };
}

function toSlack(reference: Reference | undefined): SlackReference | undefined {
  const { channel, ts } = reference ?? {};
  return channel === undefined || ts === undefined ? undefined : { channel, ts };
}
