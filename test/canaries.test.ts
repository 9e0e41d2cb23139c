import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startEmbedded } from '../packages/db/embedded.ts';

/**
 * Plants a secret of its own in every setting and every kind of input, lets a whole Tripline work on them, and then
 * looks everywhere: tables, the files of the data folder (the log, the write-ahead log and the spool among them),
 * standard output, metrics, answers, and what Slack and PagerDuty were sent; each secret as it is and in base64,
 * hexadecimal and URL form.
 */
const random = () => randomBytes(18).toString('hex');
const settingsCanaries = {
  webhook: `canary-webhook-${random()}`,
  webhookOld: `canary-webhook-old-${random()}`,
  slackToken: `xoxb-canary-${random()}`,
  slackSigning: `canary-slack-signing-${random()}`,
  pagerdutyKey: `canary-pagerduty-${random()}`,
  githubToken: `ghp_canary${random()}`,
};
const inputCanaries = {
  wrongSignature: `canary-signature-${random()}`,
  authorization: `ghp_canaryauth${random()}`,
  query: `canary-query-${random()}`,
  title: `ghp_canarytitle${random()}`,
  branch: `github_pat_11CANARY${random()}`,
  commitMessage: `glpat-canary${random()}`,
  url: `canary-url-password-${random()}`,
  untrackedField: `canary-untracked-${random()}`,
  unsignedBody: `canary-unsigned-${random()}`,
};
const canaries = { ...settingsCanaries, ...inputCanaries };

const dataDir = mkdtempSync(join(tmpdir(), 'tripline-canaries-'));
const heard: string[] = [];
let sink: Server;
let tripline: ChildProcess;
let output = '';
let base = '';
const answers: string[] = [];

function forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  // Base64 depends on where in a group of three the secret begins: take the part that is the same whatever stands around it.
  const shifted = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(4, -4),
  );
  return [secret, bytes.toString('hex'), encodeURIComponent(secret), ...shifted, secret.replaceAll('_', '%5F')];
}

/** Names of the canaries that stand in `text`, in whatever form. */
function foundIn(text: string): string[] {
  return Object.entries(canaries)
    .filter(([, secret]) => forms(secret).some((form) => text.includes(form)))
    .map(([name]) => name);
}

beforeAll(async () => {
  sink = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('latin1');
    });
    request.on('end', () => {
      heard.push(`${request.method} ${request.url} ${body}`);
      const slack = request.url?.startsWith('/slack');
      response.writeHead(slack ? 200 : request.url?.startsWith('/v2') ? 202 : 404, {
        'content-type': 'application/json',
      });
      response.end(
        JSON.stringify(
          slack ? { ok: true, channel: 'C1', ts: `${Date.now()}.000100` } : { status: 'success', message: 'none' },
        ),
      );
    });
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const sinkUrl = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`;
  const env: Record<string, string> = {
    PATH: process.env['PATH']!,
    HOME: dataDir,
    TRIPLINE_DATA: dataDir,
    TRIPLINE_PORT: '0',
    TRIPLINE_LOG_LEVEL: 'trace',
    TRIPLINE_GITHUB_WEBHOOK_SECRET: `${settingsCanaries.webhook},${settingsCanaries.webhookOld}`,
    TRIPLINE_GITHUB_TOKEN: settingsCanaries.githubToken,
    TRIPLINE_GITHUB_API_URL: `${sinkUrl}/github`,
    TRIPLINE_SLACK_BOT_TOKEN: settingsCanaries.slackToken,
    TRIPLINE_SLACK_SIGNING_SECRET: settingsCanaries.slackSigning,
    TRIPLINE_SLACK_CHANNEL: 'C1',
    TRIPLINE_SLACK_API_URL: `${sinkUrl}/slack/`,
    TRIPLINE_PAGERDUTY_ROUTING_KEY: settingsCanaries.pagerdutyKey,
    TRIPLINE_PAGERDUTY_API_URL: sinkUrl,
  };
  tripline = spawn(process.execPath, [join(import.meta.dirname, '../packages/cli/tripline.mjs'), 'up'], {
    env,
    cwd: dataDir,
  });
  for (const stream of [tripline.stdout!, tripline.stderr!]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  base = await vi.waitFor(
    () => {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0];
      if (url === undefined) throw new Error(`tripline up says no address:\n${output}`);
      return url;
    },
    { timeout: 30_000, interval: 50 },
  );
  await vi.waitFor(async () => expect((await fetch(`${base}/readyz`)).status).toBe(200), {
    timeout: 30_000,
    interval: 100,
  });
});

afterAll(async () => {
  tripline?.kill('SIGINT');
  if (tripline && tripline.exitCode === null) await new Promise((resolve) => tripline.once('exit', resolve));
  await new Promise((resolve) => sink?.close(resolve));
  rmSync(dataDir, { recursive: true, force: true });
});

async function post(
  event: string,
  body: unknown,
  options: { secret?: string; headers?: Record<string, string>; query?: string; raw?: string } = {},
) {
  const bytes = Buffer.from(options.raw ?? JSON.stringify(body));
  const signature =
    options.secret === undefined ? undefined : createHmac('sha256', options.secret).update(bytes).digest('hex');
  const response = await fetch(`${base}/webhooks/github${options.query ?? ''}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': random(),
      ...(signature ? { 'x-hub-signature-256': `sha256=${signature}` } : {}),
      ...options.headers,
    },
    body: bytes,
  });
  answers.push(`${response.status} ${await response.text()}`);
  return response.status;
}

test('no secret of any setting or input is anywhere afterwards', async () => {
  const secret = settingsCanaries.webhook;
  const repository = {
    id: 1,
    name: 'app',
    full_name: 'canary-org/app',
    private: true,
    default_branch: 'main',
    html_url: `https://bot:${inputCanaries.url}@github.example/canary-org/app`,
    owner: { login: 'canary-org', id: 2, type: 'Organization' },
  };
  const where = {
    repository,
    organization: { login: 'canary-org', id: 2 },
    sender: { login: 'mallory', id: 3, type: 'User' },
    whatever: { token: inputCanaries.untrackedField },
  };
  const now = new Date().toISOString();
  const sha = random().padEnd(40, '0').slice(0, 40);
  const commit = {
    id: sha,
    message: `fix ${inputCanaries.commitMessage}`,
    timestamp: now,
    author: { name: 'm', username: 'mallory', email: 'm@e.x' },
    committer: { name: 'm', username: 'mallory', email: 'm@e.x' },
    added: [],
    removed: [],
    modified: ['a'],
    distinct: true,
    tree_id: sha,
    url: `https://bot:${inputCanaries.url}@github.example/c`,
  };

  // Refused: nothing of these may be kept.
  expect(await post('push', { leak: inputCanaries.unsignedBody })).toBe(401);
  expect(
    await post(
      'push',
      { leak: inputCanaries.unsignedBody },
      { headers: { 'x-hub-signature-256': `sha256=${inputCanaries.wrongSignature}` } },
    ),
  ).toBe(401);
  expect(await post('push', {}, { secret, raw: `{"leak":"${inputCanaries.unsignedBody}` })).toBe(400);
  expect(await post('push', { leak: inputCanaries.unsignedBody, ...where }, { secret })).toBe(422);

  // Kept: only names of these may be kept.
  const kept = {
    secret,
    headers: { authorization: `Bearer ${inputCanaries.authorization}` },
    query: `?token=${inputCanaries.query}`,
  };
  const push = {
    ref: `refs/heads/main`,
    before: '1'.repeat(40),
    after: sha,
    created: false,
    deleted: false,
    forced: false,
    base_ref: null,
    compare: 'https://github.example/c',
    commits: [commit],
    head_commit: commit,
    pusher: { name: 'mallory', email: 'm@e.x' },
    ...where,
  };
  expect(await post('push', push, kept)).toBe(202);
  expect(
    await post(
      'push',
      { ...push, ref: `refs/heads/${inputCanaries.branch}` },
      { ...kept, secret: settingsCanaries.webhookOld },
    ),
  ).toBe(202);
  const person = { login: 'mallory', id: 3, type: 'User' };
  const run = {
    id: 77,
    name: inputCanaries.title,
    display_title: inputCanaries.title,
    event: 'push',
    status: 'queued',
    conclusion: null,
    head_sha: sha,
    head_branch: 'main',
    path: '.github/workflows/ci.yml',
    run_attempt: 1,
    run_number: 1,
    workflow_id: 5,
    created_at: now,
    updated_at: now,
    run_started_at: now,
    html_url: `https://bot:${inputCanaries.url}@github.example/r/77`,
    url: 'https://github.example/r',
    actor: person,
    triggering_actor: person,
    head_repository: repository,
    repository,
    pull_requests: [],
    head_commit: {
      id: sha,
      message: inputCanaries.commitMessage,
      timestamp: now,
      tree_id: sha,
      author: { name: 'm', email: 'm@e.x' },
      committer: { name: 'm', email: 'm@e.x' },
    },
    check_suite_id: 1,
    referenced_workflows: [],
  };
  const workflow = {
    id: 5,
    name: inputCanaries.title,
    path: '.github/workflows/ci.yml',
    state: 'active',
    created_at: now,
    updated_at: now,
    node_id: 'n',
    url: 'https://github.example',
    html_url: 'https://github.example',
    badge_url: 'https://github.example',
  };
  expect(await post('workflow_run', { action: 'requested', workflow, workflow_run: run, ...where }, kept)).toBe(202);
  // A grant by somebody, with no broker configured, is found at once: something must reach Slack and PagerDuty.
  expect(
    await post(
      'member',
      {
        action: 'added',
        member: { ...person, login: inputCanaries.title, id: 9 },
        changes: { permission: { to: 'admin' } },
        ...where,
      },
      kept,
    ),
  ).toBe(202);

  await expect
    .poll(() => heard.filter((request) => request.includes('/slack/chat.postMessage')).length, {
      timeout: 20_000,
      interval: 100,
    })
    .toBeGreaterThan(0);
  await expect
    .poll(() => heard.filter((request) => request.includes('/v2/enqueue')).length, { timeout: 20_000, interval: 100 })
    .toBeGreaterThan(0);
  answers.push(await (await fetch(`${base}/metrics`)).text());

  // Slack and PagerDuty get their own credential, where it belongs; nothing else.
  const told = heard.map((request) =>
    request.replaceAll(settingsCanaries.pagerdutyKey, '').replaceAll(settingsCanaries.slackToken, ''),
  );
  expect(foundIn(told.join('\n'))).toEqual([]);
  expect(foundIn(answers.join('\n'))).toEqual([]);
  expect(foundIn(output)).toEqual([]);

  // Joins the server that `tripline up` runs.
  const server = await startEmbedded({ dataDir: join(dataDir, 'postgres') });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  const tables = await client.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  );
  expect(tables.rows.length).toBeGreaterThan(10);
  let rows = 0;
  let named = 0;
  for (const { name } of tables.rows) {
    const content = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    rows += content.rows.length;
    named += content.rows.filter(({ row }) => row.includes('[github-token sha256:')).length;
    expect(foundIn(content.rows.map(({ row }) => row).join('\n')), name).toEqual([]);
  }
  expect(rows).toBeGreaterThan(10);
  // The inputs did come so far: as names.
  expect(named).toBeGreaterThan(0);
  await client.query('CHECKPOINT');
  await client.end();
  await server.stop();

  for (const path of files(dataDir)) expect(foundIn(readFileSync(path, 'latin1')), path).toEqual([]);
});

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .filter(({ entry, path }) => entry.isFile() && statSync(path).size < 256 * 1024 * 1024)
    .map(({ path }) => path);
}
