import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { exampleLock, examplePolicies } from '../packages/access/access.example.ts';
import { environment } from '../packages/config/settings.ts';
import { openDatabase } from '../packages/db/database.ts';
import { startEmbedded } from '../packages/embedded-postgres/embedded.ts';
import { toCloudEvent } from '../packages/sources/tripline/source.ts';
import { signStandard } from '../packages/sources/tripline/verify.ts';
import { canariesIn, formsOf, unpacked } from '../packages/testing/canary.ts';
import { exampleOwners, plantedExamples } from '../packages/testing/canary-inputs.ts';
import { createCanaryProvider, walkPages } from '../packages/testing/canary-sign-in.ts';
import { type IssuerKey, makeIssuerKey } from '../packages/testing/id-tokens.ts';
import { tripline as command } from '../packages/testing/tripline.ts';

/**
 * Plants a secret of its own in every secret setting and every kind of input (each header, each field of each delivery,
 * buttons, break-glass records, the answers of the services that are called), lets a whole Tripline work on them, and
 * then looks everywhere: tables and what is packed in them, the files of the data folder (the log, the write-ahead log
 * and the spool among them), standard output, metrics, answers, the CLI, and what each service was sent; each secret as
 * it is and in base64, hexadecimal, URL and JSON form.
 */
const random = () => randomBytes(18).toString('hex');
/** Keys of Apps, which must be able to sign: of each one line is looked for. */
const [privateKey, appOfJobsKey] = [1, 2].map(
  () =>
    generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }).privateKey,
) as [string, string];
/** By environment variable: all that the settings call secret, those of tomorrow too. */
const settingsCanaries: Record<string, string> = Object.fromEntries(
  environment.filter(({ secret }) => secret).map(({ name }) => [name, `canary-${name.toLowerCase()}-${random()}`]),
);
settingsCanaries['TRIPLINE_GITHUB_APP_PRIVATE_KEY'] = privateKey.split('\n')[10]!;
const oldWebhook = `canary-webhook-old-${random()}`;
/** Those of tripline.yaml alone: each workspace's own. */
const yamlCanaries = {
  workspaceWebhook: `canary-workspace-webhook-${random()}`,
  breakGlassKey: `canary-breakglass-key-${random()}`,
  appOfJobsKey: appOfJobsKey.split('\n')[10]!,
};
const header = (name: string) => [name, `canary-header-${name}-${random()}`];
const headerCanaries: Record<string, string> = Object.fromEntries(
  [
    ...[
      'authorization',
      'cookie',
      'proxy-authorization',
      'x-api-key',
      'user-agent',
      'referer',
      'x-forwarded-for',
      'via',
    ],
    ...['x-hub-signature', 'x-github-hook-id', 'x-github-hook-installation-target-id', 'x-github-enterprise-host'],
    ...['x-github-hook-installation-target-type', 'x-request-id', 'traceparent', 'baggage', 'from', 'origin', 'accept'],
  ].map(header),
);
const inputCanaries = {
  wrongSignature: `canary-signature-${random()}`,
  headerName: `canary-header-name-${random()}`,
  query: `canary-query-${random()}`,
  anyField: `ghp_canaryfield${random()}`,
  title: `ghp_canarytitle${random()}`,
  branch: `github_pat_11CANARY${random()}`,
  commitMessage: `glpat-canary${random()}`,
  urlPassword: `canary-url-password-${random()}`,
  untrackedField: `canary-untracked-${random()}`,
  unreadable: `canary-unreadable-${random()}`,
  unsignedBody: `canary-unsigned-${random()}`,
  buttonToken: `canary-button-token-${random()}`,
  buttonAnswerUrl: `canary-button-url-${random()}`,
  buttonUser: `xoxp-canary-${random()}`,
  breakGlass: `npm_canarybreakglass${random()}`,
  idToken: `canary-id-token-${random()}`,
  jti: `canary-jti-${random()}`,
  askedBody: `canary-asked-body-${random()}`,
  githubAnswer: `ghs_canaryanswer${random()}`,
  slackAnswer: `xoxb-canaryanswer-${random()}`,
  pagerdutyAnswer: `canary-pagerduty-answer-${random()}`,
};
const planted = { ...settingsCanaries, ...yamlCanaries, oldWebhook, ...headerCanaries, ...inputCanaries };
const canary = (name: string) => settingsCanaries[name]!;

const folder = mkdtempSync(join(tmpdir(), 'tripline-canaries-'));
const dataDir = join(folder, 'data');
const heard: { service: string; text: string }[] = [];
const answers: string[] = [];
let database: Awaited<ReturnType<typeof startEmbedded>>;
let sink: Server;
let tripline: ChildProcess;
let env: Record<string, string>;
let output = '';
let base = '';
let operations = '';
let broker = '';
/** Made before anything is connected: it takes seconds in which no closed connection is noticed. */
const examples = plantedExamples(inputCanaries.anyField);
let issuerKey: IssuerKey;
let provider: ReturnType<typeof createCanaryProvider>;
let oidcIssuer = '';
const audience = 'https://access.acme.example';

beforeAll(async () => {
  issuerKey = await makeIssuerKey('key-1');
  sink = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('latin1');
    });
    request.on('end', () => {
      const service = /^\/(slack|v2|github|jwks|oidc|web)/.exec(request.url ?? '')?.[1] ?? 'nobody';
      heard.push({ service, text: `${request.method} ${request.url} ${request.rawHeaders.join('\n')} ${body}` });
      const said = {
        slack: [200, { ok: true, channel: 'C1', ts: `${Date.now()}.000100`, warning: inputCanaries.slackAnswer }],
        v2: [
          202,
          { status: 'success', message: inputCanaries.pagerdutyAnswer, dedup_key: inputCanaries.pagerdutyAnswer },
        ],
        github: [
          404,
          { message: `no such ${inputCanaries.githubAnswer}`, documentation_url: inputCanaries.githubAnswer },
        ],
        jwks: [200, { keys: [issuerKey.publicJwk] }],
        oidc: provider?.answer(request.url ?? ''),
        web: provider?.answer(request.url ?? ''),
        nobody: [500, {}],
      }[service] as [number, object];
      response.writeHead(said[0], { 'content-type': 'application/json', 'x-request-id': inputCanaries.githubAnswer });
      response.end(JSON.stringify(said[1]));
    });
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const sinkUrl = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`;
  oidcIssuer = `${sinkUrl}/oidc`;
  provider = createCanaryProvider({ issuer: oidcIssuer, key: issuerKey });
  database = await startEmbedded({ dataDir: join(dataDir, 'postgres') });
  // The server asks for none, so any password will do.
  const databaseUrl = database.url.replace('@', `:${canary('DATABASE_URL')}@`);
  writeFileSync(join(folder, 'access.yaml'), examplePolicies);
  writeFileSync(join(folder, 'access.lock'), exampleLock);
  const settings = {
    identity: { audience, github: [{ owners: ['65'], jwksUri: `${sinkUrl}/jwks` }] },
    broker: {
      policy: { file: 'access.yaml' },
      apps: [{ id: '8', privateKey: appOfJobsKey }],
      stepUp: {
        publicUrl: audience,
        oidc: { issuer: oidcIssuer, clientId: 'tripline', acrValues: { any: ['mfa'] } },
        github: { clientId: 'Iv1.canary', url: `${sinkUrl}/web` },
        people: [{ account: '11', name: 'ada', subject: 'ada-sub' }],
      },
      duty: { apiUrl: `${sinkUrl}/nobody`, people: [{ account: '11', name: 'ada', user: 'PADA11' }] },
    },
    github: { hooks: [{ organization: 'canary-org', id: 42 }] },
    slack: { people: { U7: 'grace' } },
    workspaces: [
      {
        id: 'canary-org',
        github: { organizations: ['canary-org', ...exampleOwners()] },
        breakGlassKeys: [yamlCanaries.breakGlassKey],
      },
      { id: 'labs', github: { organizations: ['canary-labs'], webhookSecrets: [yamlCanaries.workspaceWebhook] } },
    ],
  };
  writeFileSync(join(folder, 'tripline.yaml'), JSON.stringify(settings));
  const given: Record<string, string> = {
    ...settingsCanaries,
    DATABASE_URL: databaseUrl,
    TRIPLINE_GITHUB_WEBHOOK_SECRET: `${canary('TRIPLINE_GITHUB_WEBHOOK_SECRET')},${oldWebhook}`,
    TRIPLINE_GITHUB_APP_PRIVATE_KEY: privateKey,
  };
  env = {
    PATH: process.env['PATH']!,
    HOME: folder,
    TRIPLINE_DATA: dataDir,
    TRIPLINE_PORT: '0',
    TRIPLINE_LOG_LEVEL: 'trace',
    TRIPLINE_GITHUB_APP_ID: '7',
    TRIPLINE_GITHUB_API_URL: `${sinkUrl}/github`,
    TRIPLINE_SLACK_CHANNEL: 'C1',
    TRIPLINE_SLACK_TEAM_ID: 'T1',
    TRIPLINE_SLACK_APP_ID: 'A1',
    TRIPLINE_SLACK_API_URL: `${sinkUrl}/slack/`,
    TRIPLINE_PAGERDUTY_API_URL: sinkUrl,
    // A password alone is no login.
    TRIPLINE_KAFKA_SASL_MECHANISM: 'scram-sha-256',
    TRIPLINE_KAFKA_SASL_USERNAME: 'tripline',
  };
  // Half of them as Docker and Kubernetes give secrets: in files.
  for (const [place, [name, value]] of Object.entries(given).entries()) {
    if (place % 2 === 0) env[name] = value;
    else {
      env[`${name}_FILE`] = join(folder, `secret-${place}`);
      // In a file they stand one a line.
      writeFileSync(join(folder, `secret-${place}`), value.replace(`,${oldWebhook}`, `\n${oldWebhook}`));
    }
  }
  tripline = spawn(process.execPath, [join(import.meta.dirname, '../packages/cli/tripline.mjs'), 'up'], {
    env,
    cwd: folder,
  });
  for (const stream of [tripline.stdout!, tripline.stderr!]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  [base, broker, operations] = await vi.waitFor(
    () => {
      const found = [
        /http:\/\/127\.0\.0\.1:\d+/,
        /Broker +(http:\/\/127\.0\.0\.1:\d+)/,
        /(http:\/\/127\.0\.0\.1:\d+)\/metrics/,
      ].map((form) => form.exec(output)?.at(-1));
      // The screen may come in parts.
      if (found.includes(undefined)) throw new Error(`tripline up says no address:\n${output}`);
      return found as [string, string, string];
    },
    { timeout: 60_000, interval: 50 },
  );
  await vi.waitFor(async () => expect((await fetch(`${base}/readyz`)).status).toBe(200), {
    timeout: 30_000,
    interval: 100,
  });
}, 120_000);

afterAll(async () => {
  tripline?.kill('SIGINT');
  if (tripline && tripline.exitCode === null) await new Promise((resolve) => tripline.once('exit', resolve));
  await database?.stop();
  await new Promise((resolve) => sink?.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function send(path: string, body: string, headers: Record<string, string>): Promise<number> {
  const response = await fetch(`${base}${path}`, { method: 'POST', headers, body });
  answers.push(`${response.status} ${await response.text()} ${[...response.headers].flat().join('\n')}`);
  return response.status;
}

function post(
  event: string,
  body: string,
  secret: string | null,
  headers: Record<string, string> = {},
): Promise<number> {
  const signature = secret === null ? {} : { 'x-hub-signature-256': `sha256=${hmac(secret, body)}` };
  const usual = { 'content-type': 'application/json', 'x-github-event': event, 'x-github-delivery': random() };
  return send(`/webhooks/github?token=${inputCanaries.query}`, body, {
    ...headerCanaries,
    [`x-${inputCanaries.headerName}`]: '1',
    ...usual,
    ...signature,
    ...headers,
  });
}
const hmac = (secret: string, text: string) => createHmac('sha256', secret).update(text).digest('hex');

const where = {
  repository: {
    ...{ id: 1, name: 'app', full_name: 'canary-org/app', private: true, default_branch: 'main' },
    html_url: `https://bot:${inputCanaries.urlPassword}@github.example/canary-org/app`,
    owner: { login: 'canary-org', id: 2, type: 'Organization' },
  },
  organization: { login: 'canary-org', id: 2 },
  sender: { login: 'mallory', id: 3, type: 'User' },
  whatever: { token: inputCanaries.untrackedField },
};

/** What must be refused, what is kept by its names only, and what is found: then people are told. */
async function deliverAll(): Promise<void> {
  const secret = canary('TRIPLINE_GITHUB_WEBHOOK_SECRET');
  const leak = JSON.stringify({ leak: inputCanaries.unsignedBody });
  expect(await post('push', leak, null)).toBe(401);
  expect(await post('push', leak, null, { 'x-hub-signature-256': `sha256=${inputCanaries.wrongSignature}` })).toBe(401);
  expect(await post('push', leak.slice(0, -1), secret)).toBe(400);
  expect(await post('push', JSON.stringify({ leak: inputCanaries.unsignedBody, ...where }), secret)).toBe(202);

  expect(examples.length).toBeGreaterThan(100);
  expect(examples.reduce((sum, { planted }) => sum + planted, 0)).toBeGreaterThan(10_000);
  for (const [place, { event, body }] of examples.entries())
    expect(await post(event, body, place % 2 ? secret : oldWebhook), event).toBe(202);

  const sha = random().padEnd(40, '0').slice(0, 40);
  const person = { name: 'm', username: 'mallory', email: 'm@e.x' };
  const commit = {
    ...{ id: sha, tree_id: sha, distinct: true, message: `fix ${inputCanaries.commitMessage}`, added: [], removed: [] },
    ...{ timestamp: new Date().toISOString(), author: person, committer: person, modified: ['a'] },
    url: `https://bot:${inputCanaries.urlPassword}@github.example/c`,
  };
  const push = {
    ...{
      ref: `refs/heads/${inputCanaries.branch}`,
      before: '1'.repeat(40),
      after: sha,
      created: false,
      deleted: false,
    },
    ...{ forced: false, base_ref: null, compare: 'https://github.example/c', commits: [commit], head_commit: commit },
    ...{ pusher: { name: 'mallory', email: 'm@e.x' }, ...where },
  };
  expect(await post('push', JSON.stringify(push), secret)).toBe(202);
  // A grant by somebody, with no broker configured, is found at once: something must reach Slack and PagerDuty.
  const member = { login: inputCanaries.title, id: 9, type: 'User' };
  const grant = { action: 'added', member, changes: { permission: { to: 'admin' } }, ...where };
  expect(await post('member', JSON.stringify(grant), secret)).toBe(202);
  const grantAtLabs = JSON.stringify(grant)
    .replaceAll('canary-org', 'canary-labs')
    .replaceAll('"id":2}', '"id":22}')
    .replaceAll('"id":2,', '"id":22,');
  expect(await post('member', grantAtLabs, yamlCanaries.workspaceWebhook)).toBe(202);
  expect(await post('member', grantAtLabs, secret)).toBe(401);
  await streamRecords();
  expect(await openBreakGlass(secret)).toBe(401);
  expect(await openBreakGlass(yamlCanaries.breakGlassKey)).toBe(202);
}

/** Records of the audit log, a token in each field and under each key, and what is a secret by the name of its field alone. */
async function streamRecords(): Promise<void> {
  const actions = [
    'hook.create',
    'git.clone',
    'org.add_member',
    'workflows.prepared_workflow_job',
    'public_key.create',
  ];
  const texts = [
    'actor',
    'user',
    'user_agent',
    'actor_ip',
    'title',
    'fingerprint',
    'job_name',
    'environment_name',
    'name',
  ];
  const records = actions.map((action) => ({
    ...Object.fromEntries(texts.map((field) => [field, `${field} ${inputCanaries.anyField}`])),
    ...{ action, org: 'canary-org', org_id: 2, [inputCanaries.anyField]: 1, user_id: 9, workflow_run_id: 7 },
    ...{ repo: action === 'org.add_member' ? null : 'canary-org/app', old_permission: inputCanaries.anyField },
    secrets_passed: ['DEPLOY_KEY', inputCanaries.anyField],
    config: {
      secret: inputCanaries.untrackedField,
      url: `https://bot:${inputCanaries.urlPassword}@ci.example/hook?access_token=${inputCanaries.untrackedField}`,
    },
    list: [{ password: inputCanaries.untrackedField, deep: inputCanaries.anyField }],
    deep: { er: { client_secret: inputCanaries.untrackedField, text: inputCanaries.anyField } },
  }));
  const body = records
    .map((event) => JSON.stringify({ event, fields: { x: inputCanaries.untrackedField } }))
    .join('\n');
  const stream = (token: string, text: string) =>
    send('/services/collector', text, { ...headerCanaries, authorization: `Splunk ${token}` });
  expect(await stream(inputCanaries.wrongSignature, body)).toBe(403);
  expect(await stream(canary('TRIPLINE_GITHUB_AUDIT_TOKEN'), body)).toBe(200);
  // What cannot be read leaves an outline in the dead-letter topic: a secret may stand anywhere in it, in any form.
  const secret = inputCanaries.unreadable;
  const unreadable = [
    ...[
      { event: inputCanaries.anyField },
      { event: secret },
      { event: { [secret]: secret, deep: [{ [secret]: secret }] } },
    ],
    { action: '', _document_id: secret, org: `${secret}!`, '@timestamp': secret, user_id: secret, created_at: secret },
    { action: secret.repeat(5), repo: `../${secret}`, [inputCanaries.anyField]: inputCanaries.anyField },
  ].map((one) => JSON.stringify(one));
  const broken = [`{"event":{"${secret}":"${secret}"`, '{}'];
  expect(await stream(canary('TRIPLINE_GITHUB_AUDIT_TOKEN'), [...unreadable, ...broken].join('\n'))).toBe(200);
}

function openBreakGlass(secret: string): Promise<number> {
  const id = `bg-${random()}`;
  const data = {
    'tripline.breakglass.id': 'bg-1',
    'tripline.breakglass.actor': 'mona',
    'tripline.breakglass.reason': `the password is ${inputCanaries.breakGlass}`,
    'tripline.breakglass.expires_at': new Date(Date.now() + 60_000).toISOString(),
  };
  const type = 'dev.cdeventsx.tripline-breakglass.opened' as const;
  const event = toCloudEvent({ id, type, workspace: 'canary-org', time: new Date().toISOString(), data });
  const body = JSON.stringify({ ...event, subject: inputCanaries.untrackedField });
  const timestamp = Math.floor(Date.now() / 1000);
  return send('/webhooks/tripline', body, {
    ...headerCanaries,
    'content-type': 'application/cloudevents+json',
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signStandard(body, secret, id, timestamp),
  });
}

/** A job asks for access: by tokens that prove nobody, by one that does, and with a body of another form. */
async function askForAccess(): Promise<void> {
  const { claims } = JSON.parse(
    readFileSync(join(import.meta.dirname, '../packages/identity/github/fixtures/job.json'), 'utf8'),
  );
  const nowS = Math.floor(Date.now() / 1000);
  const of = { repository_owner: 'canary-org', repository: 'canary-org/app', sub: inputCanaries.idToken };
  const genuine = (jti: string) => issuerKey.sign({ ...claims, ...of, jti, iat: nowS, nbf: nowS, exp: nowS + 300 });
  const ask = async (token: string, body: object): Promise<number> => {
    const headers = { ...headerCanaries, authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(`${broker}/v1/access`, { method: 'POST', headers, body: JSON.stringify(body) });
    answers.push(`${response.status} ${await response.text()} ${[...response.headers].flat().join('\n')}`);
    return response.status;
  };
  const policy = { policy: 'deploy-api' };
  expect(await ask(inputCanaries.idToken, policy)).toBe(401);
  const token = await genuine(inputCanaries.jti);
  expect(await ask(`${token}x`, policy)).toBe(401);
  expect(await ask(token, { policy: inputCanaries.askedBody, [inputCanaries.askedBody]: 1 })).toBe(400);
  // A dry run: it says what it would have decided, and the log is told.
  expect(await ask(token, policy)).toBe(200);
  expect(await ask(token, policy)).toBe(409);
  shown.push(...token.split('.'));
}
/** People sign in at the broker's pages, by the provider, a passkey and GitHub: all that is secret of that. */
async function standForRun(): Promise<Record<string, string>> {
  const db = openDatabase(database.url, { applicationName: 'canaries' });
  try {
    const { found, statuses } = await walkPages(
      { publicUrl: audience, broker, issuer: oidcIssuer, key: issuerKey, db },
      provider,
    );
    // At the sink's GitHub nobody is found, so that nobody is linked.
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 403, 200]);
    expect(Object.keys(found).length).toBeGreaterThan(20);
    return found;
  } finally {
    await db.close();
  }
}
/** Parts of the token that was good, none of which may be anywhere. */
const shown: string[] = [];

/** A press of a button, with all that Slack sends besides. */
function press(incident: string): Promise<number> {
  const payload = {
    ...{ type: 'block_actions', token: inputCanaries.buttonToken, trigger_id: inputCanaries.buttonToken },
    ...{ team: { id: 'T1', domain: inputCanaries.untrackedField }, api_app_id: 'A1', channel: { id: 'C1' } },
    user: { id: 'U7', username: inputCanaries.buttonUser, name: inputCanaries.buttonUser },
    response_url: `https://hooks.slack.com/actions/T1/1/${inputCanaries.buttonAnswerUrl}`,
    state: { values: { a: { b: { value: inputCanaries.untrackedField } } } },
    actions: [{ action_id: 'tripline.acknowledge', value: incident }],
  };
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
  const timestamp = String(Math.floor(Date.now() / 1000));
  return send('/slack/interactions', body, {
    ...headerCanaries,
    'content-type': 'application/x-www-form-urlencoded',
    'x-slack-request-timestamp': timestamp,
    'x-slack-signature': `v0=${hmac(canary('TRIPLINE_SLACK_SIGNING_SECRET'), `v0:${timestamp}:${body}`)}`,
  });
}

test('no secret of any setting or input is anywhere afterwards', async () => {
  await askForAccess();
  const canaries = {
    ...planted,
    ...(await standForRun()),
    ...Object.fromEntries(shown.map((part, nth) => [`part ${nth} of an id token`, part])),
  };
  await deliverAll();
  const until = { timeout: 60_000, interval: 100 };
  const told = (path: string) => heard.filter(({ text }) => text.includes(path)).length;
  await expect.poll(() => told('/slack/chat.postMessage'), until).toBeGreaterThan(0);
  await expect.poll(() => told('/v2/enqueue'), until).toBeGreaterThan(0);
  await expect.poll(() => told('/orgs/canary-org/hooks/42/deliveries'), until).toBeGreaterThan(0);
  expect(await press('INC-1')).toBe(200);
  await expect.poll(() => told('/slack/chat.update'), until).toBeGreaterThan(0);
  await expect.poll(() => told('/slack/chat.postEphemeral'), until).toBeGreaterThan(0);
  for (const url of [base, operations])
    for (const path of ['/metrics', '/readyz']) answers.push(await (await fetch(`${url}${path}`)).text());

  const basic = Buffer.from(`Iv1.canary:${canary('TRIPLINE_STEP_UP_GITHUB_CLIENT_SECRET')}`).toString('base64');
  // Each service gets its own credential, where it belongs; nothing else.
  const own: Record<string, string[]> = {
    slack: [canary('TRIPLINE_SLACK_BOT_TOKEN')],
    v2: [canary('TRIPLINE_PAGERDUTY_ROUTING_KEY')],
    // Its own token, which is revoked, is shown to it again with what proves who asks.
    github: [canary('TRIPLINE_GITHUB_HOOK_TOKEN'), provider.secrets.githubToken, basic],
    oidc: [canary('TRIPLINE_STEP_UP_CLIENT_SECRET'), provider.secrets.code],
    web: [canary('TRIPLINE_STEP_UP_GITHUB_CLIENT_SECRET'), provider.secrets.githubCode],
  };
  for (const { service, text } of heard) {
    const rest = (own[service] ?? []).reduce((left, credential) => left.replaceAll(credential, ''), text);
    expect(canariesIn(rest, canaries), `${service}: ${rest.slice(0, 300)}`).toEqual([]);
  }
  expect(canariesIn(answers.join('\n'), canaries)).toEqual([]);
  expect(canariesIn(output, canaries)).toEqual([]);
  for (const args of [
    ['doctor'],
    ['doctor', '--json'],
    ['findings', '--json'],
    ['dead-letters'],
    ['dead-letters', '--json'],
    ['incidents', 'list'],
    ['incidents', 'show', 'INC-1'],
  ]) {
    const said = await command(args, env, folder);
    expect(said.out.length, args.join(' ')).toBeGreaterThan(0);
    expect(canariesIn(said.out + said.err, canaries), args.join(' ')).toEqual([]);
  }
  await lookIntoTables(canaries);
  for (const path of files(dataDir)) expect(canariesIn(textOf(path), canaries), path).toEqual([]);
}, 240_000);

async function lookIntoTables(canaries: Record<string, string>): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const tables = await client.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  );
  expect(tables.rows.length).toBeGreaterThan(10);
  let [rows, named] = [0, 0];
  for (const { name } of tables.rows) {
    const content = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    rows += content.rows.length;
    const text = content.rows.map(({ row }) => row).join('\n');
    const packed = [...text.matchAll(/\\x[0-9a-f]{32,}/g)].map(([hex]) => unpacked(hex)).join('\n');
    named += `${text}\n${packed}`.split('[github-token sha256:').length - 1;
    expect(canariesIn(`${text}\n${packed}`, canaries), name).toEqual([]);
  }
  expect(rows).toBeGreaterThan(100);
  // The inputs did come so far: as names.
  expect(named).toBeGreaterThan(100);
  await client.query('CHECKPOINT');
  await client.end();
}

/** What a file holds; nothing where Postgres has removed it meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function files(of: string): string[] {
  return readdirSync(of, { withFileTypes: true, recursive: true })
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .filter(
      ({ entry, path }) => entry.isFile() && (statSync(path, { throwIfNoEntry: false })?.size ?? 0) < 256 * 1024 * 1024,
    )
    .map(({ path }) => path);
}

test('this suite can fail: a secret is seen in whatever form it is written', () => {
  const secret = canary('TRIPLINE_GITHUB_TOKEN');
  const bytes = Buffer.from(`user:${secret}:x`);
  const written = [
    ...[bytes.toString(), bytes.toString('hex'), bytes.toString('hex').toUpperCase(), bytes.toString('base64')],
    ...[
      bytes.toString('base64url'),
      encodeURIComponent(bytes.toString()),
      bytes.toString('utf16le'),
      ...formsOf(secret),
    ],
  ];
  written.splice(6, 1, Buffer.from(bytes.toString(), 'utf16le').toString('latin1'));
  for (const text of written) expect(canariesIn(`<${text}>`, { secret }), text).toEqual(['secret']);
  expect(canariesIn('nothing', { secret })).toEqual([]);
});
