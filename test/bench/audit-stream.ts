import { gzipSync } from 'node:zlib';
import { measureServer, signedRequests } from './http-server.ts';
import { interleave, type Series } from './measure.ts';
import { type ReceiverLoad, receiverProcess } from './receiver.ts';

const token = 'bench-token-of-the-audit-stream';
/** As a collector gathers them. */
const recordsABody = 1000;

/** Records of GitHub's audit log by share of a busy organisation's: Git over HTTP and SSH, runs and their jobs, API, the rest. */
const kinds = [
  ...Array.from({ length: 5 }, () => ({
    ...{ action: 'git.fetch', transport_protocol: 1, transport_protocol_name: 'http', repository_public: false },
    ...{ user_agent: 'git/2.51.0', hashed_token: 'BdOOzRUsjQMUp0wJbXJ7Ocw9ve2KhPn1JHkqmrVGqjk=' },
    programmatic_access_type: 'GitHub App server-to-server token',
  })),
  ...Array.from({ length: 3 }, () => ({
    ...{ action: 'workflows.prepared_workflow_job', job_name: 'build', workflow_run_id: 30_433_642 },
    ...{ secrets_passed: ['DEPLOY_KEY', 'GITHUB_TOKEN'], runner_labels: ['ubuntu-24.04'], is_hosted_runner: true },
    job_workflow_ref: 'acme/app/.github/workflows/ci.yml@refs/heads/main',
  })),
  { action: 'workflows.completed_workflow_run', conclusion: 'success', event: 'push', head_branch: 'main', name: 'CI' },
  { action: 'pull_request.merge', pull_request_id: 5_000_001, pull_request_title: 'Bump the parser', user: 'mona' },
];

let seed = 0;

/** Gzipped bodies as GitHub streams them, each of a thousand records that nobody has sent before. */
function auditRequests(bodies: number): Buffer[] {
  return Array.from({ length: bodies }, () => {
    const records = Array.from({ length: recordsABody }, (_, nth) => {
      seed += 1;
      const atMs = Date.now() - nth;
      const event = {
        ...{ '@timestamp': atMs, _document_id: `bench-${process.pid}-${seed}`, created_at: atMs },
        ...{
          actor: `person-${seed % 500}`,
          actor_id: 1000 + (seed % 500),
          actor_ip: '203.0.113.7',
          actor_is_bot: false,
        },
        ...{ business: 'acme-inc', business_id: 5, org: 'acme', org_id: 77, public_repo: false },
        ...{ repo: `acme/app-${seed % 300}`, repo_id: 5000 + (seed % 300), request_id: `AB12:${seed}:CD34` },
        ...kinds[seed % kinds.length],
      };
      return JSON.stringify({ time: atMs / 1000, source: 'github', event });
    });
    const body = gzipSync(records.join('\n'));
    const head =
      'POST /services/collector HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n' +
      `authorization: Splunk ${token}\r\ncontent-length: ${body.length}\r\n\r\n`;
    return Buffer.concat([Buffer.from(head), body]);
  });
}

/**
 * Records of the audit log a second that one receiver process keeps in Kafka, a thousand a gzipped body, beside deliveries of
 * webhooks a second that it keeps: each is one event. The server has core 0 to itself.
 */
export function benchAuditStream(load: ReceiverLoad & { bodies: number }): Promise<Series[]> {
  const webhooks = receiverProcess(load.brokers);
  const streamed = { ...webhooks, env: { ...webhooks.env, TRIPLINE_GITHUB_AUDIT_TOKEN: token } };
  return interleave(
    [
      {
        ...{ name: 'audit records streamed, 1,000 a gzipped body', unit: 'records/s' },
        async run() {
          const requests = auditRequests(2 * load.bodies);
          const options = { requests, warmUp: load.bodies, connections: 4 };
          return (await measureServer(streamed, options)).perSecond * recordsABody;
        },
      },
      {
        ...{ name: 'webhooks, one a body', unit: 'deliveries/s' },
        async run() {
          const requests = signedRequests(2 * load.deliveries);
          const options = { requests, warmUp: load.deliveries, connections: load.connections };
          return (await measureServer(webhooks, options)).perSecond;
        },
      },
    ],
    load.rounds,
  );
}
