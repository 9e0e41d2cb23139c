import type { Db } from '@tripline/db/database';

/** One delivery or event as it was received, and what became of it. */
export type Received = {
  /** RFC 3339: when the log took it in; of what was not kept, when it was received. */
  at: string;
  /** `faulty`: it is in the log, and no reader can process it. */
  state: 'kept' | 'repeated' | 'faulty' | 'ignored' | 'refused';
  /** Of what was repeated the event that told it first; of the rest but `kept` the reason. */
  why: string | null;
  /** The feed that told it, or by which it was sent. */
  feed: string | null;
  /** How many deliveries it represents; more than one where a receiver did not name each. */
  count: number;
  /** The event's id; of what was not kept the provider's id of the delivery, where it is known. */
  id: string | null;
  /** The event's type; of what was not kept the provider's name of the event. */
  type: string | null;
  /** Absent of what is not genuine. */
  workspace: string | null;
  actor: string | null;
  repository: string | null;
  /** All attributes; null of what is faulty, and of what was not kept. */
  data: Record<string, unknown> | null;
};

export type ReceivedFilter = {
  since?: Date;
  /** Login, whatever its case. */
  actor?: string;
  /** `owner/name`, or the name alone, whatever its case. */
  repository?: string;
  /** A part of the event's type or of the provider's name for it. */
  type?: string;
  /** At most so many; 100 when absent. */
  limit?: number;
};

type Row = {
  partition: number;
  offset: string;
  at: Date;
  event_id: string | null;
  event_type: string | null;
  workspace: string | null;
  fault: string | null;
  repeats: string | null;
  value: Buffer | null;
};

const summarizedType = 'dev.cdeventsx.tripline-deliveries.summarized';
/** Offsets looked through at a time: few, where the newest fit; more, where hardly any does. */
const firstSlice = 2000;
const largestSlice = 200_000;

/**
 * What was received, newest first, from the trail. Each chain is read backwards by its primary key, as far as needed: a
 * separate index would cost every record.
 */
export async function listReceived(db: Db, filter: ReceivedFilter = {}): Promise<Received[]> {
  const limit = filter.limit ?? 100;
  const { rows: chains } = await db.pool.query<{ topic: string; partition: number; first: string; last: string }>(
    'SELECT topic, partition, first_offset AS first, last_offset AS last FROM trail_heads ORDER BY 1, 2',
  );
  const readers = chains.map((chain) =>
    backwards(db, filter, limit, { ...chain, first: Number(chain.first), last: Number(chain.last) }),
  );
  const heads = await Promise.all(readers.map((reader) => reader.next()));
  const received: Received[] = [];
  while (received.length < limit) {
    let newest = -1;
    for (const [nth, head] of heads.entries()) {
      if (!head.done && (newest === -1 || head.value.at > heads[newest]!.value!.at)) newest = nth;
    }
    if (newest === -1) break;
    received.push(...entriesOf(heads[newest]!.value as Row).filter((one) => fits(one, filter)));
    heads[newest] = await readers[newest]!.next();
  }
  return received.toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)).slice(0, limit);
}

/** The rows of one chain that may fit, newest first. */
async function* backwards(
  db: Db,
  filter: ReceivedFilter,
  limit: number,
  chain: { topic: string; partition: number; first: number; last: number },
): AsyncGenerator<Row, undefined> {
  const conditions = ['topic = $1', 'partition = $2', '"offset" >= $3', '"offset" < $4'];
  const values: unknown[] = [chain.topic, chain.partition];
  const given = (value: unknown) => `$${values.push(value) + 2}`;
  if (filter.since !== undefined) conditions.push(`appended_at >= ${given(filter.since)}`);
  // Compared as bytes: only rows that the result needs are parsed.
  const holds = (name: string, value: string) =>
    `strpos(lower(encode(value, 'escape')), ${given(escaped(`"${name}":${JSON.stringify(value)}`))}) > 0`;
  const holdsEnd = (value: string) =>
    `strpos(lower(encode(value, 'escape')), ${given(escaped(`/${JSON.stringify(value).slice(1)}`))}) > 0`;
  if (filter.actor !== undefined) conditions.push(holds('user.name', filter.actor));
  if (filter.repository?.includes('/')) conditions.push(holds('vcs.repository.name', filter.repository));
  else if (filter.repository !== undefined) conditions.push(holdsEnd(filter.repository));
  if (filter.type !== undefined) {
    conditions.push(`(strpos(event_type, ${given(filter.type)}) > 0 OR event_type = '${summarizedType}')`);
  }
  const text = `SELECT partition, "offset", appended_at AS at, event_id, event_type, workspace, fault, repeats, value
    FROM trail WHERE ${conditions.join(' AND ')} ORDER BY "offset" DESC LIMIT ${given(limit)}`;
  let slice = firstSlice;
  for (let before = chain.last + 1; before > chain.first; ) {
    const from = Math.max(chain.first, before - slice);
    const { rows } = await db.pool.query<Row>(text, [values[0], values[1], from, before, ...values.slice(2)]);
    yield* rows;
    // All rows before a row that is too old are older still.
    if (rows.length === 0 && filter.since !== undefined && (await isOlder(db, chain, from, filter.since))) return;
    before = rows.length === limit ? Number(rows.at(-1)!.offset) : from;
    if (rows.length < limit) slice = Math.min(largestSlice, slice * 4);
  }
}

async function isOlder(
  db: Db,
  chain: { topic: string; partition: number },
  offset: number,
  than: Date,
): Promise<boolean> {
  const { rows } = await db.pool.query<{ at: Date }>(
    `SELECT appended_at AS at FROM trail WHERE topic = $1 AND partition = $2 AND "offset" >= $3
     ORDER BY "offset" LIMIT 1`,
    [chain.topic, chain.partition, offset],
  );
  return rows[0] !== undefined && rows[0].at < than;
}

/** As Postgres's `encode(…, 'escape')` writes the bytes, in lower case. */
function escaped(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text)) {
    if (byte === 0x5c) out += '\\\\';
    else if (byte === 0 || byte >= 0x80) out += `\\${byte.toString(8).padStart(3, '0')}`;
    else out += String.fromCharCode(byte);
  }
  return out.toLowerCase();
}

function entriesOf(row: Row): Received[] {
  const data = row.fault === null && row.value !== null ? dataOf(row.value) : null;
  if (data !== null && row.event_type === summarizedType) return unkept(data);
  const said = (name: string) => (typeof data?.[name] === 'string' ? (data[name] as string) : null);
  return [
    {
      at: row.at.toISOString(),
      state: row.fault !== null ? 'faulty' : row.repeats !== null ? 'repeated' : 'kept',
      why: row.fault ?? row.repeats,
      feed: row.event_id?.split(':', 1)[0] ?? null,
      count: 1,
      id: row.event_id,
      type: row.event_type,
      workspace: row.workspace,
      actor: said('user.name'),
      repository: said('vcs.repository.name'),
      data,
    },
  ];
}

function dataOf(value: Buffer): Record<string, unknown> | null {
  try {
    return JSON.parse(value.toString()) as Record<string, unknown>;
  } catch {
    return null;
  }
}

type Count = { outcome: 'ignored' | 'refused'; source: string; reason: string; count: number; lastAt: string };
type Entry = Omit<Count, 'count' | 'lastAt'> & {
  time: string;
  delivery?: string;
  event?: string;
  organization?: string;
};

/** Each delivery that a receiver names, and the others as one a reason. */
function unkept(data: Record<string, unknown>): Received[] {
  const named = data['tripline.deliveries.recent'] as Entry[];
  const nothing = { id: null, type: null, workspace: null, actor: null, repository: null, data: null };
  const received: Received[] = named.map((one) => ({
    ...nothing,
    at: one.time,
    state: one.outcome,
    why: one.reason,
    feed: one.source,
    count: 1,
    id: one.delivery === undefined ? null : `${one.source}:${one.delivery}`,
    type: one.event ?? null,
    workspace: one.organization ?? null,
  }));
  for (const { outcome, reason, source, count, lastAt } of data['tripline.deliveries.counts'] as Count[]) {
    const told = named.filter((one) => one.outcome === outcome && one.reason === reason && one.source === source);
    if (count > told.length) {
      received.push({ ...nothing, at: lastAt, state: outcome, why: reason, feed: source, count: count - told.length });
    }
  }
  return received;
}

function fits(received: Received, { since, actor, repository, type }: ReceivedFilter): boolean {
  if (since !== undefined && Date.parse(received.at) < since.getTime()) return false;
  if (actor !== undefined && received.actor?.toLowerCase() !== actor.toLowerCase()) return false;
  if (type !== undefined && !received.type?.includes(type)) return false;
  if (repository === undefined) return true;
  const name = received.repository?.toLowerCase() ?? '';
  const wanted = repository.toLowerCase();
  return repository.includes('/') ? name === wanted : name.endsWith(`/${wanted}`);
}
