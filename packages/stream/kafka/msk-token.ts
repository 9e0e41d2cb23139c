import { StreamUnavailableError } from '../stream.ts';
import type { Token } from './token.ts';

/**
 * A token for Amazon MSK by IAM: a request to the cluster that AWS's signer signs for 15 minutes, by the credentials
 * that AWS's own tools would find. Loaded only when it is used, since it pulls in AWS's clients.
 * @throws {StreamUnavailableError} without credentials.
 */
export async function mskToken(region: string): Promise<Token> {
  const { generateAuthToken } = await import('aws-msk-iam-sasl-signer-js');
  try {
    const { token, expiryTime } = await generateAuthToken({ region });
    return { value: token, endsAtMs: expiryTime };
  } catch (error) {
    throw new StreamUnavailableError(
      `no AWS credentials for Kafka were found (${(error as Error).name}); give this process a role, a profile or AWS_ACCESS_KEY_ID`,
    );
  }
}
