import { parseJsonObject } from '../json.ts';
import { parseJsonObjects } from '../json-objects.ts';
import { refuse } from '../refusal.ts';
import type { Delivery, EventOfMany, FeedAnswer, FeedAsk, Ignored, Normalised, Source } from '../source.ts';
import type { Workspaces } from '../workspace.ts';
import { checkAuditStream } from './doctor.ts';
import { eventOfRecord, type RecordContext } from './record.ts';
import { auditTokens, type TokenSettings, verifyToken } from './tokens.ts';

/** GitHub's audit log as it is streamed to a Splunk HTTP Event Collector (HEC): many records a delivery. */
export const githubAudit: Source<TokenSettings> = {
  name: 'github-audit',
  routes: ['/services/collector', '/services/collector/event', '/services/collector/event/1.0'],
  encodings: ['gzip'],
  // Its senders name a form, or nothing.
  contentTypes: 'any',
  contentTypeAdvice: 'send JSON',
  secrets: auditTokens,
  doctor: checkAuditStream,
  verify: (_body, headers, secrets) => verifyToken(headers, secrets),
  claimsOf: () => ({}),
  answer(status, standard) {
    if (!('error' in standard)) return inItsWords(200, 'Success', 0);
    const { reason } = standard.error;
    if (reason === 'missing-signature') return inItsWords(401, 'Token is required', 2);
    if (reason === 'malformed-authorization') return inItsWords(401, 'Invalid authorization', 3);
    // Senders tell a wrong token from a missing one by the status.
    if (reason === 'bad-signature') return inItsWords(403, 'Invalid token', 4);
    if (reason === 'no-data') return inItsWords(400, 'No data', 5);
    if (reason === 'internal') return inItsWords(500, 'Internal server error', 8);
    return status === 503 ? inItsWords(503, 'Server is busy', 9) : inItsWords(status, 'Invalid data format', 6);
  },
  asks: ['/services/collector/health', '/services/collector/health/1.0'].map(
    (path): FeedAsk => ({
      ...{ method: 'GET', path },
      answer: ({ isKeeping }) =>
        isKeeping ? inItsWords(200, 'HEC is healthy', 17) : inItsWords(503, 'HEC is unhealthy, queues are full', 18),
    }),
  ),
  normalise,
};

/** An answer as HEC gives it: its senders go by the code. */
const inItsWords = (status: number, text: string, code: number): FeedAnswer => ({
  ...{ status, contentType: 'application/json' },
  body: JSON.stringify({ text, code }),
});

function normalise({ rawBody, receivedAtMs, secretScope }: Delivery, workspaces: Workspaces): Normalised {
  const parsed = parseJsonObjects(rawBody);
  if ('refusal' in parsed) return parsed;
  if (parsed.objects.length === 0) return { refusal: refuse(400, 'no-data', 'The body is empty; send records') };
  const context: RecordContext = {
    receivedAtMs,
    // A token proves who sends, but not that what was sent is unaltered.
    trust: 'medium',
    whose: (owners) => workspaces.whose(secretScope, owners),
    whoseEnterprise(enterprise) {
      const workspace = workspaces.ofEnterprise(enterprise);
      if (workspace === undefined) return undefined;
      const isOwn = secretScope.kind === 'workspaces' && secretScope.ids.includes(workspace);
      return isOwn ? { workspace } : { ignored: 'unknown-organization' };
    },
  };
  const events: EventOfMany[] = [];
  const leftOut: Ignored[] = [];
  parsed.objects.forEach((object, nth) => {
    const record = 'body' in object ? recordIn(object.body) : undefined;
    const told = record === undefined ? unreadable(object) : eventOfRecord(record, context);
    if ('ignored' in told) leftOut.push({ ...told, part: `record ${nth + 1} of ${parsed.objects.length}` });
    else events.push(told);
  });
  return { events, leftOut };
}

function unreadable(object: ReturnType<typeof parseJsonObject> & { bytes?: Buffer }): Ignored {
  const unread =
    'body' in object
      ? { content: object.body, why: 'it holds no record: none names its action' }
      : { content: object.bytes, why: object.refusal.message };
  return { ignored: 'unexpected-shape', unread };
}

type Json = Record<string, unknown>;

/**
 * The record in an object of HEC, `{ time?, host?, source?, sourcetype?, index?, event, fields? }`: `event` is the record, or
 * its JSON as text, or holds it as `message`, as clients wrap it. A bare record names its `action`; `event` is a field of some.
 */
function recordIn(object: Json): Json | undefined {
  if (isRecord(object)) return object;
  const event = typeof object['event'] === 'string' ? parsedText(object['event']) : object['event'];
  if (!isObject(event)) return undefined;
  if (isRecord(event)) return event;
  const message = typeof event['message'] === 'string' ? parsedText(event['message']) : event['message'];
  return isObject(message) && isRecord(message) ? message : undefined;
}

const isRecord = ({ action }: Json): boolean => typeof action === 'string';
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parsedText(text: string): Json | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  const parsed = parseJsonObject(Buffer.from(text));
  return 'body' in parsed ? parsed.body : undefined;
}
