import { verbOf } from '@tripline/contracts/response';
import type { IncidentDetails } from '@tripline/incidents/incidents';
import type { IncidentSnapshot } from '@tripline/integrations/channel';
import type { ReportedStep } from '@tripline/integrations/incident-report';

/** Converts an incident as stored in Postgres into what channels compare and people read. */
export function toSnapshot(incident: IncidentDetails): IncidentSnapshot {
  const pagesAnew = incident.state === 'acknowledged' && incident.answeredGeneration !== incident.pageGeneration;
  const { version, pageGeneration, events } = incident;
  // A superseded finding is left out: the narrower rule's finding is reported instead.
  const own = incident.findings.filter(({ supersededBy }) => supersededBy === null);
  const findings = own.length > 0 ? own : incident.findings;
  return {
    report: { ...incident, findings, pagesAnew, steps: toSteps({ ...incident, findings }) },
    version,
    pageGeneration,
    events,
  };
}

/** The playbooks' steps in order, each with its newest line in the incident's history. */
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
