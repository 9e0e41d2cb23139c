import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { loadConfig } from '@tripline/config/config';
import type { TriplineEvent } from '@tripline/contracts/event';
import { toEventRecord } from '@tripline/contracts/event-record';
import { openDatabase } from '@tripline/db/database';
import { systemClock } from '@tripline/runtime/clock';
import { createLogger } from '@tripline/runtime/logger';
import { github } from '@tripline/sources/github/source';
import { createWorkspaces } from '@tripline/sources/workspace';
import { openStream } from '@tripline/stream/open';
import { type NewRecord, topics } from '@tripline/stream/stream';
import { proved } from '../../packages/testing/internal-key.ts';
import type { Corpus } from './corpus.ts';
import type { Delivery } from './timelines.ts';

const workspaces = createWorkspaces(loadConfig({}, tmpdir()));

/** The event that the receiver makes of a delivery; undefined when it ignores it. */
export function eventOf(delivery: Delivery): TriplineEvent | undefined {
  const normalised = github.normalise(
    {
      rawBody: delivery.body,
      headers: { 'x-github-event': delivery.event, 'x-github-delivery': delivery.id },
      receivedAtMs: Date.now(),
      bodySha256: createHash('sha256').update(delivery.body).digest('hex'),
      secretScope: { kind: 'anybody' },
    },
    workspaces,
  );
  if ('event' in normalised) return normalised.event;
  if ('ignored' in normalised && normalised.ignored === 'action-not-read') return undefined;
  throw new Error(`${delivery.event} was not normalised: ${JSON.stringify(normalised)}`);
}

/** The corpus as it lies in the log: the inventories of day one first, then what is kept of the deliveries, and answers. */
export function recordsOf(corpus: Corpus): NewRecord[] {
  const time = new Date(corpus.startMs).toISOString();
  const inventories = [...corpus.inventories].map(
    ([workspace, data]) =>
      ({
        id: `bench-inventory-${workspace}`,
        source: 'https://tripline.example/bench',
        type: 'dev.cdeventsx.tripline-inventory.observed',
        time,
        workspace,
        trust: 'high',
        data,
      }) as TriplineEvent,
  );
  const events = corpus.deliveries.flatMap((delivery, index) =>
    [eventOf(delivery), corpus.answers.get(index)].filter((event) => event !== undefined),
  );
  return [...inventories, ...events].map((event) => proved({ topic: topics.events, ...toEventRecord(event) }));
}

/** Appends records as the receiver does, creating the topics where they are missing. */
export async function fillTopic(brokers: string, records: readonly NewRecord[]): Promise<void> {
  // Kafka asks nothing of it.
  const db = openDatabase('postgres://localhost/unused', { applicationName: 'bench' });
  const stream = await openStream({
    config: loadConfig({ KAFKA_BROKERS: brokers }, tmpdir()),
    db,
    logger: createLogger({ service: 'bench', level: 'warn' }),
    clock: systemClock,
  });
  for (let at = 0; at < records.length; at += 1000) await stream.append(records.slice(at, at + 1000));
  await stream.close();
  await db.close();
}

/** Appends the records so many times, each time as those of other organisations that did the same. */
export async function fillWithCopies(brokers: string, records: readonly NewRecord[], copies: number): Promise<void> {
  for (let nth = 0; nth < copies; nth += 1) {
    await fillTopic(
      brokers,
      records.map((record) => copyOf(record, nth)),
    );
  }
}

/** The same in another organisation: an event of its own to whoever drops duplicates. */
function copyOf(record: NewRecord, nth: number): NewRecord {
  const { ce_id: id, ce_bodysha256: sha } = record.headers;
  const workspace = `${record.key}-${nth}`;
  const headers: Record<string, string> = { ...record.headers, ce_workspace: workspace, ce_id: `${id}-${nth}` };
  // As evenly spread as those of other bodies are.
  if (sha !== undefined) headers['ce_bodysha256'] = createHash('sha256').update(`${sha}-${nth}`).digest('hex');
  return proved({ ...record, key: workspace, headers });
}
