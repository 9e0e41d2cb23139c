import { createHash, createHmac } from 'node:crypto';

/** By which AWS knows who asks; `sessionToken` where it is a session's. */
export type AwsKeys = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

export type Signed = {
  /** Without a query: what it would say stands in the body. */
  host: string;
  body: string;
  contentType: string;
  service: string;
  region: string;
  keys: AwsKeys;
  nowMs: number;
};

/**
 * Headers of a `POST /` by Signature Version 4. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function signedHeaders({
  host,
  body,
  contentType,
  service,
  region,
  keys,
  nowMs,
}: Signed): Record<string, string> {
  const at = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const headers: Record<string, string> = {
    ...{ 'content-type': contentType, host, 'x-amz-date': at },
    ...(keys.sessionToken === undefined ? {} : { 'x-amz-security-token': keys.sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const signed = names.join(';');
  const canonical = ['POST', '/', '', ...names.map((name) => `${name}:${headers[name]}`), '', signed, sha256(body)];
  const scope = `${at.slice(0, 8)}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', at, scope, sha256(canonical.join('\n'))].join('\n');
  const day = hmac(`AWS4${keys.secretAccessKey}`, at.slice(0, 8));
  const key = hmac(hmac(hmac(day, region), service), 'aws4_request');
  const signature = hmac(key, toSign).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
  return { ...headers, authorization };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
