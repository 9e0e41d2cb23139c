import { brokerEnvironment, brokerSettings } from '@tripline/access/settings';
import { drillPrefix } from '@tripline/contracts/drill';
import { databaseEnvironment, databaseSettings } from '@tripline/db/settings';
import { faultsOfIdentity } from '@tripline/identity/registry';
import { identityEnvironment, identitySettings } from '@tripline/identity/settings';
import { exceptionSettings, overrideSettings, silenceSettings } from '@tripline/incidents/settings';
import { channels } from '@tripline/integrations/channels';
import { minters } from '@tripline/integrations/minters';
import { providers } from '@tripline/integrations/providers';
import { type EnvironmentSetting, secret } from '@tripline/runtime/setting';
import type { Feed } from '@tripline/sources/feed';
import { feeds } from '@tripline/sources/registry';
import { kafkaEnvironment, kafkaSettings } from '@tripline/stream/kafka/settings';
import { z } from 'zod';
import { remediationSettings } from './remediation.ts';

/**
 * The shape of tripline.yaml, and of the configuration as services get it, composed of what each room has beside it.
 * Every field has a default or is absent, so `settings.parse({})` is a Tripline that can be tried out. Unknown fields are
 * errors. The descriptions are what SETTINGS.md says of each field.
 */
const megabyte = 1024 * 1024;

type Registered = { name: string; settings?: z.ZodType };
/** The schemas of a registry by the names under which they stand. */
type Schemas<One extends Registered> = {
  [Each in One as Each extends { settings: z.ZodType } ? Each['name'] : never]: Each extends {
    settings: infer Schema extends z.ZodType;
  }
    ? Schema
    : never;
};

/** The schemas of minters by their kind: what stands beside the broker's own settings. */
type MinterSchemas<One extends { kind: string }> = {
  [Each in One as Each extends { settings: z.ZodType } ? Each['kind'] : never]: Each extends {
    settings: infer Schema extends z.ZodType;
  }
    ? Schema
    : never;
};
const named = minters.map((one) => ({ ...one, name: one.kind }));
const minterSettings = settingsOf<{ name: string }>(named) as MinterSchemas<(typeof minters)[number]>;

function settingsOf<One extends Registered>(registry: readonly One[]) {
  const named = registry.flatMap(({ name, settings }) => (settings === undefined ? [] : [[name, settings]]));
  return Object.fromEntries(named) as Schemas<One>;
}

type Fields = Readonly<Record<string, z.ZodType>>;
/** All fields that the feeds of a registry add to a workspace. */
type AllFields<One> = (One extends { workspaceFields: infer Own extends Fields } ? (own: Own) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

/** What all feeds add to a workspace; a feed that adds nothing has no `workspaceFields`. */
export function workspaceFieldsOf<One extends { name: string }>(registry: readonly One[]) {
  const fields = registry.map((one: One & { workspaceFields?: Fields }) => one.workspaceFields);
  return Object.assign({}, ...fields) as AllFields<One>;
}

const receiver = z.strictObject({
  bodyLimitBytes: z
    .int()
    .min(1024)
    .max(25 * megabyte)
    .default(25 * megabyte)
    .describe("Largest body taken; the default is GitHub's own limit."),
  spoolLimitBytes: z
    .int()
    .min(0)
    .default(1024 * megabyte)
    .describe('Disk spool for when the log is away; a delivery that no longer fits is answered 503.'),
});

const workspace = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and hyphens')
    .describe('Name of the workspace, in findings and in the log.'),
  ...workspaceFieldsOf(feeds),
});

const operations = z.strictObject({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address on which `/metrics`, and `/readyz` with causes, are served. Loopback unless told otherwise.'),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe('Port for them; 0 takes a free one. Absent: 9464, or a free one where `port` is 0.'),
});

const rules = z.strictObject({
  files: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Rules of your own: TypeScript files that export `rule` or `rules`, or folders of such files (but tests), relative to tripline.yaml.',
    ),
  sigma: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Folders of Sigma rules (.yml, .yaml, in folders beneath as well) for `product: github, service: audit`, relative to tripline.yaml. What of them is not supported is refused by name, and the others run all the same: `tripline rules` and `tripline doctor` say so.',
    ),
  off: z.array(z.string()).default([]).describe('Ids of rules that are not to run.'),
  on: z
    .array(z.string())
    .default([])
    .describe(
      'Ids of rules that are off by default and are to run, each by itself or, ending in `*`, all that begin so.',
    ),
  settings: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .default({})
    .describe('Settings by rule id; each rule checks its own.'),
});

const whole = z.strictObject({
  dataDir: z
    .string()
    .min(1)
    .default('.tripline')
    .describe('Folder of the embedded database, the spool and the generated webhook secret.'),
  host: z.string().min(1).default('127.0.0.1').describe('Address to listen on. Loopback unless told otherwise.'),
  port: z.int().min(0).max(65_535).default(8080).describe('Port to listen on; 0 takes a free one.'),
  operations: operations.prefault({}),
  logLevel: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('How much is logged.'),
  database: databaseSettings.prefault({}),
  kafka: kafkaSettings.prefault({}),
  retentionDays: z
    .int()
    .min(4)
    .max(3650)
    .default(90)
    .describe(
      'How long the log keeps events, and Postgres what the broker gave and what people asked for, after its end; rules look back 3 days.',
    ),
  internalKeys: z
    .array(secret)
    .min(1)
    .optional()
    .describe(
      'Keys of the MACs on what only Tripline itself may write to the log; the first signs, several while one is being rotated. The detector needs one, the receiver must not have it; `tripline up` makes one in its data folder.',
    ),
  receiver: receiver.prefault({}),
  ...settingsOf(providers),
  ...settingsOf(channels),
  ...settingsOf(feeds),
  workspaces: z
    .array(workspace)
    .default([])
    .describe(
      'Which organisations belong together. None: every organisation whose delivery is signed is its own workspace.',
    ),
  drills: z
    .boolean()
    .default(true)
    .describe('Whether `tripline attack` may play scenarios, in workspaces of their own (`tripline-drill-…`).'),
  drillKey: secret
    .optional()
    .describe(
      'Key that signs drills, and of which the token is made by which they send records of an audit log; valid for their workspaces alone. Absent: `tripline up` makes one in its data folder; a service alone takes no drill.',
    ),
  learningDays: z
    .number()
    .min(0)
    .max(90)
    .default(14)
    .describe(
      'How long a rule that must know what is usual learns in a new workspace, when no inventory can be imported.',
    ),
  rules: rules.prefault({}),
  silences: z.array(silenceSettings).default([]).describe('Findings that nobody is to hear of, until when and why.'),
  exceptions: z
    .array(exceptionSettings)
    .default([])
    .describe(
      'Findings that are in order: kept, reported to nobody and never acted upon, by whose decision and until when.',
    ),
  overrides: z
    .array(overrideSettings)
    .default([])
    .describe('What is to hold otherwise of single rules, in one workspace or in all.'),
  remediation: remediationSettings.prefault({}),
  identity: identitySettings.prefault({}),
  broker: brokerSettings.extend(minterSettings).prefault({}),
});

/** Renamed settings: what to write instead. */
export const renamed: Readonly<Record<string, string>> = {
  'remediation.breakGlass':
    'is called remediation.protected now, by kind: protected: { users: [], repositories: [], runners: [] }',
};

const checked = whole.superRefine((all, context) => {
  const { workspaces, drillKey, internalKeys, slack, broker } = all;
  const fault = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  const organizations = new Map<string, number>();
  workspaces.forEach(({ id, github: { organizations: named } }, place) => {
    if (workspaces.findIndex((other) => other.id === id) !== place) {
      fault(['workspaces', place, 'id'], 'is the id of another workspace too');
    }
    if (id.startsWith(drillPrefix)) fault(['workspaces', place, 'id'], `begins like a drill’s, ${drillPrefix}`);
    named.forEach(({ login, id: number }, nth) => {
      const path = ['workspaces', place, 'github', 'organizations', nth];
      if (login.toLowerCase().startsWith(drillPrefix)) fault(path, `begins like a drill’s, ${drillPrefix}`);
      for (const name of [login.toLowerCase(), ...(number === undefined ? [] : [`id ${number}`])]) {
        if (organizations.has(name)) {
          fault(path, 'is named twice; it can belong to one workspace only');
        }
        organizations.set(name, place);
      }
    });
  });

  for (const feed of feeds as readonly Feed[])
    for (const { path, message } of feed.faults?.(all) ?? []) fault(path, message);
  for (const { path, message } of faultsOfIdentity(all.identity)) fault(['identity', ...path], message);

  // One secret must not be valid for two feeds.
  const uses = new Map<string, string>();
  const claim = (use: string, path: (string | number)[], secrets: readonly (string | undefined)[]) => {
    for (const value of secrets) {
      if (value === undefined) continue;
      const other = uses.get(value);
      if (other !== undefined && other !== use) fault(path, `is also ${other}; each feed needs secrets of its own`);
      uses.set(value, use);
    }
  };
  workspaces.forEach((one, place) => {
    const path = ['workspaces', place, 'github', 'webhookSecrets'];
    claim('a secret of GitHub’s webhooks', path, one.github.webhookSecrets ?? []);
  });
  workspaces.forEach((one, place) => {
    const path = ['workspaces', place, 'github-audit', 'tokens'];
    claim('a secret of github-audit', path, one['github-audit']?.tokens ?? []);
  });
  workspaces.forEach((one, place) => {
    claim('a break-glass key', ['workspaces', place, 'breakGlassKeys'], one.breakGlassKeys ?? []);
  });
  for (const { name, environment } of feeds) {
    for (const { path } of environment.filter(({ secret: isSecret }) => isSecret)) {
      const use = name === 'github' ? 'a secret of GitHub’s webhooks' : `a secret of ${name}`;
      claim(use, path.split('.'), valuesAt(all, path));
    }
  }
  claim('the drill key', ['drillKey'], [drillKey]);
  claim('an internal key', ['internalKeys'], internalKeys ?? []);
  claim('the broker’s key of events', ['broker', 'eventKeys'], broker.eventKeys ?? []);
  claim('the broker’s key of seals', ['broker', 'sealingKeys'], broker.sealingKeys ?? []);
  claim('Slack’s signing secret', ['slack', 'signingSecret'], [slack?.signingSecret]);
});

/** The texts that stand at a path of settings, such as `github.app.webhookSecrets`. */
function valuesAt(settings: unknown, path: string): string[] {
  let value = settings;
  for (const name of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[name];
  return [value ?? []].flat().filter((one) => typeof one === 'string');
}

/** The port of operators where none is given: that of Prometheus's exporters of OpenTelemetry. */
const operationsPort = 9464;

/** The port on which jobs ask where none is given. */
const brokerPort = 8090;

export const settings = checked.transform(({ operations: { host, port }, ...rest }) => ({
  ...rest,
  broker: { ...rest.broker, port: rest.broker.port ?? (rest.port === 0 ? 0 : brokerPort) },
  // With a free port for the public server, the operations server must not fail on a fixed one.
  operations: { host, port: port ?? (rest.port === 0 ? 0 : operationsPort) },
}));

/** Settings as tripline.yaml gives them. */
export type GivenSettings = z.input<typeof settings>;

/** Settings as a service gets them. */
export type Settings = z.output<typeof settings>;

/** Every environment variable, with the field that it overrides. */
export const environment: readonly EnvironmentSetting[] = [
  ...databaseEnvironment,
  ...kafkaEnvironment,
  ...identityEnvironment,
  ...brokerEnvironment,
  { name: 'TRIPLINE_DATA', path: 'dataDir' },
  { name: 'TRIPLINE_HOST', path: 'host' },
  { name: 'TRIPLINE_PORT', path: 'port', kind: 'number' },
  { name: 'TRIPLINE_OPERATIONS_HOST', path: 'operations.host' },
  { name: 'TRIPLINE_OPERATIONS_PORT', path: 'operations.port', kind: 'number' },
  { name: 'TRIPLINE_LOG_LEVEL', path: 'logLevel' },
  { name: 'TRIPLINE_INTERNAL_KEY', path: 'internalKeys', kind: 'list', secret: true },
  { name: 'TRIPLINE_DRILLS', path: 'drills', kind: 'boolean' },
  { name: 'TRIPLINE_DRILL_KEY', path: 'drillKey', secret: true },
  { name: 'TRIPLINE_LEARNING_DAYS', path: 'learningDays', kind: 'number' },
  ...feeds.flatMap(({ environment }) => environment),
  ...providers.flatMap(({ environment }) => environment),
  ...channels.flatMap(({ environment }) => environment),
];
