import { verbOf } from '@tripline/contracts/response';
import type { IncidentDetails } from '@tripline/incidents/incidents';
import type { IncidentSnapshot } from '@tripline/integrations/channel';
import type { ReportedStep } from '@tripline/integrations/incident-report';

/** An incident as Postgres has it → as channels compare it and people read it. */
export function toSnapshot(incident: IncidentDetails): IncidentSnapshot {
  const pagesAnew = incident.state === 'acknowledged' && incident.answeredGeneration !== incident.pageGeneration;
  const { version, pageGeneration, events } = incident;
  // Of what a narrower rule tells too, people hear from that one.
  const own = incident.findings.filter(({ supersededBy }) => supersededBy === null);
  const findings = own.length > 0 ? own : incident.findings;
  return {
    report: { ...incident, findings, pagesAnew, steps: toSteps({ ...incident, findings }) },
    version,
    pageGeneration,
    events,
  };
}

/** The playbooks' steps in order, with the newest line that the remediator left in the incident's history for each. */
function toSteps({ findings, events }: IncidentDetails): ReportedStep[] {
  const settled = new Map<string, ReportedStep>();
  for (const { kind, detail } of events) {
    if (kind !== 'remediated') continue;
    const { finding, ordinal, text } = detail;
    if (typeof finding !== 'string' || typeof text !== 'string') continue;
    settled.set(`${finding} ${ordinal}`, { finding, state: stateOf(detail), text });
  }
  return findings.flatMap((finding) =>
    finding.response.map((step, ordinal): ReportedStep => {
      const verb = verbOf(step);
      const planned = { finding: finding.id, state: 'planned', text: `To be decided: ${verb}` } as const;
      return settled.get(`${finding.id} ${ordinal}`) ?? planned;
    }),
  );
}

function stateOf({ state, verdict, check }: Record<string, unknown>): ReportedStep['state'] {
  if (state === 'queued' || state === 'acting') return 'planned';
  if (state === 'refused') return verdict === 'dry-run' ? 'shown' : 'refused';
  const alive = (check as { result?: unknown } | null)?.result === 'alive';
  return state === 'done' && !alive ? 'done' : 'failed';
}
