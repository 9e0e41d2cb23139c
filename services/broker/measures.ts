import type { Decision } from '@tripline/access/decide';
import type { KeyEvent } from '@tripline/identity/key-set';
import type { IdentityRefusalReason } from '@tripline/identity/refusal';
import type { Metrics } from '@tripline/runtime/metrics';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Refused } from './answer.ts';

/** Second factors that somebody has yet to prove: for runs, and for requests of people. */
type OpenPrompts = { run: number; request: number };

/** A job that was told to wait asks again each few seconds; one that has not for so long waits no more. */
const asksAgainWithinMs = 30_000;

/**
 * The metrics of asking and answering. Every label is of a bounded list: policies are those in force.
 * @param countPrompts asked at each reading of the metrics.
 */
export function createMeasures(metrics: Metrics, nowMs: () => number, countPrompts: () => Promise<OpenPrompts>) {
  const requests = new Counter({
    name: 'tripline_broker_requests_total',
    help: 'Requests for access, by the status that they were answered with and the reason of refusals',
    labelNames: ['status', 'reason'] as const,
    registers: [metrics],
  });
  const decisions = new Counter({
    name: 'tripline_broker_decisions_total',
    help: 'Decisions, by policy, what was decided and the first condition that spoke against it',
    labelNames: ['policy', 'decision', 'condition'] as const,
    registers: [metrics],
  });
  const grantSeconds = new Histogram({
    name: 'tripline_broker_grant_seconds',
    help: 'Time from a request to its answer, of those that were given access, without the time that providers took to mint',
    buckets: [0.005, 0.01, 0.015, 0.025, 0.04, 0.075, 0.15, 0.5, 1, 2.5, 10],
    registers: [metrics],
  });
  const unknownKids = new Counter({
    name: 'tripline_broker_unknown_kid_total',
    help: 'Tokens whose key is none of those that their issuer publishes',
    registers: [metrics],
  });
  const readMs = new Map<string, number>();
  new Gauge({
    name: 'tripline_broker_jwks_age_seconds',
    help: 'How long ago the keys of an issuer were read, by the address that they are read at',
    labelNames: ['jwks_uri'] as const,
    registers: [metrics],
    collect() {
      for (const [uri, atMs] of readMs) this.set({ jwks_uri: uri }, (nowMs() - atMs) / 1000);
    },
  });
  /** By job and policy, in the order in which they were told last. */
  const waiting = new Map<string, number>();
  const forgetWaiting = () => {
    for (const [asked, atMs] of waiting) {
      if (nowMs() - atMs <= asksAgainWithinMs) return;
      waiting.delete(asked);
    }
  };
  new Gauge({
    name: 'tripline_broker_pending',
    help: 'What waits for somebody: second factors to be proved for runs (of run) and for requests of people (of request), the same of each broker that shares a database; and jobs that this broker told to ask again until then (of job)',
    labelNames: ['of'] as const,
    registers: [metrics],
    async collect() {
      this.reset();
      forgetWaiting();
      this.set({ of: 'job' }, waiting.size);
      // Without an answer there is no sample: 0 would say that nobody is asked.
      const prompts = await countPrompts().catch(() => undefined);
      for (const [of, count] of Object.entries(prompts ?? {})) this.set({ of }, count);
    },
  });
  return {
    answered: (status: number, reason: Refused | IdentityRefusalReason | '') => {
      requests.inc({ status: String(status), reason });
      if (reason === 'key-unknown') unknownKids.inc();
    },
    decided: (policy: string, { decision, reasons }: Decision) =>
      decisions.inc({ policy, decision, condition: reasons[0]?.condition ?? '' }),
    /** A job is told to ask again, or was answered. */
    waits: (job: string, policy: string, isWaiting: boolean) => {
      const asked = `${job} ${policy}`;
      waiting.delete(asked);
      forgetWaiting();
      if (isWaiting) waiting.set(asked, nowMs());
    },
    granted: (seconds: number) => grantSeconds.observe(seconds),
    keysRead: (event: KeyEvent) => {
      if (event.kind === 'keys-read') readMs.set(event.jwksUri, nowMs());
    },
  };
}
export type Measures = ReturnType<typeof createMeasures>;
