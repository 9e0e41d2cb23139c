import type { Look } from '@tripline/contracts/check';
import { entryOfTier, type RegisteredMinter } from '../minter.ts';
import { checkAws } from './doctor.ts';
import { type AwsSettings, awsSettings } from './settings.ts';

/** AWS: README.md. */
export const aws = {
  kind: 'aws',
  settings: awsSettings,
  load: async () => {
    const { createAwsApi } = await import('./api.ts');
    const { createAwsMinter } = await import('./mint.ts');
    return ({ broker }, options) => {
      const opened = broker.aws.map((settings) => {
        const api = createAwsApi(settings, options);
        return { ...settings, minter: createAwsMinter(api, options), look: checkAws(settings, api) satisfies Look };
      });
      return { of: (tier) => entryOfTier(opened, tier)?.minter, looks: opened.map(({ look }) => look) };
    };
  },
} as const satisfies RegisteredMinter<'aws', { broker: { aws: readonly AwsSettings[] } }>;
