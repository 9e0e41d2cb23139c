import { eventOfRecord } from '@tripline/sources/github-audit/record';
import { type LoggedEventInput, playTimeline } from '@tripline/testing/timeline/play';
import { expect, test } from 'vitest';
import { rule as canary } from './canary-credential-used.ts';
import { rule as drift } from './credential-context-drift.ts';
import { rule as dormant } from './dormant-credential-reactivated.ts';
import { rule as fanout } from './secret-fanout.ts';
import { rule as newConsumer } from './secret-new-consumer.ts';

/** Records in the documented shape, through the feed's own normaliser: what rules on credentials read is what it tells. */
const dayMs = 86_400_000;
const startMs = Date.parse('2026-03-11T09:00:00Z');
let nth = 0;

function recorded(day: number, fields: Record<string, unknown>): LoggedEventInput {
  nth += 1;
  const atMs = startMs + day * dayMs + nth;
  const record = {
    ...{ '@timestamp': atMs, created_at: atMs, _document_id: `d${nth}`, actor: 'mallory', actor_id: 9 },
    ...{ org: 'acme', org_id: 77, repo: 'acme/app', repo_id: 5, ...fields },
  };
  const whose = () => ({ workspace: 'acme' });
  const event = eventOfRecord(record, { receivedAtMs: atMs, trust: 'high', whose });
  if ('ignored' in event) throw new Error(`not taken: ${event.ignored}`);
  return { ...event, atMs } as LoggedEventInput;
}
const job = (day: number, workflow: string, secrets: readonly string[]) =>
  recorded(day, {
    ...{ action: 'workflows.prepared_workflow_job', workflow_run_id: 100 + day, job_name: 'build' },
    ...{ secrets_passed: secrets, is_hosted_runner: true, runner_labels: ['ubuntu-latest'] },
    job_workflow_ref: `acme/app/.github/workflows/${workflow}.yml@refs/heads/main`,
  });
const clone = (day: number, address: string, client: string, hash = 'aGFzaA==', more = {}) =>
  recorded(day, { action: 'git.clone', hashed_token: hash, actor_ip: address, user_agent: client, ...more });

test('what the audit log tells of secrets and tokens', () => {
  const ofApp = { programmatic_access_type: 'GitHub App server-to-server token' };
  const events = [
    job(0, 'ci', ['A', 'B', 'GITHUB_TOKEN']),
    clone(0, '192.0.2.1', 'git/2.40'),
    clone(0, '192.0.2.1', 'git/2.40', 'YXBw', ofApp),
    job(40, 'evil', ['A', 'B', 'GITHUB_TOKEN']),
    job(
      41,
      'ci',
      Array.from({ length: 20 }, (_, place) => `S${place}`),
    ),
    clone(70, '203.0.113.9', 'curl/8'),
    clone(70, '203.0.113.9', 'curl/8', 'YXBw', ofApp),
    clone(70, '203.0.113.9', 'curl/8', 'Y2FuYXJ5'),
  ];
  const settings = { 'canary-credential-used': { tokens: ['Y2FuYXJ5'] } };
  const rules = [canary, drift, dormant, fanout, newConsumer];
  const { findings, poison } = playTimeline({ rules, events, untilMs: startMs + 80 * dayMs, settings });
  expect(poison).toEqual([]);
  expect(findings.map(({ rule, subject, severity }) => `${rule} ${subject} ${severity}`)).toEqual([
    'secret-new-consumer acme/app/.github/workflows/evil.yml low',
    'secret-fanout acme/app/.github/workflows/ci.yml medium',
    'credential-context-drift aGFzaA== medium',
    'dormant-credential-reactivated aGFzaA== medium',
    'canary-credential-used Y2FuYXJ5 critical',
  ]);
});
