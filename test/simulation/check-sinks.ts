import type { Db } from '@tripline/db/database';
import { listFindings } from '@tripline/incidents/findings';
import { dedupKey } from '@tripline/integrations/pagerduty/event';
import { listRemediations } from '@tripline/remediator/store/remediations';
import type { ExpectedOutcome } from '../oracle/oracle.ts';
import { compare, type Difference } from './check.ts';
import type { Sinks } from './sinks.ts';

type Row = {
  id: string;
  state: string;
  severity: string;
  version: number;
  slack: number | null;
  ts: string | null;
  digest: number | null;
  pagerduty: number | null;
  pages: number;
};

/**
 * What people were told: each incident once, as it is now, and what was said twice is marked; what pages anew rings by one
 * alert, the newest.
 */
export async function checkTold(db: Db, outcome: ExpectedOutcome, sinks: Sinks): Promise<Difference[]> {
  const { rows } = await db.pool.query<Row>(
    `SELECT i.id, i.state, i.severity, i.version, s.version AS slack, s.ts, s.digest, p.version AS pagerduty, i.page_generation AS pages
     FROM incidents i LEFT JOIN told s ON s.incident = i.id AND s.sink = 'slack'
     LEFT JOIN told p ON p.incident = i.id AND p.sink = 'pagerduty' ORDER BY i.id`,
  );
  const problems: string[] = [];
  for (const { id, state, severity, version, slack, ts, digest, pagerduty, pages } of rows) {
    if (slack !== version) problems.push(`${id}: Slack was told of version ${slack} of ${version}`);
    if (pagerduty !== version) problems.push(`${id}: PagerDuty was told of version ${pagerduty} of ${version}`);
    if (digest === null) {
      const posts = [...sinks.posts].filter(([, { text, thread }]) => thread === null && text.includes(`(${id})`));
      const unmarked = posts.filter(([, { marked }]) => !marked);
      if (posts.length === 0) problems.push(`${id}: Slack has no message of it`);
      if (unmarked.length > 1)
        problems.push(`${id}: Slack has ${unmarked.length} messages that are not marked as repeated`);
      if (ts === null || !sinks.posts.has(ts)) problems.push(`${id}: Slack does not have the message that was noted`);
    }
    const keys = Array.from({ length: pages + 1 }, (_, generation) => dedupKey(id, generation));
    const open = keys.filter((key) => sinks.alerts.get(key)?.open);
    const isGrave = severity === 'high' || severity === 'critical';
    const expected = isGrave && state !== 'resolved' ? 1 : 0;
    if (open.length !== expected)
      problems.push(`${id} is ${state}, ${severity}; PagerDuty has ${open.length} open alerts`);
    // Whoever has it heard of the newest page; one that nobody has rings by it.
    if (state === 'open' && expected === 1 && open[0] !== keys.at(-1))
      problems.push(`${id} rings by ${open[0]}, and its newest page is ${keys.at(-1)}`);
  }
  const opened = [...sinks.alerts.values()].reduce((sum, alert) => sum + alert.opened, 0);
  const pagesAnew = rows.reduce((sum, { pages }) => sum + pages, 0);
  const most = outcome.incidents.reduce((sum, incident) => sum + 1 + incident.reopened, 0) + pagesAnew;
  if (opened > most) problems.push(`PagerDuty was told to open ${opened} alerts of ${most}`);
  return compare('what was told', [], problems);
}

/** What became of playbooks: every step settled and told once, nothing done in a drill, and what counts as dead is dead. */
export async function checkRemediator(db: Db, sinks: Sinks): Promise<Difference[]> {
  const findings = await listFindings(db, { limit: 100_000 });
  const problems: string[] = [];
  for (const { id, workspace, response, incident, lowered } of findings) {
    const steps = await listRemediations(db, { finding: id });
    // What is lowered has no steps any more, and may have had some before.
    if (incident !== null && (lowered === null || steps.length < response.length) && steps.length !== response.length) {
      problems.push(`${id}: ${steps.length} steps of ${response.length} are planned`);
    }
    for (const { ordinal, state, verdict, check, request } of steps) {
      const name = `${id}/${ordinal} (${workspace})`;
      if (['planned', 'queued', 'acting'].includes(state)) problems.push(`${name} was left ${state}`);
      if (workspace.startsWith('tripline-drill-') && verdict === 'act') problems.push(`${name} acted in a drill`);
      const sent = `${request?.method} ${request?.path.split('?', 1)[0]}`;
      // What ends each of several things is a request for each.
      const wasSent = sent.endsWith('/each')
        ? sinks.changes.some((change) => change.startsWith(sent.slice(0, -'each'.length)))
        : sinks.changes.includes(sent);
      if (state === 'done' && !wasSent) problems.push(`${name} is done, and GitHub was never asked`);
      if (verdict === 'not-so' && !wasSent) problems.push(`${name} counts as not so, and is`);
      if (check?.result === 'dead' && !wasSent) problems.push(`${name} counts as dead, and is not`);
      const { rows } = await db.pool.query(
        `SELECT count(*)::int AS told FROM incident_events
         WHERE incident = $1 AND kind = 'remediated' AND detail->>'finding' = $2 AND detail->>'ordinal' = $3`,
        [incident, id, String(ordinal)],
      );
      const told = rows[0].told as number;
      if (incident !== null && told === 0) problems.push(`${name} was settled, and the incident does not say so`);
    }
  }
  const drilled = sinks.changes.filter((change) => change.includes('tripline-drill-'));
  problems.push(...drilled.map((change) => `GitHub was asked in a drill: ${change}`));
  return compare('what became of playbooks', [], problems);
}
