import { RecordTooLargeError, StreamUnavailableError } from '../stream.ts';
import type { KafkaSecurity, SaslMechanism } from './settings.ts';

/** A right that an operation needs, by the names of Kafka's ACLs. */
export type KafkaRight = { operation: 'Create' | 'Describe' | 'DescribeConfigs' | 'Read' | 'Write' } & (
  | { topic: string }
  | { group: string }
);

type KafkajsError = Error & { type?: string; code?: string | number; cause?: unknown; errors?: unknown[] };

/**
 * Converts an error of kafkajs into an error of the contract, with a sentence that says what to do. Our own errors pass
 * through.
 * @param rights what the operation needed, so that the missing ACL can be named.
 */
export function fromKafka(error: unknown, security: KafkaSecurity, rights: readonly KafkaRight[] = []): unknown {
  if (!isKafkajs(error)) return error;
  // The error of the last attempt wraps the cause.
  const all = [error, error.cause, ...(error.errors ?? [])];
  const ours = all.find((one) => one instanceof StreamUnavailableError);
  if (ours !== undefined) return ours;
  const causes = all.filter(isKafkajs);
  if (causes.some(({ type }) => type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE')) {
    return new RecordTooLargeError(`Kafka refused a record: ${error.message}`, { cause: error });
  }
  const says = causes.map((cause) => describe(cause, security, rights)).find((one) => one !== null);
  return new StreamUnavailableError(says ?? `Kafka does not answer as it should: ${error.message}`, { cause: error });
}

const isKafkajs = (error: unknown): error is KafkajsError => error instanceof Error && error.name.startsWith('KafkaJS');

function describe(error: KafkajsError, security: KafkaSecurity, rights: readonly KafkaRight[]): string | null {
  const { name, type = '', code = '', message } = error;
  const isOf = (of: KafkaRight) => (type.startsWith('GROUP_') ? 'group' in of : 'topic' in of);
  const { sasl } = security;
  const isRefused = name === 'KafkaJSSASLAuthenticationError' || type === 'SASL_AUTHENTICATION_FAILED';
  if (isRefused && sasl && !/not supported by the server/.test(message)) return refusedLogin(sasl.mechanism);
  if (sasl && (isRefused || type === 'UNSUPPORTED_SASL_MECHANISM')) {
    return `Kafka takes no login by ${sasl.mechanism}: set kafka.sasl.mechanism to one that this listener has enabled`;
  }
  if (type === 'ILLEGAL_SASL_STATE')
    return 'Kafka wants no login at this port: take kafka.sasl away, or name the port that does';
  // kafkajs 2.2.4 does not say why.
  if (name === 'KafkaJSGroupCoordinatorNotFound')
    return missingRight(
      'GROUP',
      security,
      rights.find((of) => 'group' in of),
    );
  if (/_AUTHORIZATION_FAILED$/.test(type)) return missingRight(type, security, rights.find(isOf));
  return describeWay(String(code), message, security);
}

export function refusedLogin(mechanism: SaslMechanism): string {
  const password = 'correct kafka.sasl.username or kafka.sasl.password';
  const remedy = {
    plain: password,
    'scram-sha-256': password,
    'scram-sha-512': password,
    oauthbearer: 'see what the broker says of the token that kafka.sasl.tokenCommand writes (issuer, audience, end)',
    'aws-msk-iam': "see that the IAM role may kafka-cluster:Connect, and that kafka.sasl.region is the cluster's",
  }[mechanism];
  return `Kafka refuses the login by ${mechanism}: ${remedy}`;
}

function missingRight(type: string, { sasl }: KafkaSecurity, right: KafkaRight | undefined): string {
  const who = `User:${sasl?.username ?? '<principal>'}`;
  if (right === undefined)
    return `Kafka lacks a right for ${who} (${type}): see OPERATING.md for the ACLs that Tripline needs`;
  const [kind, name] = 'topic' in right ? ['topic', right.topic] : ['group', right.group];
  const acl = `kafka-acls.sh --add --allow-principal ${who} --operation ${right.operation} --${kind} ${name}`;
  const instead = right.operation === 'Create' ? ', or make the topic yourself, as OPERATING.md says' : '';
  return `Kafka does not allow ${who} to ${right.operation} the ${kind} ${name}: \`${acl}\`${instead}`;
}

/** Of what Node says about connections and certificates. */
function describeWay(code: string, message: string, { tls, sasl }: KafkaSecurity): string | null {
  if (/^(ENOTFOUND|EAI_AGAIN)$/.test(code)) {
    return `a broker's name cannot be found (${message}): correct KAFKA_BROKERS, or the name that the broker advertises`;
  }
  if (/^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|CERT_SIGNATURE)/.test(code)) {
    return `a broker shows a certificate that no known CA vouches for (${code}): name its CA with kafka.tls.caFile`;
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return `a broker shows a certificate that is not valid now (${code}): renew it, or set this machine's clock`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `a broker shows a certificate of another name (${message}): name it in kafka.tls.serverName, or brokers by a name that they bear`;
  }
  if (
    /alert (bad certificate|certificate required|handshake failure)|ALERT_(BAD_CERTIFICATE|CERTIFICATE_REQUIRED)/i.test(
      `${code} ${message}`,
    )
  ) {
    return 'a broker wants a client certificate that it knows: name one with kafka.tls.certFile and kafka.tls.keyFile';
  }
  if (
    tls?.enabled &&
    (/wrong version number|before secure TLS|packet length too long/i.test(message) || /^ERR_SSL_/.test(code))
  ) {
    return `a broker does not speak TLS at this port (${code || message}): name its TLS port in KAFKA_BROKERS, or take kafka.tls away`;
  }
  if (/^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(code) || /Connection timeout/.test(message)) {
    return `Kafka does not answer (${message}): check KAFKA_BROKERS, and that the brokers can be reached by the names that they advertise`;
  }
  if (code === 'ECONNRESET' || /Closed connection/.test(message)) {
    const remedies = [
      ...(tls?.enabled ? [] : ['where its port speaks TLS, set kafka.tls']),
      ...(sasl ? [] : ['where it wants a login, set kafka.sasl']),
    ];
    if (remedies.length > 0) return `a broker closes the connection (${message}): ${remedies.join('; ')}`;
  }
  return null;
}
