import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { loadConfig } from '@tripline/config/config';
import { ConfigError } from '@tripline/runtime/load-settings';
import { createOutbound, createWholeOutbound, type Resolve } from '../../packages/integrations/outbound.ts';
import { addressOf, isLocalhost, kindOfAddress } from '../../packages/runtime/addresses.ts';
import type { Fault, FaultOutcome, Ground } from './fault.ts';
import { callThroughAnswers } from './ssrf-answers.ts';
import { callThroughDeliveries } from './ssrf-deliveries.ts';
import { ssrfForms } from './ssrf-forms.ts';

/**
 * Server-side request forgery: every form of a forbidden address goes through every setting that takes one, every field
 * of a delivery and of Slack's buttons that holds one, and every answer of a service that names one. Every connection
 * that this process opens is watched: none goes anywhere but to the configured services and the database, and the trap
 * that listens where the forms point hears nothing.
 */
export const ssrf: Fault = {
  name: 'ssrf',
  what: 'forbidden addresses through settings, deliveries, buttons, redirects and resolvers',
  sizes: { ci: 120, full: 1000, unit: 'forms a way (settings: all)' },
  run,
};

const settings = ['TRIPLINE_GITHUB_API_URL', 'TRIPLINE_SLACK_API_URL', 'TRIPLINE_PAGERDUTY_API_URL'];
const others: Record<string, string> = {
  TRIPLINE_SLACK_BOT_TOKEN: 'xoxb-hostile-ssrf',
  TRIPLINE_SLACK_TEAM_ID: 'T1',
  TRIPLINE_SLACK_APP_ID: 'A1',
  TRIPLINE_SLACK_CHANNEL: 'C1',
  TRIPLINE_SLACK_SIGNING_SECRET: 'hostile-ssrf-signing',
  TRIPLINE_PAGERDUTY_ROUTING_KEY: 'hostile-ssrf-routing',
};

async function run(ground: Ground, size: number): Promise<FaultOutcome> {
  const trap = await startTrap();
  const watch = watchConnections();
  const forms = ssrfForms(trap.port);
  // Spread over all, so that a small size has some of each kind.
  const some = forms.filter((_, place) => place % Math.max(1, Math.floor(forms.length / size)) === 0);
  const differences: string[] = [];
  let tried = 0;
  try {
    const config = await throughSettings(forms, new Set(some));
    differences.push(...config.differences);
    tried += config.tried;
    const database = new URL(ground.postgresUrl);
    const allowed = new Set(database.port === '' ? [] : [database.port]);
    // The tests' own Postgres listens on a socket of the file system.
    const databaseFolder = database.searchParams.get('host');
    for (const way of [callThroughAnswers, callThroughDeliveries]) {
      const called = await way(ground, some, (port) => allowed.add(String(port)));
      differences.push(...called.differences);
      tried += called.tried;
      ground.say(`${tried} tried`);
    }
    const strange = watch
      .seen()
      .filter(({ address }) => databaseFolder === null || !address.startsWith(`${databaseFolder}/`))
      .filter(({ address, port }) => kindOfAddress(address) !== 'loopback' || !allowed.has(String(port)));
    differences.push(...strange.map(({ address, port }) => `a connection to ${address} port ${port}`));
    differences.push(...trap.heard.map((request) => `the trap heard ${request}`));
    return {
      size: `${forms.length} forms, ${tried} tries`,
      compared: `${watch.seen().length} connections with the configured services, the trap with silence`,
      differences,
      figure: `${strange.length + trap.heard.length} reached`,
    };
  } finally {
    watch.end();
    await trap.close();
  }
}

/** A setting is the operator's: it may name this machine, or a service by https. Everything else is refused by name. */
async function throughSettings(
  forms: readonly string[],
  some: ReadonlySet<string>,
): Promise<{ differences: string[]; tried: number }> {
  const differences: string[] = [];
  let tried = 0;
  for (const form of forms) {
    for (const setting of settings) {
      tried += 1;
      try {
        loadConfig({ ...others, [setting]: form }, '/nonexistent');
      } catch (error) {
        if (!(error instanceof ConfigError) || !error.message.includes(setting))
          differences.push(`${setting} ${form}: ${error}`);
        continue;
      }
      if (form === '') continue;
      const url = new URL(form);
      const address = addressOf(url);
      const kind = address === null ? 'name' : kindOfAddress(address);
      const own = kind === 'loopback' || isLocalhost(url);
      if (kind === 'forbidden' || (!own && url.protocol !== 'https:'))
        differences.push(`${setting} takes ${JSON.stringify(form)}`);
      // A name may resolve to anything: whatever it does, nothing forbidden is connected to.
      if (kind === 'name' && some.has(form)) {
        tried += forbiddenAddresses.length;
        differences.push(...(await throughResolver(form, own)));
      }
    }
  }
  for (const name of ['https://api.github.com', 'https://slack.com/api/', 'https://events.pagerduty.com'])
    for (const address of ['10.0.0.1', '192.168.1.1', 'fd00::1', '100.64.0.1', ...forbiddenAddresses]) {
      tried += 1;
      if (await answers(name, [address])) differences.push(`${name} is called at ${address}`);
    }
  return { differences, tried };
}

const forbiddenAddresses = [
  '169.254.169.254',
  '0.0.0.0',
  '::',
  'fe80::1',
  'fd00:ec2::254',
  '::ffff:169.254.169.254',
  '224.0.0.1',
  '64:ff9b::a9fe:a9fe',
];
const ownAddresses = ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'];

async function throughResolver(form: string, own: boolean): Promise<string[]> {
  const differences: string[] = [];
  for (const address of own ? forbiddenAddresses : [...forbiddenAddresses, ...ownAddresses]) {
    // Alone, and behind one that is fine: both are told apart only by a resolver that the attacker runs.
    for (const all of [[address], ['203.0.113.7', address]]) {
      if (own && all.length > 1) continue;
      if (await answers(form, all)) differences.push(`${JSON.stringify(form)} is called at ${all}`);
    }
  }
  return differences;
}

type Call = (form: string, resolve: Resolve) => Promise<unknown>;

/** Both ways in which services are called. */
const calls: readonly Call[] = [
  (form, resolve) => createOutbound(form, { resolve })(form),
  (form, resolve) => {
    const asked = { method: 'GET', headers: {}, signal: AbortSignal.timeout(10_000) };
    return createWholeOutbound(form, { resolve })(form, asked, 100);
  },
];

/** Whether either tries a connection to one of `addresses`. */
async function answers(form: string, addresses: readonly string[]): Promise<boolean> {
  for (const call of calls) if (await isTried(call, form, addresses)) return true;
  return false;
}

/** Whether a connection to one of `addresses` is tried; the resolver is asked once, so there is no second answer to give. */
async function isTried(call: Call, form: string, addresses: readonly string[]): Promise<boolean> {
  let asked = 0;
  const resolve = async () => {
    asked += 1;
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  try {
    await call(form, resolve);
    return true;
  } catch (error) {
    // Octokit and Slack see it as a service that cannot be reached; it stands in the error or its cause.
    const causes = [error, (error as Error).cause];
    return !causes.some((cause) => (cause as { code?: string })?.code === 'EHOSTUNREACH') || asked > 1;
  }
}

async function startTrap() {
  const heard: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    heard.push(`${request.method} ${request.url} with ${Object.keys(request.headers)}`);
    response.end('{}');
  });
  server.on('connection', () => heard.push('a connection'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, heard, close: () => new Promise((resolve) => server.close(resolve)) };
}

/** Every address to which this process tried to connect, whoever did. */
function watchConnections() {
  const tried: { address: string; port: number }[] = [];
  const onSocket = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    socket.on('connectionAttempt', (address: string, port: number) => tried.push({ address, port }));
  };
  subscribe('net.client.socket', onSocket);
  return { seen: () => tried, end: () => unsubscribe('net.client.socket', onSocket) };
}
