/**
 * What came of one call to a service that Tripline calls, as advice to the caller: it is done, try again later, or
 * never try again. `reason` is bounded (a label of a metric); `message` is a sentence for people, free of secrets.
 */
export type Outcome =
  | { kind: 'done'; reason?: string; message?: string }
  | { kind: 'retry'; reason: string; message?: string; afterMs?: number }
  | { kind: 'give-up'; reason: string; message: string };
