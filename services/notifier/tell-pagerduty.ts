import { alwaysTold, type Severity, severities } from '@tripline/contracts/finding';
import type { IncidentState } from '@tripline/contracts/incident';
import type { IncidentStory } from '@tripline/incidents/incidents';
import type { PagerDutyClient } from '@tripline/integrations/pagerduty/client';
import { type PagerDutyAction, type PagerDutyEvent, renderEvent } from '@tripline/integrations/pagerduty/event';
import { toReport } from './report.ts';
import type { Telling } from './store/messages.ts';
import { replyLine, untold } from './tell-slack.ts';
import type { Step } from './telling.ts';

/** PagerDuty where none is configured: every event is taken, and nobody is paged. */
export const dryRunPagerDuty: PagerDutyClient = { send: async () => ({ kind: 'done', reason: 'dry-run' }) };

/**
 * The next action from what PagerDuty was told last to what is true now. An incident that was over before it was told
 * pages nobody.
 */
const nextAction: Record<IncidentState | 'nothing', Record<IncidentState, PagerDutyAction | undefined>> = {
  nothing: { open: 'trigger', acknowledged: 'trigger', resolved: undefined },
  open: { open: undefined, acknowledged: 'acknowledge', resolved: 'resolve' },
  // Reopened in between: PagerDuty would take a mere trigger as more of what somebody has already.
  acknowledged: { open: 'resolve', acknowledged: undefined, resolved: 'resolve' },
  resolved: { open: 'trigger', acknowledged: 'trigger', resolved: undefined },
};
const stateAfter: Record<PagerDutyAction, IncidentState> = {
  trigger: 'open',
  acknowledge: 'acknowledged',
  resolve: 'resolved',
};

/**
 * What PagerDuty lacks of an incident, one event at a time, in order. Each page of the incident has an alert of its own: a
 * newer one is triggered, then those before it are resolved, so that at most one stands. Only what a person acknowledged
 * is acknowledged. An incident that is no longer grave enough to page has no alert. Undefined when it is in step.
 */
export function nextForPagerDuty(
  story: IncidentStory,
  telling: Telling,
  { client, minSeverity }: { client: PagerDutyClient; minSeverity: Severity },
): Step | undefined {
  const { version, pageGeneration } = story;
  if (version <= telling.version) return undefined;
  // A page that nobody has answered rings, whoever answered one before.
  const isAnswered = story.state === 'acknowledged' && story.answeredGeneration === pageGeneration;
  const told = telling.state ?? 'nothing';
  const isGrave =
    severities.indexOf(story.severity) >= severities.indexOf(minSeverity) ||
    story.findings.some(({ rule, withdrawn }) => withdrawn === null && alwaysTold.has(rule));
  const wanted = !isGrave ? 'resolved' : story.state === 'acknowledged' && !isAnswered ? 'open' : story.state;

  // A trigger whose answer never came may have opened an alert, which nobody would close: from now on it counts as open.
  const asked = generationOf(telling.intent);
  const isAskedAgain = asked === pageGeneration && wanted !== 'resolved';
  if (asked !== undefined && !isAskedAgain && !telling.superseded.includes(asked))
    return { kind: 'nothing', after: { version: telling.version, superseded: [...telling.superseded, asked] } };

  const rings = told === 'open' || told === 'acknowledged';
  const isNewPage = rings && wanted === 'open' && telling.generation < pageGeneration;
  const action = isNewPage ? 'trigger' : nextAction[told][wanted];
  const common = { version, repeats: false };
  const send = async (body: Record<string, unknown>) => ({ outcome: await client.send(body as PagerDutyEvent) });

  if (action !== undefined) {
    const generation = action === 'trigger' ? pageGeneration : telling.generation;
    const superseded = telling.superseded.filter((older) => older !== generation);
    if (isNewPage) superseded.push(telling.generation);
    const state = stateAfter[action];
    const because =
      action === 'trigger'
        ? whyAnew(story)
        : action === 'resolve' && story.state !== 'resolved'
          ? reasonFor(wanted)
          : undefined;
    const event = renderEvent(toReport(story), action, { generation, because });
    return {
      ...common,
      kind: action,
      ...(action === 'trigger' ? { intent: intentOf(generation) } : {}),
      line: `${story.id} ${event.payload.summary}`,
      render: () => event,
      send,
      // More is to follow until PagerDuty's state is the incident's, and no older alert rings.
      after: {
        version: state === wanted && superseded.length === 0 ? version : telling.version,
        ...{ state, generation, superseded, dedupKey: event.dedup_key },
      },
      newsMs: action === 'trigger' ? untold(story, telling) : [],
    };
  }
  const [older, ...superseded] = telling.superseded;
  if (older === undefined) return { kind: 'nothing', after: { version } };
  const because = story.state === 'resolved' ? undefined : reasonFor(wanted);
  const event = renderEvent(toReport(story), 'resolve', { generation: older, because });
  const after = { version: superseded.length === 0 ? version : telling.version, superseded };
  // One that PagerDuty does not take keeps no page waiting.
  return {
    ...common,
    kind: 'resolve',
    line: `${story.id} ${event.payload.summary}`,
    render: () => event,
    send,
    after,
    givenUp: after,
  };
}

/** Why an alert is resolved whose incident is not. */
function reasonFor(wanted: IncidentState): string {
  return wanted === 'resolved' ? 'No longer grave enough to page' : 'A newer page tells of it';
}

/** What the newest page is for, where it is not the first. */
function whyAnew({ events, pageGeneration }: IncidentStory): string | undefined {
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
