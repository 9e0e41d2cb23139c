import { type Severity, severities } from '@tripline/contracts/finding';
import type { IncidentState } from '@tripline/contracts/incident';
import type { IncidentStory } from '@tripline/db/incidents';
import type { Telling } from '@tripline/db/messages';
import type { PagerDutyClient } from '@tripline/integrations/pagerduty/client';
import { type PagerDutyAction, type PagerDutyEvent, renderEvent } from '@tripline/integrations/pagerduty/event';
import { toReport } from './report.ts';
import { untold } from './tell-slack.ts';
import type { Step } from './telling.ts';

/** PagerDuty where none is configured: every event is taken, and nobody is paged. */
export const dryRunPagerDuty: PagerDutyClient = { send: async () => ({ kind: 'done', reason: 'dry-run' }) };

/** The next action from what PagerDuty was told last to what is true now. An incident that was over before it was told pages nobody. */
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

/** What PagerDuty lacks of an incident, one event at a time, in order. Undefined when it is in step. */
export function nextForPagerDuty(
  story: IncidentStory,
  telling: Telling,
  { client, minSeverity }: { client: PagerDutyClient; minSeverity: Severity },
): Step | undefined {
  const { version } = story;
  if (version <= telling.version) return undefined;
  const isGrave = severities.indexOf(story.severity) >= severities.indexOf(minSeverity);
  // A trigger whose answer never came may have opened an alert, which nobody would close once its incident is over.
  const mayHaveOpened = telling.intent === 'trigger' && story.state === 'resolved';
  const told = mayHaveOpened ? 'open' : (telling.state ?? 'nothing');
  const action = told === 'nothing' && !isGrave ? undefined : nextAction[told][story.state];
  if (action === undefined) return { kind: 'nothing', after: { version } };
  const state = stateAfter[action];
  const event = renderEvent(toReport(story), action);
  return {
    kind: action,
    line: `${story.id} ${event.payload.summary}`,
    version,
    render: () => event,
    send: async (body) => ({ outcome: await client.send(body as PagerDutyEvent) }),
    // More is to follow until PagerDuty's state is the incident's.
    after: { version: state === story.state ? version : telling.version, state, dedupKey: event.dedup_key },
    repeats: false,
    newsMs: action === 'trigger' ? untold(story, telling) : [],
  };
}
