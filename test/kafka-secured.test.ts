import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { main } from '../packages/cli/main.ts';
import { systemClock } from '../packages/runtime/clock.ts';
import { createLogger } from '../packages/runtime/logger.ts';
import type { KafkaSecurity } from '../packages/stream/kafka/settings.ts';
import { createKafkaStream } from '../packages/stream/kafka/stream.ts';
import { type Stream, StreamUnavailableError, type TopicSpec } from '../packages/stream/stream.ts';
import { createAuthority, type Pair } from '../packages/testing/certificates.ts';
import { type Brokers, startBrokers } from '../packages/testing/kafka/broker.ts';
import { haveKafka } from '../packages/testing/kafka/kafka.ts';
import { freshDatabase } from '../packages/testing/postgres/postgres.ts';

const logger = createLogger({ service: 'test', level: 'silent' });
const soon = { timeout: 60_000, interval: 50 };
const password = 'a password, for "tests" = $HOME';
const store = 'keystore-password';
/** Logins end after this, and must be made anew. */
const sessionMs = 7000;

describe.skipIf(!haveKafka())('Kafka as its operators run it: SASL_SSL, ACLs, topics of their own', () => {
  let folder: string;
  let brokers: Brokers;
  let ca: string;
  let client: Pair;
  let admin: Admin;
  let tls: NonNullable<KafkaSecurity['tls']>;
  const streams: Stream[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tripline-secured-'));
    const authority = createAuthority(folder, 'authority');
    const server = authority.issue('broker', { commonName: 'broker', names: ['IP:127.0.0.1', 'DNS:broker.internal'] });
    ca = authority.certificate;
    client = authority.issue('client', { commonName: 'tripline-client' });
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(join(folder, 'token-key.pem'), keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const jwk = { ...keys.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' };
    const jwks = join(folder, 'jwks.json');
    writeFileSync(jwks, JSON.stringify({ keys: [jwk] }));
    const plainUsers = Object.entries({ alice: password, bob: 'another password' })
      .map(([name, secret]) => `user_${name}="${secret.replaceAll('"', '\\"')}"`)
      .join(' ');
    const module = (name: string, options = '') => `org.apache.kafka.common.security.${name} required ${options};`;
    brokers = await startBrokers({
      brokers: 1,
      secured: {
        listeners: { LOGIN: 'SASL_SSL', OAUTH: 'SASL_SSL', CLIENTS: 'SSL' },
        scramUsers: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((one) => `${one}=[name=alice,password=${scramPassword}]`),
        settings: {
          'ssl.keystore.location': authority.toKeystore(server, store),
          'ssl.keystore.type': 'PKCS12',
          'ssl.keystore.password': store,
          'ssl.truststore.location': ca,
          'ssl.truststore.type': 'PEM',
          'listener.name.clients.ssl.client.auth': 'required',
          'listener.name.login.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
          'listener.name.login.plain.sasl.jaas.config': module('plain.PlainLoginModule', plainUsers).replaceAll(
            '\\',
            '\\\\',
          ),
          'listener.name.login.scram-sha-256.sasl.jaas.config': module('scram.ScramLoginModule'),
          'listener.name.login.scram-sha-512.sasl.jaas.config': module('scram.ScramLoginModule'),
          'listener.name.oauth.sasl.enabled.mechanisms': 'OAUTHBEARER',
          'listener.name.oauth.oauthbearer.sasl.jaas.config': module('oauthbearer.OAuthBearerLoginModule'),
          'listener.name.oauth.oauthbearer.sasl.server.callback.handler.class':
            'org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler',
          'listener.name.oauth.oauthbearer.connections.max.reauth.ms': sessionMs,
          'sasl.oauthbearer.jwks.endpoint.url': `file://${jwks}`,
          'sasl.oauthbearer.expected.audience': 'kafka',
          'sasl.oauthbearer.expected.issuer': 'https://issuer.test',
          'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
          // The plain listener is the operator's.
          'super.users': 'User:ANONYMOUS',
        },
        systemProperties: { 'org.apache.kafka.sasl.oauthbearer.allowed.urls': `file://${jwks}` },
      },
    });
    admin = new Kafka({ brokers: brokers.bootstrap, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    tls = { enabled: true, caFile: ca };
  }, 180_000);
  afterAll(async () => {
    await Promise.all(streams.map((stream) => stream.close()));
    await admin?.disconnect();
    await brokers?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  /** A colon would part it in the option of `kafka-storage.sh`. */
  const scramPassword = 'a-password-for-tests';

  function open(listener: string, security: KafkaSecurity): Stream {
    const stream = createKafkaStream({
      brokers: [brokers.secured[listener] ?? brokers.bootstrap[0]!],
      clientId: 'test',
      replicationFactor: 1,
      clockSkewMs: 50,
      security,
      logger,
      clock: systemClock,
    });
    streams.push(stream);
    return stream;
  }

  /** As an operator makes one. */
  async function makeTopic(): Promise<TopicSpec> {
    const spec = { topic: `t-${randomUUID()}`, partitions: 2, retentionMs: 86_400_000, maxRecordBytes: 100_000 };
    await admin.createTopics({
      topics: [
        {
          topic: spec.topic,
          numPartitions: spec.partitions,
          configEntries: [
            { name: 'message.timestamp.type', value: 'LogAppendTime' },
            { name: 'max.message.bytes', value: '200000' },
          ],
        },
      ],
    });
    return spec;
  }

  async function allow(principal: string, rights: Partial<Record<'topic' | 'group', string[]>>, name: string) {
    const names = { topic: AclResourceTypes.TOPIC, group: AclResourceTypes.GROUP };
    const operations = {
      Read: AclOperationTypes.READ,
      Write: AclOperationTypes.WRITE,
      Describe: AclOperationTypes.DESCRIBE,
      DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
      Delete: AclOperationTypes.DELETE,
    } as Record<string, AclOperationTypes>;
    await admin.createAcls({
      acl: Object.entries(rights).flatMap(([kind, of]) =>
        of.map((operation) => ({
          resourceType: names[kind as 'topic'],
          resourceName: kind === 'topic' ? name : 'tripline-',
          resourcePatternType: kind === 'topic' ? ResourcePatternTypes.LITERAL : ResourcePatternTypes.PREFIXED,
          principal: `User:${principal}`,
          host: '*',
          operation: operations[operation]!,
          permissionType: AclPermissionTypes.ALLOW,
        })),
      ),
    });
  }
  const allRights = { topic: ['Read', 'Write', 'Describe', 'DescribeConfigs'], group: ['Read', 'Describe', 'Delete'] };

  /** Our own produce and fetch, the ends, and what `tripline trail` reads. */
  async function goesThrough(stream: Stream, spec: TopicSpec): Promise<void> {
    // What an operator has just made, or allowed, is not seen at once.
    const isThere = () =>
      stream.ensureTopics([spec]).then(
        () => 'there',
        (error: Error) => error.message,
      );
    await expect.poll(isThere, soon).toBe('there');
    const heard: string[] = [];
    const consumer = await stream.consume({
      topic: spec.topic,
      group: `tripline-${randomUUID()}`,
      handlers: {
        onAssigned: async () => 0,
        onBatch: async ({ records }) => {
          for (const { value } of records) heard.push(value!.toString());
        },
        onLost: async () => {},
      },
    });
    const texts = Array.from({ length: 200 }, (_, n) => `${n} ☃ ${'x'.repeat(n)}`);
    const places = await stream.append(
      texts.map((text) => ({ topic: spec.topic, key: 'acme', headers: { n: text }, value: Buffer.from(text) })),
    );
    await expect.poll(() => heard, soon).toEqual(texts);
    expect(consumer.fault?.()).toBeNull();
    await consumer.stop();
    const { partition } = places[0]!;
    const read = await stream.read({ topic: spec.topic, partition, from: 0, limit: 1000 });
    expect(read.map(({ value }) => value!.toString())).toEqual(texts);
    await stream.check();
  }

  const logins: [string, () => KafkaSecurity['sasl']][] = [
    ['plain', () => ({ mechanism: 'plain', username: 'alice', password })],
    ['scram-sha-256', () => ({ mechanism: 'scram-sha-256', username: 'alice', password: scramPassword })],
    ['scram-sha-512', () => ({ mechanism: 'scram-sha-512', username: 'alice', password: scramPassword })],
  ];
  test.each(logins)(
    '%s over TLS: topics that operators made are enough, and no right on the cluster is needed',
    async (_, sasl) => {
      const spec = await makeTopic();
      await allow('alice', allRights, spec.topic);
      await goesThrough(open('LOGIN', { tls, sasl: sasl() }), spec);
    },
  );

  test('a client certificate', async () => {
    const spec = await makeTopic();
    await allow('CN=tripline-client', allRights, spec.topic);
    const { certificate: certFile, key: keyFile } = client;
    await goesThrough(open('CLIENTS', { tls: { ...tls, certFile, keyFile } }), spec);
  });

  test('brokers by another name than their certificates bear, when that is told', async () => {
    const spec = await makeTopic();
    await allow('alice', allRights, spec.topic);
    const sasl = logins[1]![1]();
    await goesThrough(open('LOGIN', { tls: { ...tls, serverName: 'broker.internal' }, sasl }), spec);
  });

  /** A program that signs tokens, and notes each in a file. */
  function tokenCommand(options: { audience?: string; livesS?: number; subject?: string }): {
    command: string[];
    made: () => number;
  } {
    const id = randomUUID();
    const notes = join(folder, `${id}.notes`);
    const script = join(folder, `${id}.mjs`);
    writeFileSync(notes, '');
    writeFileSync(
      script,
      `import { createSign } from 'node:crypto';
       import { appendFileSync, readFileSync } from 'node:fs';
       const [, , key, notes, claims, argument] = process.argv;
       if (argument !== '$(touch nothing) "; exit 3') process.exit(3);
       if (Object.keys(process.env).some((name) => name.startsWith('TRIPLINE_'))) process.exit(4);
       const nowS = Math.floor(Date.now() / 1000);
       const { livesS, ...more } = JSON.parse(claims);
       const part = (of) => Buffer.from(JSON.stringify(of)).toString('base64url');
       const text = part({ alg: 'RS256', kid: 'one' }) + '.' + part({ iss: 'https://issuer.test', iat: nowS, exp: nowS + livesS, ...more });
       appendFileSync(notes, 'one\\n');
       console.log(text + '.' + createSign('RSA-SHA256').update(text).sign(readFileSync(key), 'base64url'));\n`,
    );
    const claims = JSON.stringify({
      sub: options.subject ?? 'carol',
      aud: options.audience ?? 'kafka',
      livesS: options.livesS ?? 3600,
    });
    return {
      command: [process.execPath, script, join(folder, 'token-key.pem'), notes, claims, '$(touch nothing) "; exit 3'],
      made: () => readFileSync(notes, 'utf8').split('\n').length - 1,
    };
  }

  test('oauthbearer by a token command, run once for all connections', async () => {
    const spec = await makeTopic();
    await allow('carol', allRights, spec.topic);
    const { command, made } = tokenCommand({});
    process.env['TRIPLINE_CANARY'] = 'x';
    await goesThrough(open('OAUTH', { tls, sasl: { mechanism: 'oauthbearer', tokenCommand: command } }), spec).finally(
      () => {
        delete process.env['TRIPLINE_CANARY'];
      },
    );
    expect(made()).toBe(1);
  });

  test('a token that ends is followed by the next, and the broker goes on taking what is appended', async () => {
    const spec = await makeTopic();
    await allow('carol', allRights, spec.topic);
    const { command, made } = tokenCommand({ livesS: 14 });
    const stream = open('OAUTH', { tls, sasl: { mechanism: 'oauthbearer', tokenCommand: command } });
    await expect
      .poll(
        () =>
          stream.ensureTopics([spec]).then(
            () => true,
            () => false,
          ),
        soon,
      )
      .toBe(true);
    let appended = 0;
    const appendOne = async () => {
      appended += 1;
      await stream.append([{ topic: spec.topic, key: 'acme', headers: {}, value: Buffer.from(String(appended)) }]);
      return made();
    };
    await expect.poll(appendOne, soon).toBeGreaterThanOrEqual(3);
    const ends = await stream.offsets(spec.topic);
    expect(ends.reduce((sum, { next }) => sum + next, 0)).toBe(appended);
  });

  const scram = (): KafkaSecurity['sasl'] => logins[1]![1]();
  const refused: [string, string, () => KafkaSecurity, RegExp][] = [
    [
      'a wrong password',
      'LOGIN',
      () => ({ tls, sasl: { mechanism: 'scram-sha-256', username: 'alice', password: 'canary' } }),
      /^Kafka refuses the login by scram-sha-256: correct kafka\.sasl\.username or kafka\.sasl\.password$/,
    ],
    [
      'a wrong password, plainly',
      'LOGIN',
      () => ({ tls, sasl: { mechanism: 'plain', username: 'alice', password: 'canary' } }),
      /^Kafka refuses the login by plain: correct/,
    ],
    [
      'an unknown user',
      'LOGIN',
      () => ({ tls, sasl: { mechanism: 'scram-sha-512', username: 'mallory', password: 'canary' } }),
      /^Kafka refuses the login by scram-sha-512/,
    ],
    [
      'a mechanism that is not enabled',
      'OAUTH',
      () => ({ tls, sasl: scram() }),
      /^Kafka takes no login by scram-sha-256: set kafka\.sasl\.mechanism/,
    ],
    [
      'a token for somebody else',
      'OAUTH',
      () => ({ tls, sasl: { mechanism: 'oauthbearer', tokenCommand: tokenCommand({ audience: 'other' }).command } }),
      /^Kafka refuses the login by oauthbearer: see what the broker says of the token/,
    ],
    [
      'a token that has ended',
      'OAUTH',
      () => ({ tls, sasl: { mechanism: 'oauthbearer', tokenCommand: tokenCommand({ livesS: -600 }).command } }),
      /^Kafka refuses the login by oauthbearer/,
    ],
    [
      'a token command that fails',
      'OAUTH',
      () => ({ tls, sasl: { mechanism: 'oauthbearer', tokenCommand: ['false'] } }),
      /^kafka\.sasl\.tokenCommand \(false\) ended with 1$/,
    ],
    ['no login', 'LOGIN', () => ({ tls }), /set kafka\.sasl/],
    [
      'a login where there is none',
      'CLIENTS',
      () => ({ tls: { ...tls, certFile: client.certificate, keyFile: client.key }, sasl: scram() }),
      /^Kafka wants no login at this port/,
    ],
    [
      'an unknown CA',
      'LOGIN',
      () => ({ tls: { enabled: true }, sasl: scram() }),
      /no known CA vouches for .*: name its CA with kafka\.tls\.caFile$/,
    ],
    [
      'another name',
      'LOGIN',
      () => ({ tls: { ...tls, serverName: 'other.internal' }, sasl: scram() }),
      /certificate of another name .*kafka\.tls\.serverName/,
    ],
    ['no client certificate', 'CLIENTS', () => ({ tls }), /^a broker wants a client certificate that it knows/],
    [
      'TLS to a plain port',
      'PLAIN',
      () => ({ tls }),
      /^a broker does not speak TLS at this port .*take kafka\.tls away$/,
    ],
    ['plain to a TLS port', 'LOGIN', () => ({ sasl: scram() }), /where its port speaks TLS, set kafka\.tls$/],
  ];
  test.each(refused)('%s is told in one sentence', async (_, listener, security, sentence) => {
    const stream = open(listener, security());
    const spec = { topic: 'tripline.events', partitions: 1, retentionMs: 86_400_000, maxRecordBytes: 100_000 };
    const error = await stream.ensureTopics([spec]).then(
      () => null,
      (reason: Error) => reason,
    );
    expect(error?.message).toMatch(sentence);
    expect(error).toBeInstanceOf(StreamUnavailableError);
    expect(error?.message).not.toMatch(/canary|\n/);
  });

  test('a right that is missing is named with the ACL that gives it', async () => {
    const sasl = { mechanism: 'plain', username: 'bob', password: 'another password' } as const;
    const stream = open('LOGIN', { tls, sasl });
    const spec = await makeTopic();
    const record = { topic: spec.topic, key: 'acme', headers: {}, value: Buffer.from('one') };
    const acl = (operation: string, on = `--topic ${spec.topic}`) =>
      `kafka-acls.sh --add --allow-principal User:bob --operation ${operation} ${on}`;
    const said = (work: () => Promise<unknown>) =>
      work().then(
        () => 'nothing is missing',
        (error: Error) => error.message,
      );

    expect(await said(() => stream.ensureTopics([spec]))).toContain(`${acl('Create')}\`, or make the topic yourself`);
    await allow('bob', { topic: ['Describe'] }, spec.topic);
    await expect.poll(() => said(() => stream.ensureTopics([spec])), soon).toContain(acl('DescribeConfigs'));
    await allow('bob', { topic: ['DescribeConfigs'] }, spec.topic);
    await expect.poll(() => said(() => stream.ensureTopics([spec])), soon).toBe('nothing is missing');
    expect(await said(() => stream.append([record]))).toContain(acl('Write'));
    await allow('bob', { topic: ['Write'] }, spec.topic);
    await expect.poll(() => said(() => stream.append([record])), soon).toBe('nothing is missing');

    const handlers = { onAssigned: async () => 0, onBatch: async () => {}, onLost: async () => {} };
    const group = `tripline-${randomUUID()}`;
    const consume = () => stream.consume({ topic: spec.topic, group, handlers });
    const consumer = await consume();
    await expect.poll(() => consumer.fault?.()?.message, soon).toContain(acl('Read', `--group ${group}`));
    await allow('bob', { group: ['Read'] }, spec.topic);
    await expect.poll(() => consumer.fault?.()?.message, soon).toContain(acl('Read'));
    await allow('bob', { topic: ['Read'] }, spec.topic);
    await expect.poll(() => consumer.fault?.(), soon).toBeNull();
    await consumer.stop();
  });

  test('a service whose login is refused ends with that sentence, and no stack', async () => {
    const database = await freshDatabase();
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, 'canary-of-a-password\n');
    let said = '';
    const say = (text: string) => {
      said += text;
    };
    const status = await main(['recorder'], {
      out: say,
      err: say,
      stdin: Readable.from(['']),
      cwd: folder,
      isTerminal: false,
      env: {
        DATABASE_URL: database.url,
        KAFKA_BROKERS: brokers.secured['LOGIN']!,
        TRIPLINE_PORT: '0',
        TRIPLINE_LOG_LEVEL: 'silent',
        TRIPLINE_KAFKA_TLS_CA_FILE: ca,
        TRIPLINE_KAFKA_SASL_MECHANISM: 'scram-sha-512',
        TRIPLINE_KAFKA_SASL_USERNAME: 'alice',
        TRIPLINE_KAFKA_SASL_PASSWORD_FILE: passwordFile,
      },
    });
    await database.close();
    expect(said).toBe(
      'tripline: Kafka refuses the login by scram-sha-512: correct kafka.sasl.username or kafka.sasl.password\n',
    );
    expect(status).toBe(1);
  });
});
