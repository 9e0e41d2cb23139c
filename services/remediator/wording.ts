import { verbOf } from '@tripline/contracts/response';
import type { Providers } from '@tripline/integrations/open-providers';
import type { Outcome } from '@tripline/integrations/outcome';
import type { Resolved } from '@tripline/integrations/provider';
import type { Remediation } from './store/remediations.ts';

/** The result of a step, for people. That the target is still alive comes first, in capitals. */
export function sentenceOf(
  { step, state, verdict, detail, check, request, dueAt }: Remediation,
  providers: Providers,
): string {
  const provider = providers.titleOf(step.provider);
  const verb = verbOf(step);
  const call = request === null ? 'by hand' : `${request.method} ${request.path}`;
  const then = dueAt === null ? '' : ` at ${dueAt.slice(0, 19)}Z`;
  switch (state) {
    case 'planned':
      return `To be decided: ${verb}`;
    case 'queued':
      return `Waits for a place to ${verb}, free${then || ' soon'} at the earliest: ${detail}`;
    case 'acting':
      return `Not done yet: ${verb}; ${detail}; tried again${then}`;
    case 'refused':
      if (verdict === 'dry-run') return `Dry run: would ask ${provider}, then ${verb} (${call})`;
      if (verdict === 'by-hand') return `By hand: ${verb}. ${detail}`;
      return check?.result === 'alive'
        ? `STILL ALIVE, not touched: could not ${verb}; ${detail}`
        : `Did not ${verb}: ${detail}`;
    case 'failed':
      return `FAILED to ${verb}: ${detail}`;
    case 'done':
      if (check?.result === 'alive') return `STILL ALIVE after the attempt to ${verb}: ${check.detail}`;
      if (check?.result === 'dead') return `Done: ${verb}; ${check.detail}`;
      return `Done, NOT CONFIRMED: ${verb}; ${check?.detail ?? `${provider} was not asked`}`;
  }
}

/** How to give back what a step takes away. */
export function undoOf(resolved: Resolved): string {
  return 'byHand' in resolved ? 'nothing was done that could be undone' : resolved.undo;
}

/** What the provider answered to an attempt, shortened. */
export function saidBy(outcome: Outcome): string {
  return (outcome.message ?? '').slice(0, 1000);
}
