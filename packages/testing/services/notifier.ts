import { createHmac } from 'node:crypto';
import { types } from 'node:util';
import { type Config, loadConfig } from '@tripline/config/config';
import type { Severity } from '@tripline/contracts/finding';
import type { Intent } from '@tripline/contracts/response';
import type { Silence } from '@tripline/contracts/silence';
import type { Db } from '@tripline/db/database';
import { addNotifyJob } from '@tripline/db/queue';
import { inTransaction } from '@tripline/db/transaction';
import { pageAnew } from '@tripline/incidents/incidents';
import { recordVerdicts } from '@tripline/incidents/record-findings';
import type { SentNotification } from '@tripline/notifier/deliver';
import { createNotifier, type NotifierTiming } from '@tripline/notifier/notifier';
import { systemClock } from '@tripline/runtime/clock';
import { createHttp } from '@tripline/runtime/http';
import { createLogger } from '@tripline/runtime/logger';
import { createMetrics } from '@tripline/runtime/metrics';
import { type FakeAnswer, type FakeRequest, startFakeService } from '../integration.conformance.ts';
import { openAs } from '../postgres/fresh-database.ts';
import { sampleFinding } from '../sample-report.ts';

/** Parts of the notifier's tests: incidents in Postgres, and a Slack and a PagerDuty on local ports. */

export const secrets = {
  token: 'xoxb-canary-29a1d7',
  signing: 'canary-signing-77be01',
  routing: 'canary-routing-51c9f3',
};

/** Findings made so far, in all databases: their ids. */
let counter = 0;

/** Opens an incident with one finding, as the detector would: everything and the jobs in one transaction. */
export async function openIncident(db: Db, change: { severity?: Severity; title?: string } = {}): Promise<string> {
  const { severity = 'critical', title = 'a finding' } = change;
  const client = await db.pool.connect();
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<{ id: string }>(
      `INSERT INTO incidents (id, workspace, severity, title)
       VALUES ('INC-' || nextval('incident_numbers'), 'acme', $1, $2) RETURNING id`,
      [severity, title],
    );
    const { id } = rows[0]!;
    await addFinding(client, id, { severity, title });
    await client.query(
      `INSERT INTO incident_events (incident, kind, actor) VALUES ($1, 'opened', '{"via":"tripline","id":"x","name":"tripline"}')`,
      [id],
    );
    await addNotifyJob(client, id);
    await client.query('COMMIT');
    return id;
  } finally {
    client.release();
  }
}

/** Another finding joins. */
export async function joinFinding(db: Db, incident: string, title: string): Promise<void> {
  const client = await db.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('UPDATE incidents SET version = version + 1, updated_at = clock_timestamp() WHERE id = $1', [
      incident,
    ]);
    await addFinding(client, incident, { severity: 'high', title });
    await client.query(
      `INSERT INTO incident_events (incident, kind, actor, detail)
       VALUES ($1, 'joined', '{"via":"tripline","id":"x","name":"tripline"}', $2)`,
      [incident, JSON.stringify({ title })],
    );
    await addNotifyJob(client, incident);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}

/** Records a finding about mallory as the detector does: it opens an incident, or joins the one that there is. */
export async function find(
  db: Db,
  options: {
    severity?: Severity;
    title?: string;
    rule?: string;
    response?: Intent[];
    silence?: Silence;
    /** Whether it may page; true unless told otherwise. */
    pages?: boolean;
  } = {},
): Promise<string> {
  const { silence, pages = true, ...change } = options;
  counter += 1;
  const id = counter.toString(16).padStart(64, '0');
  const at = new Date().toISOString();
  const { retracted, ...sample } = sampleFinding();
  const finding = { ...sample, id, subject: id, occurredAt: at, detectedAt: at, ...change };
  await inTransaction(db, (client) =>
    recordVerdicts(client, [{ kind: 'found', finding }], silence ? [silence] : [], undefined, () => pages),
  );
  const { rows } = await db.pool.query<{ incident: string }>('SELECT incident FROM findings WHERE id = $1', [id]);
  return rows[0]!.incident;
}

/** What the remediator says of a response that failed. */
export async function failResponse(db: Db, incident: string, reason: string, more: object = {}): Promise<void> {
  await inTransaction(db, (client) => pageAnew(client, incident, { reason, ...more }));
}

async function addFinding(
  client: Pick<Db['pool'], 'query'>,
  incident: string,
  { severity, title }: { severity: Severity; title: string },
): Promise<void> {
  const { summary, evidence, entities, remedy, silence, attack, owasp } = sampleFinding();
  counter += 1;
  const id = counter.toString(16).padStart(64, '0');
  await client.query(
    `INSERT INTO findings (id, incident, rule, workspace, subject, occasion, severity, confidence, title, summary,
       deciding_event, occurred_at, detected_at, evidence, entities, response, remedy, silence, attack, attack_version, owasp)
     VALUES ($1, $2, 'privilege-grant-outside-job', 'acme', $1, 'once', $3, 'high', $4, $5, 'event', now(), now(),
       $6, $7, '[]', $8, $9, $10, '19', $11)`,
    [
      ...[id, incident, severity, title, summary, JSON.stringify(evidence), JSON.stringify(entities)],
      ...[JSON.stringify(remedy), silence, attack, owasp],
    ],
  );
}

/** A Slack that numbers its messages and keeps what stands in each, and whom it showed what. `answer` may answer otherwise. */
export async function startFakeSlack(answer?: (request: FakeRequest, nth: number) => FakeAnswer | undefined) {
  const standing = new Map<
    string,
    { text: string; blocks: unknown; thread?: string; isBroadcast?: true; updates: number }
  >();
  const answered: { channel: string; user: string; text: string }[] = [];
  const forms: { trigger: string; view: Record<string, unknown> }[] = [];
  const arrivalsMs: number[] = [];
  const service = await startFakeService((request) => {
    arrivalsMs.push(performance.now());
    const other = answer?.(request, arrivalsMs.length);
    const form = Object.fromEntries(new URLSearchParams(request.body));
    if (request.path === '/chat.postEphemeral') {
      answered.push({ channel: form['channel']!, user: form['user']!, text: form['text']! });
      return other ?? { status: 200, body: '{"ok":true,"message_ts":"1.2"}' };
    }
    if (request.path === '/views.open') {
      forms.push({ trigger: form['trigger_id']!, view: JSON.parse(form['view']!) });
      return other ?? { status: 200, body: '{"ok":true}' };
    }
    const ts = form['ts'] ?? `17000.${String(standing.size + 1).padStart(6, '0')}`;
    const taken = other === undefined || other.manner === 'silent' || other.manner === 'half';
    if (taken) {
      const before = standing.get(ts);
      const thread = form['thread_ts'];
      const isBroadcast = form['reply_broadcast'] === 'true' || undefined;
      standing.set(ts, {
        text: form['text']!,
        blocks: JSON.parse(form['blocks']!),
        ...(thread === undefined ? {} : { thread }),
        ...(isBroadcast ? { isBroadcast } : {}),
        updates: before ? before.updates + 1 : 0,
      });
    }
    return other ?? { status: 200, body: JSON.stringify({ ok: true, channel: 'C1', ts }) };
  });
  return {
    ...service,
    arrivalsMs,
    standing,
    answered,
    forms,
    /** Replies that the whole channel sees. */
    broadcasts: () => [...standing.values()].filter(({ isBroadcast }) => isBroadcast),
    posts: () => [...standing.values()].filter(({ thread }) => thread === undefined),
    replies: () => [...standing.values()].filter(({ thread }) => thread !== undefined),
  };
}

/** `answer` may answer otherwise. */
export async function startFakePagerDuty(answer?: (nth: number) => FakeAnswer | undefined) {
  let nth = 0;
  const service = await startFakeService(() => {
    nth += 1;
    return answer?.(nth) ?? { status: 202, body: '{"status":"success"}' };
  });
  const events = () => service.requests.map(({ body }) => JSON.parse(body));
  const actions = () => events().map(({ event_action, dedup_key }) => `${event_action} ${dedup_key}`);
  return { ...service, events, actions };
}

/** People of slack.people. */
export const linked = { U7: 'ada', U8: 'bob' };

export function configFor(urls: { slack?: string; pagerduty?: string }): Config {
  const config = loadConfig(
    {
      ...(urls.slack && {
        TRIPLINE_SLACK_BOT_TOKEN: secrets.token,
        TRIPLINE_SLACK_CHANNEL: 'C1',
        TRIPLINE_SLACK_SIGNING_SECRET: secrets.signing,
        TRIPLINE_SLACK_TEAM_ID: 'T1',
        TRIPLINE_SLACK_APP_ID: 'A1',
        TRIPLINE_SLACK_API_URL: `${urls.slack}/`,
      }),
      ...(urls.pagerduty && {
        TRIPLINE_PAGERDUTY_ROUTING_KEY: secrets.routing,
        TRIPLINE_PAGERDUTY_API_URL: urls.pagerduty,
      }),
    },
    import.meta.dirname,
  );
  return config.slack ? { ...config, slack: { ...config.slack, people: linked } } : config;
}

/** Nothing waits for more to come. */
const atOnce = { gatherMs: 0, restMs: 0, openingMs: 0 };

/** A notifier with short times, its HTTP routes, what it logged and what it sent. */
export async function startNotifier(db: Db, config: Config, timing: Partial<NotifierTiming> = {}) {
  const logged: string[] = [];
  const sent: SentNotification[] = [];
  const metrics = createMetrics({ service: 'notifier' });
  // One that a test watches or breaks stays as it is.
  const own = types.isProxy(db.pool) ? db : openAs(db, 'notifier');
  const notifier = await createNotifier({
    config,
    db: own,
    clock: systemClock,
    metrics,
    logger: createLogger({ service: 'notifier', level: 'trace' }, { write: (line) => void logged.push(line) }),
    onSent: (message) => sent.push(message),
    timing: {
      timeoutMs: 300,
      claimMs: 1000,
      ...atOnce,
      ...timing,
      intervalMs: { slack: 5, pagerduty: 1, ...timing.intervalMs },
    },
  });
  const app = createHttp({ ready: notifier.ready });
  notifier.routes(app);
  const close = async () => {
    await app.close();
    await notifier.close();
    if (own !== db) await own.close();
  };
  return { notifier, app, logged, sent, metrics, close };
}

/** What Slack says of a press of `action` beside it. */
export function pressOf(action: object, change: object = {}) {
  return {
    type: 'block_actions',
    team: { id: 'T1' },
    api_app_id: 'A1',
    channel: { id: 'C1' },
    user: { id: 'U7', username: 'whatever-they-like' },
    trigger_id: '1.2.3',
    actions: [action],
    ...change,
  };
}

/** What Slack says when a form is submitted. */
export function submissionOf(view: Record<string, unknown>, reason: string, change: object = {}) {
  const state = { values: { reason: { text: { type: 'plain_text_input', value: reason } } } };
  const { team, api_app_id, user } = pressOf({});
  return { type: 'view_submission', team, api_app_id, user, view: { ...view, state }, ...change };
}

/** A button press or a form as Slack sends it. */
export function signedPress(press: object, options: { secret?: string; ageS?: number } = {}) {
  const body = new URLSearchParams({ payload: JSON.stringify(press) }).toString();
  const timestamp = String(Math.floor(Date.now() / 1000) - (options.ageS ?? 0));
  const signature = createHmac('sha256', options.secret ?? secrets.signing)
    .update(`v0:${timestamp}:${body}`)
    .digest('hex');
  return {
    method: 'POST' as const,
    url: '/slack/interactions',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': timestamp,
      'x-slack-signature': `v0=${signature}`,
    },
    payload: body,
  };
}
