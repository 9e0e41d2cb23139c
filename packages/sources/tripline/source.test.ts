import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { createWorkspaces } from '../workspace.ts';
import { tripline } from './source.ts';
import { signStandard } from './verify.ts';

const nowMs = Date.now();
const timestamp = Math.floor(nowMs / 1000);
const verify = (body: string, signature: string, secrets: string[], at = nowMs) =>
  tripline.verify(
    Buffer.from(body),
    { 'webhook-id': 'msg_1', 'webhook-timestamp': String(timestamp), 'webhook-signature': signature },
    secrets.map((secret) => ({ secret, secretScope: { kind: 'break-glass', ids: [secret] } })),
    at,
  );

const signedBy = (secret: string) => ({ secretScope: { kind: 'break-glass', ids: [secret] } });

test('signs and verifies as the published library does', () => {
  const library = new Webhook('geheim', { format: 'raw' });
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (body) => {
      const signature = signStandard(body, 'geheim', 'msg_1', timestamp);
      expect(signature).toBe(library.sign('msg_1', new Date(timestamp * 1000), body));
      expect(verify(body, signature, ['another', 'geheim'])).toEqual(signedBy('geheim'));
    }),
  );
});

test('takes one of several signatures, and none for another body, time or secret', () => {
  const signature = signStandard('{}', 'geheim', 'msg_1', timestamp);
  expect(verify('{}', `v1a,xyz v1,AAAA ${signature}`, ['geheim'])).toEqual(signedBy('geheim'));
  expect(verify('{ }', signature, ['geheim'])).toMatchObject({ refusal: { status: 401, reason: 'bad-signature' } });
  expect(verify('{}', signature, ['other'])).toMatchObject({ refusal: { reason: 'bad-signature' } });
  for (const late of [301_000, -301_000]) {
    expect(verify('{}', signature, ['geheim'], timestamp * 1000 + late)).toMatchObject({
      refusal: { reason: 'timestamp-out-of-tolerance' },
    });
  }
});

test('never throws, whatever the body', () => {
  const workspaces = createWorkspaces({ workspaces: [], drills: true });
  fc.assert(
    fc.property(fc.jsonValue(), fc.dictionary(fc.string(), fc.jsonValue()), (whole, data) => {
      const event = {
        specversion: '1.0',
        id: 'a',
        source: 's',
        type: 'dev.cdeventsx.tripline-breakglass.opened',
        workspace: 'acme',
        data,
      };
      for (const body of [whole, event]) {
        const rawBody = Buffer.from(JSON.stringify(body));
        const headers = { 'webhook-id': 'a' };
        for (const secretScope of [{ kind: 'break-glass', ids: ['acme'] } as const, { kind: 'drills' } as const]) {
          const delivery = { headers, rawBody, bodySha256: 'a'.repeat(64), receivedAtMs: nowMs, secretScope };
          expect(tripline.normalise(delivery, workspaces)).toHaveProperty('refusal');
        }
      }
    }),
  );
});
