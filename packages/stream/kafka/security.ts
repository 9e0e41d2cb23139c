import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Mechanism, SASLOptions } from 'kafkajs';
import { StreamUnavailableError, StreamUnfitError } from '../stream.ts';
import { refusedLogin } from './fault.ts';
import { mskToken } from './msk-token.ts';
import type { KafkaSecurity, SaslMechanism } from './settings.ts';
import { keepToken } from './token.ts';
import { runTokenCommand } from './token-command.ts';

/**
 * TLS and SASL options for kafkajs. Our own fetch and produce codecs use kafkajs's connections, so they are covered as
 * well.
 * @throws {StreamUnfitError} naming a file that cannot be read.
 */
export function securityOf({ tls, sasl }: KafkaSecurity): {
  ssl: ConnectionOptions | false;
  sasl?: SASLOptions | Mechanism;
} {
  return { ssl: tls?.enabled ? tlsOf(tls) : false, ...(sasl ? { sasl: saslOf(sasl) } : {}) };
}

function tlsOf({ caFile, certFile, keyFile, serverName }: NonNullable<KafkaSecurity['tls']>): ConnectionOptions {
  return {
    ...(caFile && { ca: readPem('caFile', caFile) }),
    ...(certFile && { cert: readPem('certFile', certFile) }),
    ...(keyFile && { key: readPem('keyFile', keyFile) }),
    ...(serverName && { servername: serverName }),
  };
}

function readPem(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StreamUnfitError(`kafka.tls.${setting} names ${path}, which cannot be read (${code})`);
  }
}

function saslOf(sasl: NonNullable<KafkaSecurity['sasl']>): SASLOptions | Mechanism {
  const { mechanism } = sasl;
  if (mechanism === 'oauthbearer')
    return bearer(
      mechanism,
      keepToken(() => runTokenCommand(sasl.tokenCommand!)),
    );
  if (mechanism === 'aws-msk-iam')
    return bearer(
      mechanism,
      keepToken(() => mskToken(sasl.region!)),
    );
  return { mechanism, username: sasl.username!, password: sasl.password! } as SASLOptions;
}

/**
 * SASL OAUTHBEARER (RFC 7628). kafkajs 2.2.4 supports it, but treats a refusal as success: the broker sends it in an
 * answer that is no error, and closes the connection at the next request.
 */
function bearer(mechanism: SaslMechanism, provide: () => Promise<string>): Mechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ saslAuthenticate }) => ({
      async authenticate() {
        const message = Buffer.from(`n,,\u0001auth=Bearer ${await provide()}\u0001\u0001`);
        const length = Buffer.alloc(4);
        length.writeInt32BE(message.length);
        await saslAuthenticate({
          request: { encode: () => Buffer.concat([length, message]) },
          response: {
            decode: (answer: Buffer) => answer,
            parse(answer: Buffer) {
              if (answer.includes('{')) throw new StreamUnavailableError(refusedLogin(mechanism));
            },
          },
        });
      },
    }),
  };
}
