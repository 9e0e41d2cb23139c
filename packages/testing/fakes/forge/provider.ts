import type { Intent } from '@tripline/contracts/response';
import { createOutbound } from '@tripline/integrations/outbound';
import type { Provider, Resolved } from '@tripline/integrations/provider';
import { stopRun } from './actions/stop-run.ts';

/** What of the settings it reads. */
type Needs = { forge?: { apiUrl: string; token: string } };

/** Forge, as responses meet it. */
export const forge: Provider<Needs> = {
  open: ({ forge: settings }) => {
    const fetch = settings && createOutbound(settings.apiUrl);
    return {
      resolve(intent: Intent): Resolved {
        if (intent.action !== 'stop-run') return { byHand: `Do it at https://${intent.instance}` };
        return stopRun(intent, settings && { ...settings, fetch: fetch! });
      },
    };
  },
  doctor: ({ forge: settings }) => [
    {
      name: 'provider Forge',
      remedy: 'set forge',
      look: async () =>
        settings ? { state: 'ok', detail: settings.apiUrl } : { state: 'off', detail: 'not configured' },
    },
  ],
};
