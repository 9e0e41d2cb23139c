import { createHash } from 'node:crypto';
import { attackVersion, type Finding } from '@tripline/contracts/finding';
import type { Intent } from '@tripline/contracts/response';
import type { Db } from '@tripline/db/database';
import { inTransaction } from '@tripline/db/transaction';
import { recordVerdicts } from '@tripline/incidents/record-findings';

/** A grave finding, in an incident with those of the same `person`. */
export function someFinding(
  subject: string,
  options: { person: string; title?: string; response?: Intent[] },
): Finding {
  const rule = 'privilege-grant-outside-job';
  const time = new Date().toISOString();
  return {
    id: createHash('sha256').update(subject).digest('hex'),
    ...{ rule, subject, workspace: 'acme', occasion: 'once' },
    ...{ severity: 'critical', confidence: 'high', title: options.title ?? `Finding ${subject}` },
    ...{ summary: 'It should not be.', decidingEvent: 'event', occurredAt: time, detectedAt: time },
    evidence: [],
    entities: [{ kind: 'user', id: options.person }],
    response: options.response ?? [],
    ...{ remedy: [], silence: '', attack: ['T1078'], attackVersion, owasp: ['CICD-SEC-1'] },
  };
}

/** Records findings as the detector does: findings, incidents and jobs in one transaction. */
export async function recordFindings(db: Db, findings: readonly Finding[]): Promise<void> {
  const verdicts = findings.map((finding) => ({ kind: 'found' as const, finding }));
  await inTransaction(db, (client) => recordVerdicts(client, verdicts, []));
}
