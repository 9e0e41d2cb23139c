import type { Look } from '@tripline/contracts/check';
import type { Needs } from './settings.ts';

/** Whether there is a broker whose grants responses can end. What it gives and what outlives its job are checks of their own. */
export function checkTripline({ broker }: Needs): Look[] {
  const isOn = broker.policy !== undefined;
  const detail = isOn
    ? 'incidents can end what the access broker gave'
    : 'no access broker: nothing is given, so there is nothing to end';
  return [{ name: 'provider Tripline', remedy: '', look: async () => ({ state: isOn ? 'ok' : 'off', detail }) }];
}
