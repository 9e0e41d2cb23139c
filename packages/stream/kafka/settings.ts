import type { EnvironmentSetting } from '@tripline/runtime/setting';
import { z } from 'zod';

const kafkaTls = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Whether to connect to brokers by TLS; the default where `kafka.tls` is set.'),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe("PEM file of the CAs of the brokers' certificates. Absent: Node's own."),
  certFile: z.string().min(1).optional().describe('PEM file of a client certificate.'),
  keyFile: z.string().min(1).optional().describe('PEM file of its key.'),
  serverName: z
    .string()
    .min(1)
    .optional()
    .describe('Name in the certificates of all brokers, where it differs from the host names.'),
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

/** `kafka` of tripline.yaml. */
export const kafkaSettings = z
  .strictObject({
    brokers: z
      .array(z.string().regex(/^[^\s:]+:\d+$/, 'must be host:port'))
      .min(1)
      .optional()
      .describe('Brokers, host:port. Absent: the log is a table in Postgres.'),
    partitions: z
      .int()
      .min(1)
      .max(1000)
      .default(12)
      .describe('Partitions of the events topic when it is created; each workspace is in one of them.'),
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
      .describe(
        'How far the clocks of brokers and detector may differ; timers on a quiet partition are delayed by this.',
      ),
    tls: kafkaTls.optional(),
    sasl: kafkaSasl.optional(),
  })
  .superRefine(({ brokers = [], tls, sasl }, context) => {
    const fault = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined))
      fault(['tls', 'certFile'], 'a client certificate has both a certFile and a keyFile');
    const isNear = brokers.every((broker) => /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):/.test(broker));
    // An eavesdropper cannot reuse what scram sends; these mechanisms send the secret itself.
    if (sasl && !sasl.mechanism.startsWith('scram-') && !tls?.enabled && !isNear)
      fault(['sasl', 'mechanism'], `${sasl.mechanism} without TLS would show its secret to the network: set kafka.tls`);
  });

export type KafkaSettings = z.output<typeof kafkaSettings>;

/** How to connect to brokers: `kafka.tls` and `kafka.sasl`. */
export type KafkaSecurity = Pick<KafkaSettings, 'tls' | 'sasl'>;
export type SaslMechanism = NonNullable<KafkaSecurity['sasl']>['mechanism'];

export const kafkaEnvironment: readonly EnvironmentSetting[] = [
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
];
