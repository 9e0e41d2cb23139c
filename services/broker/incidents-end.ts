import { type Entity, isAsGraveAs, type Severity } from '@tripline/contracts/finding';
import type { Db } from '@tripline/db/database';
import { endGrants } from '@tripline/db/end-grants';
import { queueChannel } from '@tripline/db/queue';
import { inTransaction } from '@tripline/db/transaction';
import { readOpenAt } from '@tripline/incidents/open-at';
import type { Clock } from '@tripline/runtime/clock';
import type { Logger } from '@tripline/runtime/logger';
import { readTouched } from './store/touched.ts';
import { workOnSignals } from './work-on-signals.ts';

type IncidentParts = { db: Db; clock: Clock; logger: Logger };

/** Each change of an incident queues a notification, and is signalled so; polling finds what a broken connection missed. */
const pollMs = 5000;
/** Where a policy does not say which incidents it minds. */
const usualSeverity: Severity = 'high';

/** Ends what was given to jobs that an open incident names, until `close`. */
export function startEndingByIncidents(parts: IncidentParts): { close: () => Promise<void> } {
  return workOnSignals(
    parts,
    {
      ...{ channel: queueChannel, pollMs, failing: 'reading which incidents end grants failed; retrying' },
      concerns: (payload) => payload === 'notify',
    },
    () => endByIncidents(parts),
  );
}

/**
 * Ends grants by the incidents that are open now, but for those whose policy lets a job that runs end first. What rests on acts of
 * people without write access alone counts for their own run (see packages/incidents/open-at.ts). @returns their ids.
 */
export async function endByIncidents({ db, clock, logger }: IncidentParts): Promise<string[]> {
  const ended: string[] = [];
  for (const { grant, workspace, severity, incidents, things } of await readTouched(db, usualSeverity)) {
    const open = await readOpenAt(db, workspace, things as Entity[]);
    const one = open.find(({ id, severity: found }) => incidents.includes(id) && isAsGraveAs(found, severity));
    if (one === undefined) continue;
    const by = { why: 'incident', atMs: clock.nowMs() } as const;
    const [gone] = await inTransaction(db, (client) => endGrants(client, { grants: [grant] }, by));
    if (gone === undefined) continue;
    ended.push(grant);
    logger.warn({ grant, policy: gone.policy, incident: one.id }, 'an open incident ends a grant; revoking it');
  }
  return ended;
}
