import type { Actor } from '@tripline/contracts/incident';
import type { Db } from '@tripline/db/database';
import { addToOutbox, triplineWorkspace } from '@tripline/db/outbox';
import { inTransaction } from '@tripline/db/transaction';
import { redactText } from '@tripline/runtime/redact';
import { actOf } from './acts.ts';

export type Switch = { stopped: boolean; by: Actor; at: string; reason: string | null };

/** The kill switch of remediation, or undefined when it was never used: then remediation is not stopped. */
export async function readRemediationSwitch(db: Db): Promise<Switch | undefined> {
  const row = await db.query.selectFrom('switches').selectAll().where('name', '=', 'remediation').executeTakeFirst();
  return row && { stopped: row.stopped, by: row.by, at: row.at.toISOString(), reason: row.reason };
}

/**
 * Stops or resumes remediation, immediately and everywhere: the switch is read right before each request. Who did it
 * and why is added to the outbox in the same transaction.
 */
export function setRemediationSwitch(
  db: Db,
  change: { stopped: boolean; by: Actor; reason?: string | undefined },
): Promise<void> {
  const { stopped, by } = change;
  const reason = change.reason?.trim() ? redactText(change.reason.trim()) : undefined;
  return inTransaction(db, async (client) => {
    const { rows } = await client.query<{ at: Date }>(
      `INSERT INTO switches (name, stopped, by, reason) VALUES ('remediation', $1, $2, $3)
       ON CONFLICT (name) DO UPDATE SET stopped = $1, by = $2, reason = $3, at = clock_timestamp() RETURNING at`,
      [stopped, JSON.stringify(by), reason ?? null],
    );
    const kind = stopped ? 'kill-switch-on' : 'kill-switch-off';
    const id = `act:${kind}:${rows[0]!.at.getTime()}`;
    await addToOutbox(client, [actOf(by, { id, workspace: triplineWorkspace, kind, target: 'remediation', reason })]);
  });
}

/** Whether the kill switch is on. Throws, and so stops the caller, when the database does not answer. */
export async function isRemediationStopped(db: Pick<Db, 'pool'>): Promise<boolean> {
  const { rows } = await db.pool.query<{ stopped: boolean }>({
    name: 'remediation-stopped',
    text: `SELECT stopped FROM switches WHERE name = 'remediation'`,
  });
  return rows[0]?.stopped ?? false;
}
