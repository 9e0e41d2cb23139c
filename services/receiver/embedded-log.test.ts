import { fromEventRecord } from '@tripline/contracts/event-record';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { createEmbeddedStream } from '@tripline/stream/postgres/stream';
import { topics } from '@tripline/stream/stream';
import { freshDatabase } from '@tripline/testing/postgres/postgres';
import { startReceiver } from '@tripline/testing/services/receiver';
import { expect, test } from 'vitest';

const deployKey = (id: number) => ({
  action: 'created',
  key: { id, title: `key ${id}`, read_only: false, created_at: '2026-03-04T05:06:07Z' },
  repository: { full_name: 'acme/app', owner: { login: 'acme' } },
  organization: { login: 'acme' },
  sender: { login: 'mona', id: 3, type: 'User' },
});

test('on the embedded log: what is answered 202 can be read back, through an outage too', async () => {
  const database = await freshDatabase();
  const logger = createLogger({ service: 'test', level: 'silent' });
  const stream = createEmbeddedStream({ db: database.as('receiver'), logger, clock: systemClock });
  await stream.ensureTopics([
    { topic: topics.events, partitions: 1, retentionMs: 3_600_000, maxRecordBytes: 1024 * 1024 },
  ]);
  const receiver = await startReceiver(stream);
  try {
    await Promise.all([1, 2, 3].map((id) => receiver.github('deploy_key', deployKey(id))));
    // Appends fail from here on; a renamed table is gone for whoever appends.
    await database.db.pool.query('ALTER TABLE log RENAME TO log_away');
    expect((await receiver.github('deploy_key', deployKey(4))).body.status).toBe('kept');
    expect(await receiver.metric('outcome="spooled",reason="",service="receiver"} 1')).toBe(true);
    await database.db.pool.query('ALTER TABLE log_away RENAME TO log');
    const read = () => stream.read({ topic: topics.events, partition: 0, from: 0, limit: 100 });
    const isAppended = (count: number) =>
      expect.poll(async () => (await read()).length, { interval: 20, timeout: 10_000 }).toBe(count);
    await isAppended(4);
    expect((await receiver.github('deploy_key', deployKey(5))).body.status).toBe('kept');
    // Kept may still mean spooled: what was appended last is in the log a moment before the spool is known to be empty.
    await isAppended(5);

    const events = (await read()).map((record) => fromEventRecord(record, record, { checkWhole: true }));
    expect(events.map((event) => event.data['tripline.grant.id']).slice(3)).toEqual(['4', '5']);
    expect(new Set(events.map((event) => event.id)).size).toBe(5);
    expect(events[0]).toMatchObject({
      workspace: 'acme',
      type: 'dev.cdeventsx.tripline-grant.added',
      time: '2026-03-04T05:06:07.000Z',
      data: { 'tripline.grant.kind': 'deploy-key', 'tripline.grant.permission': 'write', 'user.name': 'mona' },
    });
  } finally {
    await receiver.close();
    await stream.close();
    await database.close();
  }
});
