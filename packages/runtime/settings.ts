import { drillPrefix } from '@tripline/contracts/drill';
import { confidences, severities } from '@tripline/contracts/finding';
import { formerNames, intentNames } from '@tripline/contracts/response';
import { faultOfScope, longestSilenceMs } from '@tripline/contracts/silence';
import { z } from 'zod';
import { faultOfServiceUrl } from './addresses.ts';

/**
 * The shape of tripline.yaml, and of the configuration as services get it. Every field has a default or is absent, so
 * `settings.parse({})` is a Tripline that can be tried out. Unknown fields are errors. The descriptions are what
 * SETTINGS.md says of each field.
 */
/** A secret that could be guessed proves nothing. */
export const shortestSecret = 16;
const secret = z.string().min(shortestSecret, 'must have at least 16 characters; make one with `openssl rand -hex 32`');
const secretList = z.array(secret).min(1);
const httpUrl = z.url({ protocol: /^https?$/ }).superRefine((text, context) => {
  const message = URL.canParse(text) ? faultOfServiceUrl(text) : undefined;
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});
const megabyte = 1024 * 1024;

const database = z
  .strictObject({
    url: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'must begin with postgres://')
      .optional()
      .describe(
        'Postgres to use, with the parameters of libpq (`sslmode`, `sslrootcert`, …). Absent: an embedded one in the data folder. Tables lie in schema `public`, unless `options` name a search_path.',
      ),
    sslMode: z
      .enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'])
      .optional()
      .describe("How much TLS is asked for where the URL has no `sslmode`; libpq's own default is `prefer`."),
    sslRootCert: z
      .string()
      .min(1)
      .optional()
      .describe("PEM file of the CAs that may vouch for the server; `system` for this machine's own."),
    sslCert: z.string().min(1).optional().describe('PEM file of a client certificate.'),
    sslKey: z.string().min(1).optional().describe('PEM file of its key.'),
  })
  .transform(({ url, ...tls }) => ({ url: url && withParameters(url, tls) }));

/** Lays libpq's variables beneath the parameters that a URL has. */
function withParameters(url: string, beneath: Record<string, string | undefined>): string {
  const [base, query] = url.split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  const isSecured = parameters.has('sslmode') || parameters.has('ssl');
  for (const [name, value] of Object.entries(beneath)) {
    const parameter = name.toLowerCase();
    if (value !== undefined && !parameters.has(parameter) && !(name === 'sslMode' && isSecured)) {
      parameters.set(parameter, value);
    }
  }
  return parameters.size > 0 ? `${base}?${parameters}` : url;
}

const kafkaTls = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Whether brokers are spoken to by TLS; so it is wherever `kafka.tls` stands.'),
  caFile: z.string().min(1).optional().describe("PEM file of the CAs that vouch for the brokers. Absent: Node's own."),
  certFile: z.string().min(1).optional().describe('PEM file of a client certificate.'),
  keyFile: z.string().min(1).optional().describe('PEM file of its key.'),
  serverName: z
    .string()
    .min(1)
    .optional()
    .describe('Name that the certificates of all brokers bear, where it is not the one that they are reached by.'),
});

const kafkaSasl = z
  .strictObject({
    mechanism: z
      .enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'aws-msk-iam'])
      .describe('How Tripline logs in to Kafka.'),
    username: z.string().min(1).optional().describe('For plain and scram.'),
    password: z.string().min(1).optional().describe('For plain and scram.'),
    tokenCommand: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe(
        'For oauthbearer: a program and its arguments, run without a shell, that writes a token to its standard output within 10 s; run again before the token ends.',
      ),
    region: z
      .string()
      .min(1)
      .optional()
      .describe("For aws-msk-iam: the AWS region. Credentials are found as AWS's own tools find them."),
  })
  .superRefine((sasl, context) => {
    const needed = {
      plain: ['username', 'password'],
      'scram-sha-256': ['username', 'password'],
      'scram-sha-512': ['username', 'password'],
      oauthbearer: ['tokenCommand'],
      'aws-msk-iam': ['region'],
    } as const;
    for (const name of needed[sasl.mechanism]) {
      if (sasl[name] === undefined)
        context.addIssue({ code: 'custom', path: [name], message: `is needed for ${sasl.mechanism}` });
    }
  });

const kafka = z
  .strictObject({
    brokers: z
      .array(z.string().regex(/^[^\s:]+:\d+$/, 'must be host:port'))
      .min(1)
      .optional()
      .describe('Brokers, host:port. Absent: the log lies in Postgres.'),
    partitions: z
      .int()
      .min(1)
      .max(1000)
      .default(12)
      .describe('Partitions of the events topic when it is created; each workspace lives in one.'),
    replicationFactor: z
      .int()
      .min(1)
      .max(10)
      .default(1)
      .describe('Replication factor of the topics when they are created.'),
    clockSkewMs: z
      .int()
      .min(0)
      .max(600_000)
      .default(2000)
      .describe('How far the clocks of brokers and detector may differ; timers on a quiet partition wait so long.'),
    tls: kafkaTls.optional(),
    sasl: kafkaSasl.optional(),
  })
  .superRefine(({ brokers = [], tls, sasl }, context) => {
    const fault = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined))
      fault(['tls', 'certFile'], 'a client certificate has both a certFile and a keyFile');
    const isNear = brokers.every((broker) => /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):/.test(broker));
    // What scram sends is of no use to whoever hears it; these send what lets anybody in.
    if (sasl && !sasl.mechanism.startsWith('scram-') && !tls?.enabled && !isNear)
      fault(['sasl', 'mechanism'], `${sasl.mechanism} without TLS would show its secret to the network: set kafka.tls`);
  });

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

const hook = z.strictObject({
  organization: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/, 'must be the login of an organisation')
    .describe('Login of the organisation.'),
  id: z.coerce
    .string()
    .regex(/^\d{1,20}$/, 'must be the numeric id of its webhook')
    .describe('Id of its webhook: the number in the address of its settings page.'),
});

const github = z
  .strictObject({
    webhookSecrets: secretList
      .optional()
      .describe(
        'Secrets of the webhooks; several while one is being rotated. They speak for any organisation but a drill; once a workspace has secrets of its own, for the workspaces that have none.',
      ),
    apiUrl: httpUrl.default('https://api.github.com').describe('REST API; another one for GitHub Enterprise Server.'),
    token: secret
      .optional()
      .describe('A token that may only read, for the first import and look-ups when no App is configured.'),
    app: z
      .strictObject({
        id: z.coerce
          .string()
          .regex(/^\d+$/, 'must be the numeric App ID')
          .describe('Id of the GitHub App that imports, looks up and remediates.'),
        privateKey: secret.describe("The App's private key, PEM."),
        webhookSecrets: secretList
          .optional()
          .describe(
            "Secrets of the App's own webhook, which speak for every configured workspace; what names no organisation is kept where there is just one.",
          ),
      })
      .optional(),
    hooks: z
      .array(hook)
      .default([])
      .describe(
        "Organisation webhooks whose failed deliveries are made again; the App's own webhook is seen to anyway.",
      ),
    hookToken: secret
      .optional()
      .describe(
        'A classic token with admin:org_hook, for `hooks` alone. Absent: the App does it, with organization_hooks: write.',
      ),
  })
  .superRefine(({ hooks, hookToken, app }, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (hooks.length > 0 && hookToken === undefined && app === undefined)
      fault('hooks', 'nothing may ask for their deliveries: configure github.app or github.hookToken');
    if (hooks.length === 0 && hookToken !== undefined)
      fault('hookToken', 'name the webhooks that it is for under hooks');
  });

const slackPerson = /^[UW][A-Z0-9]{0,39}$/;

/** An id of the form that Slack gives it. `what` tells people who left it out where to find it. */
function slackId(form: RegExp, what: string) {
  const message = `must be ${what}`;
  return z.string({ error: message }).regex(form, message);
}

const slack = z.strictObject({
  botToken: secret.describe('Bot token with chat:write.'),
  channel: z.string().min(1).describe('Id of the channel to tell.'),
  signingSecret: secret.describe("The Slack app's signing secret, without which its buttons could not be believed."),
  teamId: slackId(
    /^[TE][A-Z0-9]{0,39}$/,
    'the id of your Slack workspace: it stands in the address app.slack.com/client/T…',
  ).describe(
    'Id of the Slack workspace whose members may press the buttons; it stands in the address app.slack.com/client/T….',
  ),
  appId: slackId(
    /^A[A-Z0-9]{0,39}$/,
    'the App ID of your Slack app: it stands under Basic Information at api.slack.com/apps',
  ).describe(
    "The app's App ID, from its page Basic Information at api.slack.com/apps; buttons of other apps are refused.",
  ),
  people: z
    .record(z.string().regex(slackPerson, 'must be the member ID of somebody at Slack: U…'), z.string().min(1).max(100))
    .default({})
    .describe('Who may press the buttons: member ID at Slack → login. Others are told that they are not linked.'),
  apiUrl: httpUrl.default('https://slack.com/api/').describe("Slack's Web API."),
});

const pagerduty = z.strictObject({
  routingKey: secret.describe('Integration key of an Events API v2 integration.'),
  apiUrl: httpUrl.default('https://events.pagerduty.com').describe("PagerDuty's Events API."),
  minSeverity: z.enum(severities).default('high').describe('Incidents below it are told to Slack only.'),
});

/** An organisation by its login and, where it is known, the id to which the login is pinned. */
type Organization = { login: string; id?: string };
const organization = z
  .union([
    z.string().min(1),
    z.strictObject({
      login: z.string().min(1),
      id: z.coerce.string().regex(/^\d{1,20}$/, 'must be the numeric id of the organisation'),
    }),
  ])
  .transform((given): Organization => (typeof given === 'string' ? { login: given } : given));

const workspace = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and hyphens')
    .describe('Name of the workspace, in findings and in the log.'),
  github: z.strictObject({
    organizations: z
      .array(organization)
      .min(1)
      .describe(
        'Its GitHub organisations: logins, or `{ login, id }`. A login is pinned to its id at the first delivery, so that a renamed organisation is followed.',
      ),
    webhookSecrets: secretList
      .optional()
      .describe(
        'Secrets of the webhooks of its organisations, or of its enterprise, which speak for no other workspace; several while one is being rotated.',
      ),
  }),
  breakGlassKeys: secretList
    .optional()
    .describe(
      'Keys that sign break-glass records of this workspace (`tripline break-glass`), and nothing else; receiver and detector need them. Absent: none is taken.',
    ),
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
    .describe('Rules of your own: TypeScript files that export `rule`, relative to tripline.yaml.'),
  off: z.array(z.string()).default([]).describe('Ids of rules that are not to run.'),
  settings: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .default({})
    .describe('Settings by rule id; each rule checks its own.'),
});

const matcher = (of: string) =>
  z.string().min(1).optional().describe(`${of}, whole, or ending in \`*\` for all that begin so.`);
const silence = z
  .strictObject({
    rule: matcher('Id of the rule'),
    subject: matcher("The finding's subject"),
    actor: matcher('Who acted, by login'),
    repository: matcher('The repository, `owner/name`'),
    runner: matcher('The runner'),
    environment: matcher('Name of the deployment environment'),
    workspace: z.string().optional().describe('Only in this workspace. Absent: in all.'),
    critical: z.boolean().default(false).describe('Whether critical findings are silenced too.'),
    until: z.iso
      .datetime({ offset: true })
      .refine((until) => !(Date.parse(until) > Date.now() + longestSilenceMs), {
        error: 'a silence lasts 30 days at most; name an earlier day, and what still stands then is told',
      })
      .describe('When it ends, RFC 3339, 30 days from now at most; what still stands then is told.'),
    reason: z.string().min(1).describe('Why; kept with each finding that it silences.'),
  })
  .superRefine((scope, context) => {
    const message = faultOfScope(scope);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

const action = z.enum(intentNames, {
  error: ({ input }) => {
    const now = typeof input === 'string' ? formerNames[input] : undefined;
    return now === undefined ? undefined : `is called ${now} now`;
  },
});

const policy = z.strictObject({
  rule: z.string().min(1).describe('Id of the rule.'),
  minSeverity: z.enum(severities).default('high').describe('Only findings at least so severe.'),
  minConfidence: z.enum(confidences).default('high').describe('Only findings at least so sure.'),
  actions: z.array(action).min(1).describe('What may be done.'),
});

/** A number in YAML is an id, since a name may consist of digits too. */
const providerId = z.int().positive().transform(String);
type Person = { login: string | undefined; id: string | undefined };
type Runner = { name: string | undefined; id: string | undefined };
const person = z
  .union([z.string().min(1), z.int().positive(), z.strictObject({ login: z.string().min(1), id: providerId })])
  .transform((given): Person => {
    if (typeof given === 'object') return given;
    return typeof given === 'string' ? { login: given, id: undefined } : { login: undefined, id: String(given) };
  });
const runner = z
  .union([z.string().min(1), z.int().positive()])
  .transform(
    (given): Runner =>
      typeof given === 'string' ? { name: given, id: undefined } : { name: undefined, id: String(given) },
  );

const protectedThings = z.strictObject({
  users: z
    .array(person)
    .default([])
    .describe(
      'People whom no automatic action may touch: a login, the number of an account, or `{ login, id }`, which goes by the number where that is known.',
    ),
  repositories: z
    .array(z.string().regex(/^[^/\s]+\/[^/\s]+$/, 'must be owner/name'))
    .default([])
    .describe('Repositories that no automatic action may touch, owner/name.'),
  runners: z
    .array(runner)
    .default([])
    .describe('Self-hosted runners that no automatic action may touch: a name, or the number of one.'),
});

const remediation = z.strictObject({
  mode: z
    .enum(['dry-run', 'automatic'])
    .default('dry-run')
    .describe('`dry-run` records what would have been done; `automatic` does it where the policy says so.'),
  policy: z
    .array(policy)
    .default([])
    .describe('What may be done without asking, by rule, severity, confidence and action.'),
  protected: protectedThings.prefault({}),
  maxPerHour: z
    .int()
    .min(1)
    .max(1000)
    .default(10)
    .describe(
      'At most so many calls of one action in one workspace an hour. What comes beyond it pages, and waits for a free place, the gravest first.',
    ),
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
  database: database.prefault({}),
  kafka: kafka.prefault({}),
  retentionDays: z
    .int()
    .min(4)
    .max(3650)
    .default(90)
    .describe('How long the log keeps events; rules look back 3 days.'),
  internalKeys: z
    .array(secret)
    .min(1)
    .optional()
    .describe(
      'Keys of the MACs on what only Tripline itself may write to the log; the first signs, several while one is being rotated. The detector needs one, the receiver must not have it; `tripline up` makes one in its data folder.',
    ),
  receiver: receiver.prefault({}),
  github: github.prefault({}),
  slack: slack.optional(),
  pagerduty: pagerduty.optional(),
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
      'Key that signs drills, and speaks for their workspaces alone. Absent: `tripline up` makes one in its data folder; a service alone takes no drill.',
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
  silences: z.array(silence).default([]).describe('Findings that nobody is to hear of, until when and why.'),
  remediation: remediation.prefault({}),
});

/** Settings that go by another name now: what to write instead. */
export const renamed: Readonly<Record<string, string>> = {
  'remediation.breakGlass':
    'is called remediation.protected now, by kind: protected: { users: [], repositories: [], runners: [] }',
};

const checked = whole.superRefine(({ workspaces, github, drillKey, internalKeys, slack }, context) => {
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

  // Whoever holds one secret must not thereby speak for another feed.
  const uses = new Map<string, string>();
  const claim = (use: string, path: (string | number)[], secrets: readonly (string | undefined)[]) => {
    for (const value of secrets) {
      if (value === undefined) continue;
      const other = uses.get(value);
      if (other !== undefined && other !== use) fault(path, `is also ${other}; each feed needs secrets of its own`);
      uses.set(value, use);
    }
  };
  claim('a secret of GitHub’s webhooks', ['github', 'webhookSecrets'], github.webhookSecrets ?? []);
  claim('a secret of GitHub’s webhooks', ['github', 'app', 'webhookSecrets'], github.app?.webhookSecrets ?? []);
  workspaces.forEach((one, place) => {
    const path = ['workspaces', place, 'github', 'webhookSecrets'];
    claim('a secret of GitHub’s webhooks', path, one.github.webhookSecrets ?? []);
  });
  workspaces.forEach((one, place) => {
    claim('a break-glass key', ['workspaces', place, 'breakGlassKeys'], one.breakGlassKeys ?? []);
  });
  claim('the drill key', ['drillKey'], [drillKey]);
  claim('an internal key', ['internalKeys'], internalKeys ?? []);
  claim('Slack’s signing secret', ['slack', 'signingSecret'], [slack?.signingSecret]);
});

/** The port of operators where none is given: that of Prometheus's exporters of OpenTelemetry. */
const operationsPort = 9464;

export const settings = checked.transform(({ operations: { host, port }, ...rest }) => ({
  ...rest,
  // Whoever takes a free port for the one must not meet a taken one with the other.
  operations: { host, port: port ?? (rest.port === 0 ? 0 : operationsPort) },
}));

/** Settings as tripline.yaml gives them. */
export type GivenSettings = z.input<typeof settings>;

/** Settings as a service gets them. */
export type Settings = z.output<typeof settings>;

/**
 * An environment variable, and the field of tripline.yaml that it overrides. `kind` says how its text is read. A secret
 * one may also be given as `<NAME>_FILE`, the path of a file that holds it (Docker and Kubernetes secrets).
 */
export type EnvironmentSetting = { name: string; path: string; kind?: 'list' | 'number' | 'boolean'; secret?: true };

export const environment: readonly EnvironmentSetting[] = [
  { name: 'DATABASE_URL', path: 'database.url', secret: true },
  { name: 'PGSSLMODE', path: 'database.sslMode' },
  { name: 'PGSSLROOTCERT', path: 'database.sslRootCert' },
  { name: 'PGSSLCERT', path: 'database.sslCert' },
  { name: 'PGSSLKEY', path: 'database.sslKey' },
  { name: 'KAFKA_BROKERS', path: 'kafka.brokers', kind: 'list' },
  { name: 'TRIPLINE_KAFKA_PARTITIONS', path: 'kafka.partitions', kind: 'number' },
  { name: 'TRIPLINE_KAFKA_REPLICATION', path: 'kafka.replicationFactor', kind: 'number' },
  { name: 'TRIPLINE_KAFKA_TLS', path: 'kafka.tls.enabled', kind: 'boolean' },
  { name: 'TRIPLINE_KAFKA_TLS_CA_FILE', path: 'kafka.tls.caFile' },
  { name: 'TRIPLINE_KAFKA_TLS_CERT_FILE', path: 'kafka.tls.certFile' },
  { name: 'TRIPLINE_KAFKA_TLS_KEY_FILE', path: 'kafka.tls.keyFile' },
  { name: 'TRIPLINE_KAFKA_TLS_SERVER_NAME', path: 'kafka.tls.serverName' },
  { name: 'TRIPLINE_KAFKA_SASL_MECHANISM', path: 'kafka.sasl.mechanism' },
  { name: 'TRIPLINE_KAFKA_SASL_USERNAME', path: 'kafka.sasl.username' },
  { name: 'TRIPLINE_KAFKA_SASL_PASSWORD', path: 'kafka.sasl.password', secret: true },
  { name: 'TRIPLINE_KAFKA_SASL_TOKEN_COMMAND', path: 'kafka.sasl.tokenCommand', kind: 'list' },
  { name: 'TRIPLINE_KAFKA_SASL_REGION', path: 'kafka.sasl.region' },
  { name: 'TRIPLINE_DATA', path: 'dataDir' },
  { name: 'TRIPLINE_HOST', path: 'host' },
  { name: 'TRIPLINE_PORT', path: 'port', kind: 'number' },
  { name: 'TRIPLINE_OPERATIONS_HOST', path: 'operations.host' },
  { name: 'TRIPLINE_OPERATIONS_PORT', path: 'operations.port', kind: 'number' },
  { name: 'TRIPLINE_LOG_LEVEL', path: 'logLevel' },
  { name: 'TRIPLINE_GITHUB_WEBHOOK_SECRET', path: 'github.webhookSecrets', kind: 'list', secret: true },
  { name: 'TRIPLINE_INTERNAL_KEY', path: 'internalKeys', kind: 'list', secret: true },
  { name: 'TRIPLINE_GITHUB_API_URL', path: 'github.apiUrl' },
  { name: 'TRIPLINE_GITHUB_TOKEN', path: 'github.token', secret: true },
  { name: 'TRIPLINE_GITHUB_APP_ID', path: 'github.app.id' },
  { name: 'TRIPLINE_GITHUB_APP_PRIVATE_KEY', path: 'github.app.privateKey', secret: true },
  {
    name: 'TRIPLINE_GITHUB_APP_WEBHOOK_SECRET',
    path: 'github.app.webhookSecrets',
    kind: 'list',
    secret: true,
  },
  { name: 'TRIPLINE_GITHUB_HOOK_TOKEN', path: 'github.hookToken', secret: true },
  { name: 'TRIPLINE_SLACK_BOT_TOKEN', path: 'slack.botToken', secret: true },
  { name: 'TRIPLINE_SLACK_CHANNEL', path: 'slack.channel' },
  { name: 'TRIPLINE_SLACK_SIGNING_SECRET', path: 'slack.signingSecret', secret: true },
  { name: 'TRIPLINE_SLACK_TEAM_ID', path: 'slack.teamId' },
  { name: 'TRIPLINE_SLACK_APP_ID', path: 'slack.appId' },
  { name: 'TRIPLINE_SLACK_API_URL', path: 'slack.apiUrl' },
  { name: 'TRIPLINE_PAGERDUTY_ROUTING_KEY', path: 'pagerduty.routingKey', secret: true },
  { name: 'TRIPLINE_PAGERDUTY_API_URL', path: 'pagerduty.apiUrl' },
  { name: 'TRIPLINE_DRILLS', path: 'drills', kind: 'boolean' },
  { name: 'TRIPLINE_DRILL_KEY', path: 'drillKey', secret: true },
  { name: 'TRIPLINE_LEARNING_DAYS', path: 'learningDays', kind: 'number' },
];
