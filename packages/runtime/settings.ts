import { confidences, severities } from '@tripline/contracts/finding';
import { type ResponseAction, responseActions } from '@tripline/contracts/response';
import { z } from 'zod';

/**
 * The shape of tripline.yaml, and of the configuration as services get it. Every field has a default or is absent, so
 * `settings.parse({})` is a Tripline that can be tried out. Unknown fields are errors.
 */
const secret = z.string().min(1);
const httpUrl = z.url({ protocol: /^https?$/ });
const actions = Object.keys(responseActions) as [ResponseAction, ...ResponseAction[]];

export const settings = z.strictObject({
  /** Folder of the embedded database, the spool and the generated webhook secret. */
  dataDir: z.string().min(1).default('.tripline'),
  /** Address to listen on. Loopback unless told otherwise. */
  host: z.string().min(1).default('127.0.0.1'),
  port: z.int().min(0).max(65_535).default(8080),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  database: z
    .strictObject({
      url: z
        .string()
        .regex(/^postgres(ql)?:\/\//, 'must begin with postgres://')
        .optional(),
    })
    .prefault({}),
  kafka: z
    .strictObject({
      brokers: z
        .array(z.string().regex(/^[^\s:]+:\d+$/, 'must be host:port'))
        .min(1)
        .optional(),
      /** Partitions of the events topic when it is created; each workspace lives in one. */
      partitions: z.int().min(1).max(1000).default(12),
      replicationFactor: z.int().min(1).max(10).default(1),
      /** How far the clocks of brokers and detector may differ; timers on a quiet partition wait so long. */
      clockSkewMs: z.int().min(0).max(600_000).default(2000),
    })
    .prefault({}),
  /** How long the log keeps events, in days. */
  retentionDays: z.int().min(4).max(3650).default(90),
  receiver: z
    .strictObject({
      /** Largest body taken, in bytes; GitHub's own limit. */
      bodyLimitBytes: z
        .int()
        .min(1024)
        .max(25 * 1024 * 1024)
        .default(25 * 1024 * 1024),
      /** Disk spool for when the log is away; a delivery that no longer fits is answered 503. */
      spoolLimitBytes: z
        .int()
        .min(0)
        .default(1024 * 1024 * 1024),
    })
    .prefault({}),
  github: z
    .strictObject({
      /** Secrets of the webhooks; several while one is being rotated. */
      webhookSecrets: z.array(secret).min(1).optional(),
      apiUrl: httpUrl.default('https://api.github.com'),
      /** A token that may read; used for the first import and look-ups when no App is configured. */
      token: secret.optional(),
      app: z
        .strictObject({ id: z.coerce.string().regex(/^\d+$/, 'must be the numeric App ID'), privateKey: secret })
        .optional(),
    })
    .prefault({}),
  slack: z
    .strictObject({
      botToken: secret,
      channel: z.string().min(1),
      /** Of the Slack app; without it the buttons cannot be answered, so it is required. */
      signingSecret: secret,
      apiUrl: httpUrl.default('https://slack.com/api/'),
    })
    .optional(),
  pagerduty: z
    .strictObject({
      routingKey: secret,
      apiUrl: httpUrl.default('https://events.pagerduty.com'),
      minSeverity: z.enum(severities).default('high'),
    })
    .optional(),
  /** Which organisations belong together. None configured: every organisation whose delivery is signed is its own workspace. */
  workspaces: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
        github: z.strictObject({ organizations: z.array(z.string().min(1)).min(1) }),
      }),
    )
    .default([]),
  /** Whether `tripline attack` may play scenarios into a workspace of their own (`tripline-drill-…`). */
  drills: z.boolean().default(true),
  /** How long a rule that must know what is usual learns in a new workspace, in days, when no inventory can be imported. */
  learningDays: z.number().min(0).max(90).default(14),
  rules: z
    .strictObject({
      /** Rules of your own: TypeScript files that export `rule`, relative to tripline.yaml. */
      files: z.array(z.string().min(1)).default([]),
      off: z.array(z.string()).default([]),
      /** Settings by rule id; each rule checks its own. */
      settings: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
    })
    .prefault({}),
  silences: z
    .array(
      z.strictObject({
        rule: z.string().min(1),
        /** The finding's subject, whole, or ending in `*` for all that begin so. */
        subject: z.string().min(1).default('*'),
        workspace: z.string().optional(),
        until: z.iso.datetime({ offset: true }),
        reason: z.string().min(1),
      }),
    )
    .default([]),
  remediation: z
    .strictObject({
      /** `dry-run` records what would have been done; `automatic` does it where the policy says so. */
      mode: z.enum(['dry-run', 'automatic']).default('dry-run'),
      policy: z
        .array(
          z.strictObject({
            rule: z.string().min(1),
            minSeverity: z.enum(severities).default('high'),
            minConfidence: z.enum(confidences).default('high'),
            actions: z.array(z.enum(actions)).min(1),
          }),
        )
        .default([]),
      /** Logins, repositories and runner names that no automatic action may touch. */
      breakGlass: z.array(z.string().min(1)).default([]),
      /** At most so many calls of one action in one workspace an hour. */
      maxPerHour: z.int().min(1).max(1000).default(10),
    })
    .prefault({}),
});

/** Settings as written by a user, and as a service gets them. */
export type SettingsInput = z.input<typeof settings>;
export type Settings = z.output<typeof settings>;

export type EnvironmentSetting = {
  name: string;
  path: string;
  secret: boolean;
  list?: boolean;
  number?: boolean;
  boolean?: boolean;
  doc: string;
};

/**
 * Environment variables, and the field of tripline.yaml that each one overrides. A secret one may also be given as
 * `<NAME>_FILE`, the path of a file that holds it (Docker and Kubernetes secrets).
 */
export const environment: readonly EnvironmentSetting[] = [
  {
    name: 'DATABASE_URL',
    path: 'database.url',
    secret: true,
    doc: 'Postgres to use; absent: an embedded one in the data folder',
  },
  {
    name: 'KAFKA_BROKERS',
    path: 'kafka.brokers',
    secret: false,
    list: true,
    doc: 'Kafka brokers, host:port, comma-separated; absent: the log lies in Postgres',
  },
  {
    name: 'TRIPLINE_KAFKA_PARTITIONS',
    path: 'kafka.partitions',
    secret: false,
    number: true,
    doc: 'partitions of the events topic when it is created',
  },
  {
    name: 'TRIPLINE_KAFKA_REPLICATION',
    path: 'kafka.replicationFactor',
    secret: false,
    number: true,
    doc: 'replication factor of the topics when they are created',
  },
  {
    name: 'TRIPLINE_DATA',
    path: 'dataDir',
    secret: false,
    doc: 'folder for the embedded database, the spool and the generated secret',
  },
  { name: 'TRIPLINE_HOST', path: 'host', secret: false, doc: 'address to listen on' },
  { name: 'TRIPLINE_PORT', path: 'port', secret: false, number: true, doc: 'port to listen on' },
  {
    name: 'TRIPLINE_LOG_LEVEL',
    path: 'logLevel',
    secret: false,
    doc: 'fatal, error, warn, info, debug, trace or silent',
  },
  {
    name: 'TRIPLINE_GITHUB_WEBHOOK_SECRET',
    path: 'github.webhookSecrets',
    secret: true,
    list: true,
    doc: 'secret of the GitHub webhook; several, comma-separated, while one is rotated',
  },
  {
    name: 'TRIPLINE_GITHUB_API_URL',
    path: 'github.apiUrl',
    secret: false,
    doc: 'GitHub REST API, for GitHub Enterprise Server',
  },
  {
    name: 'TRIPLINE_GITHUB_TOKEN',
    path: 'github.token',
    secret: true,
    doc: 'read-only token for the first import and look-ups',
  },
  {
    name: 'TRIPLINE_GITHUB_APP_ID',
    path: 'github.app.id',
    secret: false,
    doc: 'GitHub App that imports, looks up and remediates',
  },
  {
    name: 'TRIPLINE_GITHUB_APP_PRIVATE_KEY',
    path: 'github.app.privateKey',
    secret: true,
    doc: "the App's private key, PEM",
  },
  { name: 'TRIPLINE_SLACK_BOT_TOKEN', path: 'slack.botToken', secret: true, doc: 'Slack bot token (chat:write)' },
  { name: 'TRIPLINE_SLACK_CHANNEL', path: 'slack.channel', secret: false, doc: 'Slack channel id to tell' },
  {
    name: 'TRIPLINE_SLACK_SIGNING_SECRET',
    path: 'slack.signingSecret',
    secret: true,
    doc: 'signing secret of the Slack app, for its buttons',
  },
  { name: 'TRIPLINE_SLACK_API_URL', path: 'slack.apiUrl', secret: false, doc: "Slack's Web API" },
  {
    name: 'TRIPLINE_PAGERDUTY_ROUTING_KEY',
    path: 'pagerduty.routingKey',
    secret: true,
    doc: 'PagerDuty Events API v2 integration key',
  },
  { name: 'TRIPLINE_PAGERDUTY_API_URL', path: 'pagerduty.apiUrl', secret: false, doc: "PagerDuty's Events API" },
  {
    name: 'TRIPLINE_DRILLS',
    path: 'drills',
    secret: false,
    boolean: true,
    doc: 'whether `tripline attack` may play scenarios',
  },
  {
    name: 'TRIPLINE_LEARNING_DAYS',
    path: 'learningDays',
    secret: false,
    number: true,
    doc: 'days that rules learn in a new workspace',
  },
];
