import { z } from 'zod';
import { parseEvent, type TriplineEvent } from './event.ts';
import { severities } from './finding.ts';

/**
 * A captured fixture: events that were received, with names replaced, and what the rules find in them. One JSON object a line: the
 * head, then a line for each expected finding, then a line for each event.
 */
const headSchema = z.strictObject({
  captured: z.literal(1),
  /** The log's time up to which it is judged, ms since the epoch. */
  untilMs: z.int(),
  learningDays: z.number().nonnegative(),
  /** Ids of the only rules that judge; absent: all in force. */
  rules: z.array(z.string()).min(1).optional(),
  /** Of rules, by id, as under `rules.settings` in tripline.yaml, and instead of these. */
  settings: z.record(z.string(), z.record(z.string(), z.unknown())),
});
const expectedSchema = z.strictObject({
  finds: z.strictObject({ rule: z.string(), subject: z.string(), severity: z.enum(severities) }),
});
const receivedSchema = z.strictObject({
  /** When the log took it in, ms since the epoch. */
  atMs: z.int(),
  event: z.record(z.string(), z.unknown()),
});

export type Expected = z.infer<typeof expectedSchema>['finds'];
export type CapturedEvent = { atMs: number; event: TriplineEvent };
export type Captured = {
  head: z.infer<typeof headSchema>;
  expected: readonly Expected[];
  /** In the log's order. */
  events: readonly CapturedEvent[];
};

/** How a file of them is called. */
export const capturedEnding = '.captured.jsonl';

export function writeCaptured({ head, expected, events }: Captured): string {
  const lines = [head, ...expected.map((finds) => ({ finds })), ...events];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** @throws {Error} naming the line that is none of it, and why. */
export function readCaptured(text: string): Captured {
  const lines = text.split('\n').flatMap((line, place) => (line.trim() === '' ? [] : [{ line, number: place + 1 }]));
  const [first, ...rest] = lines;
  if (first === undefined) throw new Error('it is empty: its first line is the head, as `tripline capture` writes it');
  const head = read(first, (value) => headSchema.parse(value));
  const expected: Expected[] = [];
  const events: CapturedEvent[] = [];
  for (const one of rest) {
    read(one, (value) => {
      if (typeof value === 'object' && value !== null && 'finds' in value)
        return expected.push(expectedSchema.parse(value).finds);
      const { atMs, event } = receivedSchema.parse(value);
      if (atMs < (events.at(-1)?.atMs ?? atMs)) throw new Error('atMs: it is earlier than that of the event before');
      return events.push({ atMs, event: parseEvent(event) });
    });
  }
  return { head, expected, events };
}

function read<T>({ line, number }: { line: string; number: number }, parse: (value: unknown) => T): T {
  try {
    return parse(JSON.parse(line));
  } catch (error) {
    const why =
      error instanceof z.ZodError
        ? error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`).join('; ')
        : (error as Error).message;
    throw new Error(`line ${number}: ${why}`);
  }
}
