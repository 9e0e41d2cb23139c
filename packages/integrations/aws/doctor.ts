import type { Look } from '@tripline/contracts/check';
import { brokenWhileAway, tiersOf } from '../minter.ts';
import { type AwsApi, elementIn, saidBy } from './api.ts';
import type { AwsSettings } from './settings.ts';

/** Whether the broker is known at AWS. What it may there, AWS tells only to whoever may read policies. */
export function checkAws(settings: Pick<AwsSettings, 'region' | 'tiers'>, { ask }: AwsApi): Look {
  const remedy = 'check broker.aws: accessKey or webIdentity, region, and this machine’s clock';
  return {
    ...{ name: `minter AWS ${settings.region} (${tiersOf(settings)})`, remedy },
    look: async () => {
      const answer = await ask('sts', 'GetCallerIdentity', {});
      const away = brokenWhileAway(answer, { said: saidBy(answer), setting: 'broker.aws.stsUrl' });
      if (away !== undefined) return away;
      const arn = answer.status === 200 ? elementIn(answer.text, 'Arn') : undefined;
      if (arn === undefined)
        return { state: 'broken', detail: `it does not know the broker: ${saidBy(answer)}`, remedy };
      if (!arn.endsWith(':root')) return { state: 'ok', detail: `known there as ${arn}` };
      const detail = 'the broker has a key of the account’s root, which may do everything';
      return { state: 'broken', detail, remedy: 'give it a user or role as packages/integrations/aws/README.md says' };
    },
  };
}
