import type { Look } from '@tripline/contracts/check';
import type { Severity } from '@tripline/contracts/finding';

/** Whether the routing key has the form that PagerDuty gives them: there is no way to ask that would not page somebody. */
export function lookAtPagerDuty(settings: { routingKey: string; minSeverity: Severity } | undefined): Look[] {
  const remedy = 'take the integration key of an Events API v2 integration';
  return [{ name: 'PagerDuty', remedy, look: async () => look(settings) }];
}

function look(settings: { routingKey: string; minSeverity: Severity } | undefined): Awaited<ReturnType<Look['look']>> {
  if (!settings) return { state: 'off', detail: 'not configured: dry run' };
  if (!/^[A-Za-z0-9]{32}$/.test(settings.routingKey)) {
    const remedy = 'take the integration key of an Events API v2 integration';
    return { state: 'broken', detail: 'the routing key is not 32 letters and digits', remedy };
  }
  return { state: 'ok', detail: `the routing key has the right form; pages from ${settings.minSeverity} on` };
}
