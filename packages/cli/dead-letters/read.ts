import { type Stream, type StreamRecord, topics } from '@tripline/stream/stream';

/** A record of the dead-letter topic, as people read it. */
export type DeadLetter = {
  offset: number;
  /** When it was appended, RFC 3339. */
  at: string;
  /** Whose reading failed: a feed, a rule, or the log's own reader. */
  from: string;
  reason: string;
  /** Where it stood: in a delivery, or in the log. */
  place: string;
  workspace: string | null;
  /** How many more of its kind came before it that were not kept, since too many came. */
  unkept: number;
  /** All headers, and what is kept of it: of what a feed sent an outline, of a record of the log its value. */
  headers: Record<string, string>;
  content: unknown;
};

const atOnce = 500;

/** The newest dead letters that were appended since `sinceMs`, newest first, and how many the topic holds. */
export async function readDeadLetters(
  stream: Pick<Stream, 'offsets' | 'read'>,
  { limit, sinceMs = 0 }: { limit: number; sinceMs?: number },
): Promise<{ count: number; letters: DeadLetter[] }> {
  const letters: DeadLetter[] = [];
  let count = 0;
  for (const { partition, first, next } of await stream.offsets(topics.deadLetters)) {
    count += next - first;
    for (let end = next; end > first && next - end < limit; ) {
      const from = Math.max(first, end - Math.min(atOnce, limit - (next - end)));
      const read = await stream.read({ topic: topics.deadLetters, partition, from, limit: end - from });
      letters.push(...read.filter(({ appendedAtMs }) => appendedAtMs >= sinceMs).map(letterOf));
      if (read.length === 0 || read[0]!.appendedAtMs < sinceMs) break;
      end = from;
    }
  }
  letters.sort((a, b) => (a.at === b.at ? b.offset - a.offset : a.at < b.at ? 1 : -1));
  return { count, letters: letters.slice(0, limit) };
}

function letterOf({ offset, appendedAtMs, headers, value }: StreamRecord): DeadLetter {
  const { tripline_feed: feed, tripline_rule: rule } = headers;
  const inLog = `${headers['tripline_topic']}/${headers['tripline_partition']}@${headers['tripline_offset']}`;
  return {
    offset,
    at: new Date(appendedAtMs).toISOString(),
    from: feed ?? (rule === undefined ? 'log' : `rule ${rule}`),
    reason: headers['tripline_reason'] ?? 'no reason is given',
    place: headers['tripline_place'] ?? headers['tripline_timer'] ?? inLog,
    workspace: headers['tripline_workspace'] ?? headers['ce_workspace'] ?? null,
    unkept: Number(headers['tripline_unkept'] ?? 0),
    headers,
    content: jsonOr(value?.toString('utf8') ?? null),
  };
}

/** What the text says, where it is JSON; the text itself otherwise. */
function jsonOr(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return text;
  }
}
