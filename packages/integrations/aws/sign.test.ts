import { expect, test } from 'vitest';
import { signedHeaders } from './sign.ts';

/** As AWS's own suite of examples for Signature Version 4 has them. */
const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const common = { host: 'example.amazonaws.com', service: 'service', region: 'us-east-1', keys };
const nowMs = Date.parse('2015-08-30T12:36:00Z');

test('post-x-www-form-urlencoded', () => {
  const contentType = 'application/x-www-form-urlencoded';
  expect(signedHeaders({ ...common, contentType, body: 'Param1=value1', nowMs })).toEqual({
    ...{ host: common.host, 'content-type': contentType, 'x-amz-date': '20150830T123600Z' },
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  });
});

test('a session’s token is signed along', () => {
  const signed = signedHeaders({
    ...common,
    keys: { ...keys, sessionToken: 'token' },
    contentType: 'a/b',
    body: '',
    nowMs,
  });
  expect(signed['x-amz-security-token']).toBe('token');
  expect(signed['authorization']).toContain('SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,');
});
