import { alwaysTold, isAsGraveAs, type Severity } from '@tripline/contracts/finding';
import type { IncidentState } from '@tripline/contracts/incident';
import type {
  Channel,
  ChannelDefinition,
  Comparison,
  IncidentSnapshot,
  Message,
  Notified,
  Progress,
} from '../channel.ts';
import { replyLine } from '../event-lines.ts';
import { createPagerDutyClient, type PagerDutyClient } from './client.ts';
import { lookAtPagerDuty } from './doctor.ts';
import { type PagerDutyAction, type PagerDutyEvent, renderEvent } from './event.ts';

type PagerDutySettings = { routingKey: string; apiUrl: string; minSeverity: Severity };

/** PagerDuty counts events by the minute. */
const pagerDutyIntervalMs = 500;
const burst = 20;

/** Stands in for PagerDuty where none is configured: every event succeeds, and nobody is paged. */
const dryRun: PagerDutyClient = { send: async () => ({ kind: 'done', reason: 'dry-run' }) };

/** One alert per incident and page, triggered, acknowledged and resolved with it. */
export const pagerDutyChannel: ChannelDefinition<PagerDutySettings> = {
  name: 'pagerduty',
  doctor: lookAtPagerDuty,
  open(settings, { timeoutMs, intervalMs = pagerDutyIntervalMs, fetch }): Channel<PagerDutyEvent> {
    const client = settings === undefined ? dryRun : createPagerDutyClient({ ...settings, timeoutMs, fetch });
    const minSeverity = settings?.minSeverity ?? 'high';
    return {
      name: 'pagerduty',
      mode: settings === undefined ? 'dry-run' : 'live',
      limits: { events: { intervalMs, burst } },
      firstMessageLimit: 'events',
      limitOf: () => ({ limit: 'events', reserve: 0 }),
      compare: (incident, notified) => compareIncident(incident, notified, minSeverity),
      render: (message) => message.content,
      send: async (_message, body) => ({ outcome: await client.send(body as PagerDutyEvent) }),
      // The dedup key makes one alert of any number of events, so a repeat shows nothing twice, and an alert that may
      // have been opened is resolved like one that was.
      mayHaveBeenDone: () => true,
    };
  },
};

/**
 * The next action, by the state that PagerDuty was sent last and the incident's state now. An incident that was
 * resolved before it was sent pages nobody.
 */
const nextAction: Record<IncidentState | 'nothing', Record<IncidentState, PagerDutyAction | undefined>> = {
  nothing: { open: 'trigger', acknowledged: 'trigger', resolved: undefined },
  open: { open: undefined, acknowledged: 'acknowledge', resolved: 'resolve' },
  // Reopened in between: PagerDuty would treat a mere trigger as part of the acknowledged alert.
  acknowledged: { open: 'resolve', acknowledged: undefined, resolved: 'resolve' },
  resolved: { open: 'trigger', acknowledged: 'trigger', resolved: undefined },
};
const stateAfter: Record<PagerDutyAction, IncidentState> = {
  trigger: 'open',
  acknowledge: 'acknowledged',
  resolve: 'resolved',
};

/**
 * What PagerDuty lacks of an incident, one event at a time, in order. Each page of the incident has an alert of its
 * own: a newer one is triggered, then those before it are resolved, so that at most one stands. Only what a person
 * acknowledged is acknowledged. An incident that is no longer severe enough to page has no alert.
 */
function compareIncident(
  incident: IncidentSnapshot,
  notified: Notified,
  minSeverity: Severity,
): Comparison<PagerDutyEvent> {
  const { report, version, pageGeneration } = incident;
  if (version <= notified.version) return { kind: 'in-sync' };
  const { pageSeverity = report.severity } = report;
  const isGrave =
    (pageSeverity !== 'none' && isAsGraveAs(pageSeverity, minSeverity)) ||
    report.findings.some(({ rule, retracted }) => retracted === null && alwaysTold.has(rule));
  // A page that nobody has acknowledged rings, even if an earlier one was acknowledged.
  const wanted = !isGrave ? 'resolved' : report.pagesAnew ? 'open' : report.state;

  // A trigger whose answer never came may have opened an alert that nothing would close: from now on it counts as open.
  const asked = generationOf(notified.intent);
  const isAskedAgain = asked === pageGeneration && wanted !== 'resolved';
  if (asked !== undefined && !isAskedAgain && !notified.superseded.includes(asked))
    return { kind: 'skip', after: { version: notified.version, superseded: [...notified.superseded, asked] } };

  const current = notified.state ?? 'nothing';
  const rings = current === 'open' || current === 'acknowledged';
  const isNewPage = rings && wanted === 'open' && notified.generation < pageGeneration;
  const action = isNewPage ? 'trigger' : nextAction[current][wanted];
  if (action !== undefined) {
    const generation = action === 'trigger' ? pageGeneration : notified.generation;
    const superseded = notified.superseded.filter((older) => older !== generation);
    if (isNewPage) superseded.push(notified.generation);
    const state = stateAfter[action];
    // Further events follow until PagerDuty's state is the incident's, and no older alert rings.
    const isLast = state === wanted && superseded.length === 0;
    const after = { version: isLast ? version : notified.version, state, generation, superseded };
    return toSend(incident, action, { generation, because: reasonOf(incident, action, wanted), after });
  }
  const [older, ...superseded] = notified.superseded;
  if (older === undefined) return { kind: 'skip', after: { version } };
  const because = report.state === 'resolved' ? undefined : reasonToResolve(wanted);
  const after = { version: superseded.length === 0 ? version : notified.version, superseded };
  // A rejected resolve of an older alert must not delay a page.
  return toSend(incident, 'resolve', { generation: older, because, after, givenUp: after });
}

function toSend(
  { report, version }: IncidentSnapshot,
  action: PagerDutyAction,
  options: { generation: number; because: string | undefined; after: Progress; givenUp?: Progress },
): Comparison<PagerDutyEvent> {
  const { generation, because, after, givenUp } = options;
  const event = renderEvent(report, action, { generation, because });
  const line = `${report.id} ${event.payload.summary}`;
  const message: Message<PagerDutyEvent> = { kind: action, content: event, line, version, after, repeats: false };
  if (givenUp !== undefined) return { kind: 'message', message: { ...message, givenUp } };
  const isTrigger = action === 'trigger';
  return {
    kind: 'message',
    message: {
      ...message,
      ...(isTrigger ? { intent: intentOf(generation), isNews: true } : {}),
      after: { ...after, reference: { dedupKey: event.dedup_key } },
    },
  };
}

function reasonOf(incident: IncidentSnapshot, action: PagerDutyAction, wanted: IncidentState): string | undefined {
  if (action === 'trigger') return reasonToPageAgain(incident);
  return action === 'resolve' && incident.report.state !== 'resolved' ? reasonToResolve(wanted) : undefined;
}

/** Why an alert is resolved whose incident is not. */
function reasonToResolve(wanted: IncidentState): string {
  return wanted === 'resolved' ? 'No longer grave enough to page' : 'Superseded by a newer page';
}

/** What the newest page is for, where it is not the first. */
function reasonToPageAgain({ events, pageGeneration }: IncidentSnapshot): string | undefined {
  const page = pageGeneration === 0 ? undefined : events.findLast(({ kind }) => kind === 'paged');
  return page && replyLine(page);
}

/** What is noted while a trigger is under way: which alert it may have opened. */
function intentOf(generation: number): string {
  return generation === 0 ? 'trigger' : `trigger ${generation}`;
}

function generationOf(intent: string | null): number | undefined {
  const found = /^trigger(?: (\d+))?$/.exec(intent ?? '');
  return found === null ? undefined : Number(found[1] ?? 0);
}
