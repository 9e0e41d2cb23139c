import { eventTypeOf } from '@tripline/contracts/event-record';
import { internalEventTypes, signInternal } from '@tripline/contracts/internal';
import type { NewRecord } from '@tripline/stream/stream';

/** With what tests sign what comes from within; see packages/contracts/internal.ts. */
export const internalKey = 'an-internal-key-for-tests-alone';

/** The record as it lies in the log: signed, where only Tripline itself may say such a thing. */
export function proved<R extends NewRecord>(record: R): R {
  const type = eventTypeOf(record.headers);
  return type !== undefined && internalEventTypes.has(type) ? signInternal(record, internalKey) : record;
}
