import type { Db } from '@tripline/db/database';
import type { Mode } from '@tripline/db/tables/messages';
import type { IncidentEvent, IncidentStory } from '@tripline/incidents/incidents';
import { describeActor, resolutionText } from '@tripline/integrations/incident-report';
import type { SlackClient, SlackReference, SlackResult } from '@tripline/integrations/slack/client';
import {
  renderDigest,
  renderDigestPage,
  renderIncident,
  renderPage,
  renderReply,
  type SlackMessage,
} from '@tripline/integrations/slack/message';
import { toReport } from './report.ts';
import { readDigest, recordFolded, recordFoldedPages, type Telling } from './store/messages.ts';
import type { Step } from './telling.ts';

/** Slack where none is configured: every message is taken, and nobody is told. */
export const dryRunSlack: SlackClient = {
  post: async () => ({ outcome: { kind: 'done', reason: 'dry-run' } }),
  update: async () => ({ outcome: { kind: 'done', reason: 'dry-run' } }),
};

/** How long what came of itself waits for more, ms, so that an incident is few calls; what people did waits for nothing. */
export type Gathering = {
  /** From one call about an incident to the next. */
  gatherMs: number;
  /** From a page after the first, which says it all, until the message above it is brought in step. */
  restMs: number;
  /** For so long after an incident was opened, the message itself is news enough: no reply repeats what came. */
  openingMs: number;
};

/**
 * What Slack lacks of an incident: its message; a page after the first, as a reply that the whole channel sees; then the
 * message as it is now; then a reply in its thread for what happened since. Undefined when it is in step.
 */
export function nextForSlack(
  story: IncidentStory,
  telling: Telling,
  { client, mode, nowMs, gathering }: { client: SlackClient; mode: Mode; nowMs: number; gathering: Gathering },
): Step | undefined {
  const report = toReport(story);
  const reference = referenceOf(telling);
  const lastEvent = story.events.at(-1)?.id ?? 0;
  const isNew = mode === 'live' ? reference === undefined : telling.told_at === null;
  const news = story.events.filter((event) => event.id > telling.story && replyLine(event) !== undefined);
  const { version, state } = story;
  const render = (options: { possiblyRepeated: boolean }) => renderIncident(report, options);
  const line = `${story.id} ${story.severity}, ${story.state}: ${story.title}`;
  const common = { line, render, version, newsMs: untold(story, telling) };

  // A message that was given up is tried again with the next change, not before.
  if (version <= telling.version && (isNew || news.length === 0)) return undefined;
  if (isNew) {
    const send = (body: Record<string, unknown>) => client.post(asMessage(body)).then(leaveReference);
    return { ...common, kind: 'posted', send, after: { version, state, story: lastEvent }, repeats: true };
  }
  // People look at whose it is: that waits for nothing.
  const calledMs = telling.told_at?.getTime() ?? 0;
  const patienceMs = news.length === 0 ? gathering.restMs : gathering.gatherMs;
  const afterMs = state === telling.state || telling.state === null ? calledMs + patienceMs - nowMs : 0;
  // A clock that is far off would have it wait as long as that.
  const waitMs = afterMs <= patienceMs ? afterMs : 0;
  if (version > telling.version && waitMs > 0) return { kind: 'wait', afterMs: waitMs };
  const replied = { send: (body: Record<string, unknown>) => reply(client, body, reference), repeats: true } as const;
  if (news.some(({ kind }) => kind === 'paged')) {
    const lines = replyLines(news);
    const after = { version: telling.version, story: lastEvent };
    return {
      ...{ ...common, ...replied, kind: 'broadcast', after, givenUp: after, replaceable: true },
      line: `${story.id} pages anew: ${lines.join('; ')}`,
      render: (options) => renderPage(report, lines, options),
    };
  }
  const isOpening = nowMs - telling.created_at.getTime() < gathering.openingMs;
  const lines = replyLines(isOpening ? news.filter(({ kind }) => actsOfPeople.has(kind)) : news);
  if (version > telling.version) {
    const send = (body: Record<string, unknown>) => {
      const sent = reference ? client.update(reference, asMessage(body)) : dryRunSlack.post(asMessage(body));
      return sent.then(({ outcome }) => ({ outcome }));
    };
    const after = { version, state, ...(lines.length === 0 ? { story: lastEvent } : {}) };
    return { ...common, kind: 'updated', send, after, repeats: false, replaceable: true };
  }
  if (lines.length === 0) return { kind: 'nothing', after: { version, story: lastEvent } };
  return {
    ...{ ...replied, kind: 'thread-reply', version, after: { version, story: lastEvent }, replaceable: true },
    line: `${story.id} ${lines.join('; ')}`,
    render: (options) => renderReply(lines, options),
  };
}

/** From one reply that tells of a digest's pages to the next. */
const digestPagesMs = 60_000;
const actsOfPeople: ReadonlySet<IncidentEvent['kind']> = new Set(['acknowledged', 'resolved', 'reopened']);

function reply(client: SlackClient, body: Record<string, unknown>, reference: SlackReference | undefined) {
  return client.post(asMessage(body), reference).then(({ outcome }) => ({ outcome }));
}

/** Pages first. A finding that pages is told by the page, not by its joining too, and a response that failed once. */
function replyLines(news: readonly IncidentEvent[]): string[] {
  const isPage = ({ kind }: IncidentEvent) => kind === 'paged';
  const paged = new Set(news.filter((event) => isPage(event) && 'title' in event.detail).map(findingOf));
  const told = news.filter((event) => event.kind !== 'joined' || !paged.has(findingOf(event)));
  const ordered = [...told.filter(isPage), ...told.filter((event) => !isPage(event))];
  return [...new Set(ordered.map((event) => replyLine(event)!))];
}

function findingOf({ detail }: IncidentEvent): unknown {
  return detail['finding'];
}

/**
 * What the digest message lacks: nothing while every incident in it was told at its present version, and at its present
 * page. Pages of what is folded are told together, one reply in `digestPagesMs`: a storm stays few messages.
 */
export async function nextForDigest(
  db: Db,
  telling: Telling,
  { client, mode }: { client: SlackClient; mode: Mode },
): Promise<Step | undefined> {
  const digest = await readDigest(db, telling.id);
  const reference = referenceOf(telling);
  const { pages, pagedAgoMs } = digest;
  const waitMs = pagedAgoMs === null ? 0 : digestPagesMs - pagedAgoMs;
  if (pages.length > 0 && telling.told_at !== null && waitMs <= 0) {
    const after = { version: telling.version };
    return {
      ...{ kind: 'broadcast', version: telling.version, after, givenUp: after, repeats: true, replaceable: true },
      line: `${pages.length} incidents of one message page anew, the gravest: ${pages[0]!.incident} ${pages[0]!.title}`,
      render: (options) => renderDigestPage(pages, options),
      send: (body) => reply(client, body, reference),
      recorded: (claim) => recordFoldedPages(db, claim, pages),
    };
  }
  if (digest.news.length === 0) return pages.length > 0 ? { kind: 'wait', afterMs: Math.max(waitMs, 1000) } : undefined;
  const isNew = telling.told_at === null || (mode === 'live' && reference === undefined);
  const [gravest] = digest.gravest;
  return {
    kind: isNew ? 'posted' : 'updated',
    line: `${digest.incidents} more incidents in one message${gravest ? `, the gravest: ${gravest.incident} ${gravest.title}` : ''}`,
    render: (options) => renderDigest(digest, options),
    send: (body) =>
      reference
        ? client.update(reference, asMessage(body)).then(({ outcome }) => ({ outcome }))
        : client.post(asMessage(body)).then(leaveReference),
    version: telling.version,
    after: { version: telling.version + 1 },
    repeats: isNew,
    replaceable: true,
    recorded: (claim) => recordFolded(db, claim, mode, digest.news),
  };
}

function referenceOf({ channel, ts }: Telling): SlackReference | undefined {
  return channel === null || ts === null ? undefined : { channel, ts };
}

function leaveReference({ outcome, reference }: SlackResult) {
  return { outcome, left: { ...reference } };
}

function asMessage(body: Record<string, unknown>): SlackMessage {
  return body as SlackMessage;
}

/** When each finding was recorded that nobody was told of yet. */
export function untold({ findings }: IncidentStory, telling: Telling): number[] {
  const toldMs = telling.told_at?.getTime() ?? 0;
  return findings.map(({ recordedAt }) => Date.parse(recordedAt)).filter((recordedMs) => recordedMs > toldMs);
}

/** What people in the thread are told of a line of the story; undefined for what the message itself is enough for. */
export function replyLine({ kind, actor, detail }: IncidentEvent): string | undefined {
  const text = (name: string) => (typeof detail[name] === 'string' ? detail[name] : undefined);
  switch (kind) {
    case 'joined':
      return `${detail['again'] === true ? 'Stands again' : 'Joined'}: ${text('title') ?? 'another finding'}`;
    case 'acknowledged':
      return `Acknowledged by ${describeActor(actor)}`;
    case 'resolved': {
      const resolution = text('resolution') as keyof typeof resolutionText | undefined;
      const how = resolution && resolutionText[resolution];
      return `Resolved by ${describeActor(actor)}${how ? `: ${how}` : ''}`;
    }
    case 'reopened':
      return `Reopened by ${describeActor(actor)}`;
    case 'withdrawn':
      return `Withdrawn: ${text('reason') ?? 'later evidence explains it'}`;
    case 'paged': {
      const [title, former, severity] = [text('title'), text('former'), text('severity')];
      if (title === undefined) return text('reason') ?? 'Something came of it that needs a person';
      return former === undefined ? title : `${severity}, was ${former}: ${title}`;
    }
    case 'remediated':
      return text('text') ?? 'A step of the playbook was settled';
    case 'proven':
      return 'Proven: GitHub’s own list names the delivery that a finding rests on';
    case 'lowered':
      return `Lowered: ${text('reason') ?? 'it cannot be proved that it still holds'}`;
    case 'opened':
    case 'told':
      return undefined;
  }
}
