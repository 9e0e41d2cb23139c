/**
 * The result of one call to a service, as advice to the caller: done, try again later, or never try again. `reason` is
 * bounded (a label of a metric); `message` is a sentence for people, free of secrets.
 */
export type Outcome =
  | { kind: 'done'; reason?: string; message?: string }
  | { kind: 'retry'; reason: string; message?: string; afterMs?: number }
  | { kind: 'give-up'; reason: string; message: string };
