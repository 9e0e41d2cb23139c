import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Config, loadConfig } from '@tripline/config/config';
import type { Db } from '@tripline/db/database';
import { createNotifier, type NotifierTiming } from '@tripline/notifier/notifier';
import { createRemediator } from '@tripline/remediator/remediator';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';

/** What a sink does with a call. `done`: it is carried out, though the caller may never learn of it. */
export type Manner =
  | { kind: 'answer'; status: number; body: string; headers?: Record<string, string>; done?: boolean }
  /** Carried out; the answer ends in its middle, or never begins. */
  | { kind: 'half' }
  | { kind: 'silent' };
export type Call = { sink: 'slack' | 'pagerduty' | 'github'; method: string; path: string; body: string };

/** A post that stands in the channel. `marked`: when it was posted, as possibly a repeat. */
type Post = { text: string; marked: boolean; updates: number };

export type Sinks = {
  urls: Record<Call['sink'], string>;
  posts: () => Post[];
  replies: () => number;
  /** Events that PagerDuty took, in order. */
  events: { action: string; dedupKey: string }[];
  /** Ids of deploy keys that are gone. */
  deleted: Set<string>;
  calls: Record<Call['sink'], number>;
  close: () => Promise<void>;
};

const installationToken = 'ghs_faults';

/** A Slack, a PagerDuty and a GitHub on one local port each. `manner` may have a call go wrong; undefined: all is well. */
export async function startSinks(manner: (call: Call) => Manner | undefined): Promise<Sinks> {
  const messages = new Map<string, Post & { reply: boolean }>();
  const events: Sinks['events'] = [];
  const deleted = new Set<string>();
  const calls = { slack: 0, pagerduty: 0, github: 0 };

  const takers: Record<Call['sink'], (call: Call) => { status: number; body?: string }> = {
    slack({ body }) {
      const form = Object.fromEntries(new URLSearchParams(body));
      const ts = form['ts'] ?? `17000.${String(messages.size + 1).padStart(6, '0')}`;
      const before = messages.get(ts);
      const marked = before?.marked || (form['blocks']?.includes('Possibly a repeat') ?? false);
      const updates = before ? before.updates + 1 : 0;
      messages.set(ts, { text: form['text'] ?? '', marked, updates, reply: form['thread_ts'] !== undefined });
      return { status: 200, body: JSON.stringify({ ok: true, channel: 'C1', ts }) };
    },
    pagerduty({ body }) {
      const { event_action, dedup_key } = JSON.parse(body) as Record<string, string>;
      events.push({ action: event_action!, dedupKey: dedup_key! });
      return { status: 202, body: '{"status":"success"}' };
    },
    github({ method, path }) {
      if (path.endsWith('/installation')) return { status: 200, body: '{"id":1}' };
      if (path.endsWith('/access_tokens')) return { status: 201, body: JSON.stringify({ token: installationToken }) };
      // It knows no repository by itself.
      if (/^\/repos\/[^/]+\/[^/]+$/.test(path)) return { status: 404, body: '{"message":"Not Found"}' };
      const key = /\/keys\/(\d+)$/.exec(path)?.[1];
      if (key === undefined) return { status: 204 };
      if (deleted.has(key)) return { status: 404, body: '{"message":"Not Found"}' };
      if (method !== 'DELETE') return { status: 200, body: JSON.stringify({ id: Number(key) }) };
      deleted.add(key);
      return { status: 204 };
    },
  };

  async function listen(sink: Call['sink']) {
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        calls[sink] += 1;
        const { method = '', url: path = '' } = request;
        const call = { sink, method, path, body: Buffer.concat(chunks).toString() };
        const how = manner(call);
        const type = { 'content-type': 'application/json' };
        if (how?.kind === 'answer') {
          if (how.done) takers[sink](call);
          return response.writeHead(how.status, { ...type, ...how.headers }).end(how.body);
        }
        const { status, body = '' } = takers[sink](call);
        if (how?.kind === 'silent') return;
        if (how === undefined) return response.writeHead(status, type).end(body);
        response.writeHead(200, { ...type, 'content-length': String(body.length + 100) });
        response.write(body.slice(0, Math.ceil(body.length / 2)), () => response.socket?.destroy());
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }
  const servers = {
    slack: await listen('slack'),
    pagerduty: await listen('pagerduty'),
    github: await listen('github'),
  };

  return {
    urls: { slack: `${servers.slack.url}/`, pagerduty: servers.pagerduty.url, github: servers.github.url },
    posts: () => [...messages.values()].filter(({ reply }) => !reply),
    replies: () => [...messages.values()].filter(({ reply }) => reply).length,
    events,
    deleted,
    calls,
    async close() {
      for (const { server } of Object.values(servers)) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

function configFor(urls: Sinks['urls']): Config {
  const config = loadConfig(
    {
      TRIPLINE_SLACK_BOT_TOKEN: 'xoxb-faults-token',
      TRIPLINE_SLACK_TEAM_ID: 'T1',
      TRIPLINE_SLACK_APP_ID: 'A1',
      TRIPLINE_SLACK_CHANNEL: 'C1',
      TRIPLINE_SLACK_SIGNING_SECRET: 'faults-signing-secret',
      TRIPLINE_SLACK_API_URL: urls.slack,
      TRIPLINE_PAGERDUTY_ROUTING_KEY: 'faults-routing-key',
      TRIPLINE_PAGERDUTY_API_URL: urls.pagerduty,
      TRIPLINE_GITHUB_API_URL: urls.github,
    },
    '/nonexistent',
  );
  const policy = [
    { rule: 'a-rule', minSeverity: 'high', minConfidence: 'high', actions: ['revoke-credential'] },
  ] as const;
  return {
    ...config,
    github: { ...config.github, app: { id: '1', privateKey } },
    remediation: {
      ...config.remediation,
      mode: 'automatic',
      maxPerHour: 1_000_000,
      policy: policy.map((line) => ({ ...line, actions: [...line.actions] })),
    },
  };
}

/** Notifier and remediator on `db`, against `sinks`, with times that a test can wait for. */
export async function startTellers(db: Db, sinks: Sinks, timing: Partial<NotifierTiming> = {}) {
  const config = configFor(sinks.urls);
  const logger = createLogger({ service: 'faults', level: 'silent' });
  const common = { config, db, logger, clock: systemClock, metrics: createMetrics({ service: 'faults' }) };
  const short = {
    timeoutMs: 2000,
    claimMs: 6000,
    intervalMs: { slack: 20, pagerduty: 2 },
    gatherMs: 50,
    restMs: 100,
    ...timing,
  };
  const notifier = await createNotifier({ ...common, timing: short });
  const remediator = await createRemediator(common);
  return {
    async close() {
      await notifier.close();
      await remediator.close();
    },
  };
}

/**
 * Opens `count` incidents with a finding each, whose playbook deletes a deploy key of the incident's own number, with
 * the jobs that follow: as the detector would, in one statement. Answers the number of the first.
 */
export async function openIncidents(
  db: Db,
  count: number,
  options: { severity?: string; remediate?: boolean } = {},
): Promise<number> {
  const { severity = 'high', remediate = true } = options;
  const { rows } = await db.pool.query<{ first: number }>(
    `WITH numbers AS MATERIALIZED (SELECT nextval('incident_numbers') AS n FROM generate_series(1, $1::int)),
       made AS (INSERT INTO incidents (id, workspace, severity, title)
         SELECT 'INC-' || n, 'acme', $2, 'thing ' || n FROM numbers),
       found AS (INSERT INTO findings (id, incident, rule, workspace, subject, occasion, severity, confidence, title, summary,
           deciding_event, occurred_at, detected_at, evidence, entities, response, remedy, silence, attack, attack_version, owasp)
         SELECT lpad(to_hex(n), 64, '0'), 'INC-' || n, 'a-rule', 'acme', 's' || n, 'once', $2, 'high', 'thing ' || n, 'S', 'e',
           now(), now(), '[]', '[]', CASE WHEN $3 THEN json_build_array(json_build_object('action', 'revoke-credential', 'provider', 'github', 'instance', 'github.com', 'credential', 'deploy-key',
             'repository', 'acme/app', 'credentialId', n::text))::jsonb ELSE '[]'::jsonb END, '[]', '', '{}', '19', '{}'
         FROM numbers),
       story AS (INSERT INTO incident_events (incident, kind, actor)
         SELECT 'INC-' || n, 'opened', '{"via":"tripline","id":"tripline","name":"tripline"}' FROM numbers),
       queued AS (INSERT INTO queue (purpose, item) SELECT purpose, item FROM numbers, LATERAL (VALUES
           ('notify', 'INC-' || n), ('remediate', lpad(to_hex(n), 64, '0'))
         ) AS q (purpose, item) WHERE $3 OR purpose <> 'remediate')
     SELECT min(n)::int AS first, pg_notify('tripline_queue', 'notify'), pg_notify('tripline_queue', 'remediate') FROM numbers`,
    [count, severity, remediate],
  );
  return rows[0]!.first;
}

/** Incidents that a sink was not told of at their present version, and steps that were not settled. */
export async function unfinished(db: Db): Promise<{ slack: number; pagerduty: number; steps: number }> {
  const { rows } = await db.pool.query<{ slack: number; pagerduty: number; steps: number }>(
    `SELECT count(*) FILTER (WHERE coalesce(s.version, 0) < i.version)::int AS slack,
       count(*) FILTER (WHERE coalesce(p.version, 0) < i.version)::int AS pagerduty,
       (SELECT count(*)::int FROM findings f LEFT JOIN remediations r ON r.finding = f.id
        WHERE f.response <> '[]' AND r.settled_at IS NULL) AS steps
     FROM incidents i LEFT JOIN told s ON s.incident = i.id AND s.sink = 'slack'
       LEFT JOIN told p ON p.incident = i.id AND p.sink = 'pagerduty'`,
  );
  return rows[0]!;
}
