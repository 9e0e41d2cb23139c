import { severities } from '@tripline/contracts/finding';
import { type EnvironmentSetting, httpUrl, secret } from '@tripline/runtime/setting';
import { z } from 'zod';

/** `pagerduty` of tripline.yaml. */
export const pagerdutySettings = z.strictObject({
  routingKey: secret.describe('Integration key of an Events API v2 integration.'),
  apiUrl: httpUrl.default('https://events.pagerduty.com').describe("PagerDuty's Events API."),
  minSeverity: z.enum(severities).default('high').describe('Incidents below it go to Slack only.'),
});

export const pagerdutyEnvironment: readonly EnvironmentSetting[] = [
  { name: 'TRIPLINE_PAGERDUTY_ROUTING_KEY', path: 'pagerduty.routingKey', secret: true },
  { name: 'TRIPLINE_PAGERDUTY_API_URL', path: 'pagerduty.apiUrl' },
];
