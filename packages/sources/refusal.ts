/** Why a delivery is refused. Bounded: it labels a metric, and clients match on it. */
export const refusalReasons = [
  'body-too-large',
  'unsupported-content-type',
  'unsupported-content-encoding',
  'missing-signature',
  'bad-signature',
  /** An `Authorization` of another form than the feed's. */
  'malformed-authorization',
  /** A body without a record. */
  'no-data',
  'timestamp-out-of-tolerance',
  /** The secret that signed it is not valid for the organisation or workspace that it names. */
  'wrong-organization',
  'missing-event-header',
  'unknown-event',
  'bad-delivery-id',
  'other-provider',
  'invalid-utf8',
  'invalid-json',
  'too-deep',
  'too-many-keys',
  'body-does-not-fit-event',
  'unknown-workspace',
  'out-of-bounds',
  'event-too-large',
  'spool-full',
  'bad-request',
  'internal',
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

/** `message` is a sentence that says what to do; it never repeats what was sent. */
export type Refusal = { status: 400 | 401 | 413 | 415 | 422 | 503; reason: RefusalReason; message: string };

export function refuse(status: Refusal['status'], reason: RefusalReason, message: string): Refusal {
  return { status, reason, message };
}
