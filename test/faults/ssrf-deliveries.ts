import { createHmac, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@tripline/config/config';
import { signGithub } from '@tripline/sources/github/verify';
import { startStandalone } from '@tripline/standalone/standalone';
import { freshDatabaseOn } from '../../packages/testing/postgres/fresh-database.ts';
import type { Ground } from './fault.ts';
import { until } from './service-process.ts';

const [secret, signingSecret] = ['a webhook secret that leaked', 'a signing secret that leaked'];
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

/**
 * A whole Tripline that tells, pages and revokes for real, fed with signed deliveries in which every address is a
 * forbidden one, and with Slack's buttons that say where to answer.
 */
export async function callThroughDeliveries(
  ground: Ground,
  forms: readonly string[],
  allow: (port: number) => void,
): Promise<{ differences: string[]; tried: number }> {
  const differences: string[] = [];
  const database = await freshDatabaseOn(ground.postgresUrl);
  const dataDir = mkdtempSync(join(tmpdir(), 'tripline-ssrf-'));
  const service = await startServices();
  allow(service.port);
  const at = `http://127.0.0.1:${service.port}`;
  const config = loadConfig(
    {
      ...{ DATABASE_URL: database.url, TRIPLINE_DATA: dataDir, TRIPLINE_PORT: '0', TRIPLINE_LEARNING_DAYS: '0' },
      ...{
        TRIPLINE_GITHUB_WEBHOOK_SECRET: secret,
        TRIPLINE_GITHUB_API_URL: `${at}/github`,
        TRIPLINE_LOG_LEVEL: 'silent',
      },
      ...{ TRIPLINE_GITHUB_APP_ID: '1', TRIPLINE_GITHUB_APP_PRIVATE_KEY: privateKey, TRIPLINE_SLACK_CHANNEL: 'C1' },
      ...{
        TRIPLINE_SLACK_BOT_TOKEN: 'xoxb-hostile-ssrf',
        TRIPLINE_SLACK_TEAM_ID: 'T1',
        TRIPLINE_SLACK_APP_ID: 'A1',
        TRIPLINE_SLACK_SIGNING_SECRET: signingSecret,
        TRIPLINE_SLACK_API_URL: `${at}/slack/`,
      },
      ...{ TRIPLINE_PAGERDUTY_ROUTING_KEY: 'x'.repeat(32), TRIPLINE_PAGERDUTY_API_URL: at },
    },
    dataDir,
  );
  // Nothing is done to an organisation that belongs to no configured workspace.
  const owners = examples.flatMap(({ body }) => {
    const { organization, repository } = body as { organization?: Owner; repository?: { owner: Owner } };
    return [organization?.login, repository?.owner.login].filter((login) => login !== undefined);
  });
  const workspaces = [
    { id: 'acme', github: { organizations: [...new Set(['acme', ...owners])].map((login) => ({ login })) } },
  ];
  const policy: typeof config.remediation.policy = [
    {
      ...({ rule: 'deploy-key-write-added', minSeverity: 'low', minConfidence: 'low' } as const),
      actions: ['revoke-credential', 'revoke-grant', 'revoke-grant'],
    },
  ];
  const screen = {
    line: () => {},
    style: (_: unknown, text: string) => text,
    step: <T>(_: string, work: () => Promise<T>) => work(),
  };
  const standalone = await startStandalone(
    {
      ...config,
      workspaces,
      remediation: { ...config.remediation, mode: 'automatic', policy },
    },
    screen,
  );
  allow(Number(new URL(standalone.url).port));
  try {
    for (const [place, form] of forms.entries()) {
      const { event, body } = deliveryWith(form, place);
      const status = await post(standalone.url, event, Buffer.from(body), place);
      if (status >= 500 || status < 200) differences.push(`${event} with ${JSON.stringify(form)}: answered ${status}`);
      const pressed = await press(standalone.url, form);
      if (pressed >= 500 && pressed !== 503)
        differences.push(`a button with ${JSON.stringify(form)}: answered ${pressed}`);
    }
    const called = () =>
      ['/slack/chat.postMessage', '/v2/enqueue', 'DELETE /github/repos/'].every((part) =>
        service.heard.some((one) => one.includes(part)),
      );
    await until(called, { what: 'a call to Slack, PagerDuty and GitHub' }).catch((error: Error) =>
      differences.push(error.message),
    );
    return { differences, tried: forms.length * 2 };
  } finally {
    await standalone.close();
    await service.close();
    await database.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

type Owner = { login: string };
type Example = { name: string; examples: object[] };
const examples = (createRequire(import.meta.url)('@octokit/webhooks-examples') as Example[]).flatMap(
  ({ name, examples: bodies }) => bodies.map((body) => ({ name, body })),
);

/** Every fifth is one that is found, told, paged and acted upon; the others are GitHub's examples, in turn. */
function deliveryWith(form: string, place: number): { event: string; body: string } {
  const example = place % 5 === 0 ? { name: 'deploy_key', body: keyAdded(place) } : examples[place % examples.length]!;
  const body = JSON.stringify(example.body, (key, value: unknown) =>
    /url$|^href$|^callback|^target$|^homepage$|^website$/i.test(key) && (typeof value === 'string' || value === null)
      ? form
      : value,
  );
  return { event: example.name, body };
}

function keyAdded(place: number): object {
  const created = new Date().toISOString();
  return {
    action: 'created',
    key: {
      id: place + 1,
      key: 'ssh-ed25519 A',
      url: '',
      title: `laptop ${place}`,
      verified: true,
      created_at: created,
      read_only: false,
      added_by: `mallory-${place}`,
    },
    repository: {
      ...{
        id: 1,
        name: 'app',
        full_name: 'acme/app',
        private: true,
        default_branch: 'main',
        html_url: '',
        url: '',
        keys_url: '',
      },
      owner: { login: 'acme', id: 2, type: 'Organization', url: '', avatar_url: '' },
    },
    organization: { login: 'acme', id: 2, url: '', hooks_url: '' },
    sender: { login: `mallory-${place}`, id: place, type: 'User', url: '', html_url: '' },
  };
}

async function post(base: string, event: string, body: Buffer, place: number): Promise<number> {
  const headers = {
    ...{ 'content-type': 'application/json', 'x-github-event': event, 'x-github-delivery': `ssrf-${place}` },
    'x-hub-signature-256': signGithub(body, secret),
  };
  return statusOf(fetch(`${base}/webhooks/github`, { method: 'POST', headers, body: new Uint8Array(body) }));
}

async function press(base: string, form: string): Promise<number> {
  const payload = {
    type: 'block_actions',
    user: { id: 'U7', username: 'grace' },
    actions: [{ action_id: 'tripline.acknowledge', value: 'INC-1' }],
    ...{ response_url: form, response_urls: [{ response_url: form }], trigger_id: form },
  };
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signature = `v0=${createHmac('sha256', signingSecret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'x-slack-request-timestamp': timestamp,
    'x-slack-signature': signature,
  };
  return statusOf(fetch(`${base}/slack/interactions`, { method: 'POST', headers, body }));
}

async function statusOf(answer: Promise<Response>): Promise<number> {
  const response = await answer;
  await response.arrayBuffer();
  return response.status;
}

/** Slack, PagerDuty and GitHub on one port, each with what it takes for the next call to be made. */
async function startServices() {
  const heard: string[] = [];
  const gone = new Set<string>();
  const server = createServer((request, response) => {
    heard.push(`${request.method} ${request.url}`);
    request.resume();
    const path = request.url!.split('?', 1)[0]!;
    const [status, body] = path.startsWith('/slack')
      ? [200, { ok: true, channel: 'C1', ts: `${heard.length}.1` }]
      : path.startsWith('/v2')
        ? [202, { status: 'success' }]
        : path.endsWith('/installation')
          ? [200, { id: 1 }]
          : path.endsWith('/access_tokens')
            ? [201, { token: 'ghs_x' }]
            : request.method === 'DELETE'
              ? [204, {}]
              : [gone.has(path) || /\/repos\/[^/]+\/[^/]+$/.test(path) ? 404 : 200, {}];
    if (request.method === 'DELETE') gone.add(path);
    response.writeHead(status as number, { 'content-type': 'application/json' });
    response.end(status === 204 ? undefined : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return { heard, port: (server.address() as AddressInfo).port, close };
}
