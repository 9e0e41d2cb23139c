import type { Exceptable, Excepted } from '@tripline/contracts/exception';
import type { Finding } from '@tripline/contracts/finding';
import type { Silence } from '@tripline/contracts/silence';
import type { ClientBase } from 'pg';
import { applyVerdicts, type CurrentFinding, nothingRecorded, type Recorded } from './apply-verdicts.ts';
import { createJoining, type OpenIncident } from './join-incidents.ts';
import { readAndLock, readIncidents } from './read-known.ts';
import type { KnownFinding, RuleVerdict } from './verdicts.ts';
import { writeVerdicts } from './write-verdicts.ts';

/**
 * Records what a batch found and retracted, with the incidents and jobs that follow, in the caller's transaction:
 * existing rows are read and locked, the verdicts are applied, and the result is written. The caller has moved its
 * position in this transaction already, so nobody else writes findings of these workspaces meanwhile; people may act on
 * incidents, so their rows are locked. A finding that is recorded already adds nothing; one that was retracted is
 * reinstated. `ofConfig`: the silences of tripline.yaml; those that people added are read with them. A finding that an
 * exception covers (`coveredBy`) is recorded and not reported, and so is one that a narrower rule's finding supersedes,
 * until that is retracted. A finding that may not page (`mayPage`) is reported without a page.
 */
export async function recordVerdicts(
  client: ClientBase,
  verdicts: readonly RuleVerdict[],
  ofConfig: readonly Silence[],
  coveredBy: (finding: Exceptable) => Excepted | undefined = () => undefined,
  mayPage: (finding: Pick<Finding, 'rule' | 'workspace'>) => boolean = () => true,
): Promise<Recorded> {
  if (verdicts.length === 0) return { ...nothingRecorded };
  const { known, locked, silences } = await readAndLock(client, verdicts);
  const joining = createJoining(locked.length === 0 ? [] : await readIncidents(client, locked));
  const findings = withIncidents(known, joining.incidents);
  const applied = applyVerdicts(verdicts, {
    joining,
    findings,
    silences: [...silences, ...ofConfig],
    coveredBy,
    mayPage,
  });
  await writeVerdicts(client, applied);
  return applied.recorded;
}

function withIncidents(
  known: ReadonlyMap<string, KnownFinding>,
  incidents: Iterable<OpenIncident>,
): Map<string, CurrentFinding> {
  const byId = new Map([...incidents].map((incident) => [incident.id, incident]));
  const findings = new Map<string, CurrentFinding>();
  for (const [id, { incident, ...finding }] of known) {
    const own = incident === null ? null : byId.get(incident);
    // Its silence ended while this transaction waited for the lock.
    if (own === undefined) throw new Error(`finding ${id} joined ${incident} meanwhile; to be recorded anew`);
    findings.set(id, { ...finding, incident: own });
  }
  return findings;
}
