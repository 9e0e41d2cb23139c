import { checkIntegration, startFakeService } from '@tripline/testing/integration.conformance';
import { sampleReport } from '@tripline/testing/sample-report';
import { expect, test } from 'vitest';
import { createPagerDutyClient } from './client.ts';
import { renderEvent } from './event.ts';

const routingKey = 'canary-routing-7d2f61c09a4b';
const event = renderEvent(sampleReport(), 'trigger');

checkIntegration({
  name: 'PagerDuty',
  secrets: [routingKey],
  call: ({ url, timeoutMs }) => createPagerDutyClient({ routingKey, apiUrl: url, timeoutMs }).send(event),
  answers: [
    { when: '202', answer: { status: 202, body: '{"status":"success"}' }, outcome: { kind: 'done' } },
    {
      when: '429 with Retry-After',
      answer: { status: 429, headers: { 'retry-after': '12' } },
      outcome: { kind: 'retry', reason: 'rate-limited', afterMs: 12_000 },
    },
    {
      when: '429 without',
      answer: { status: 429 },
      outcome: { kind: 'retry', reason: 'rate-limited', afterMs: 60_000 },
    },
    { when: '500', answer: { status: 500 }, outcome: { kind: 'retry', reason: 'provider-failed' } },
    { when: '502', answer: { status: 502 }, outcome: { kind: 'retry', reason: 'provider-failed' } },
    { when: '400', answer: { status: 400 }, outcome: { kind: 'give-up', reason: 'rejected' } },
    {
      when: '400 for the key',
      answer: { status: 400, body: '{"status":"invalid event","errors":["Invalid routing key"]}' },
      outcome: { kind: 'give-up', reason: 'unauthorised' },
    },
    { when: '403', answer: { status: 403 }, outcome: { kind: 'give-up', reason: 'unauthorised' } },
  ],
});

test('sends the event with the routing key, to the enqueue address', async () => {
  const service = await startFakeService(() => ({ status: 202 }));
  await createPagerDutyClient({ routingKey, apiUrl: `${service.url}/` }).send(event);
  const [request] = service.requests;
  expect(request).toMatchObject({ method: 'POST', path: '/v2/enqueue' });
  expect(JSON.parse(request!.body)).toEqual({ routing_key: routingKey, ...event });
  await service.close();
});
