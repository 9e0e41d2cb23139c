import { eventTypeOf } from '@tripline/contracts/event-record';
import { brokerEventTypes, internalEventTypes, signInternal } from '@tripline/contracts/internal';
import type { NewRecord } from '@tripline/stream/stream';

/** With what tests sign what comes from within; see packages/contracts/internal.ts. */
export const internalKey = 'an-internal-key-for-tests-alone';
/** With what tests sign what the broker says. */
export const brokerKey = 'a-key-of-the-broker-for-tests-alone';

/** The record as it lies in the log: signed, where only Tripline itself may say such a thing. */
export function proved<R extends NewRecord>(record: R): R {
  const type = eventTypeOf(record.headers);
  if (type === undefined || !internalEventTypes.has(type)) return record;
  return signInternal(record, brokerEventTypes.has(type) ? brokerKey : internalKey);
}
