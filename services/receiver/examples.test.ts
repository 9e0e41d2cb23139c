import { createRequire } from 'node:module';
import { fromEventRecord } from '@tripline/contracts/event-record';
import { fakeStream } from '@tripline/testing/fakes/stream';
import { startReceiver } from '@tripline/testing/services/receiver';
import { expect, test } from 'vitest';

type Example = { name: string; examples: Record<string, unknown>[] };
const examples = createRequire(import.meta.url)('@octokit/webhooks-examples') as Example[];

test('all 329 published examples, posted signed, are kept or ignored', async () => {
  const stream = fakeStream();
  const receiver = await startReceiver(stream);
  const outcomes: Record<string, number> = {};
  try {
    for (const { name, examples: bodies } of examples) {
      for (const body of bodies) {
        const answer = await receiver.github(name, body);
        expect(answer.status, `${name} ${body['action'] ?? ''}: ${JSON.stringify(answer.body)}`).toBe(202);
        const outcome = [answer.body.status, answer.body.reason].filter(Boolean).join(': ');
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      }
    }
  } finally {
    await receiver.close();
  }
  console.log(outcomes);
  expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(329);
  const [summaries, kept] = [true, false].map((own) =>
    stream.appended.filter(({ key }) => (key === '@receiver') === own),
  );
  expect(kept).toHaveLength(outcomes['kept']!);
  const counts = summaries!.flatMap(({ value }) => JSON.parse(value.toString())['tripline.deliveries.counts']);
  expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(329 - outcomes['kept']!);
  stream.appended.forEach((record, offset) => {
    fromEventRecord(record, { partition: 0, offset, appendedAtMs: 0 }, { checkWhole: true });
  });
});
