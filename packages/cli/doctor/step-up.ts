import type { Config } from '@tripline/config/config';
import type { Check } from '@tripline/contracts/check';

/** Whether anybody could stand for a run: whom the settings know, and by what others become known. */
export function checkStepUp({ broker: { stepUp } }: Pick<Config, 'broker'>): Check {
  const name = 'step-up';
  if (stepUp === undefined)
    return { name, state: 'off', detail: 'broker.stepUp is not set: nobody can prove a second factor for a run' };
  const { people, oidc, github } = stepUp;
  const claim = oidc.accountClaim;
  if (people.length === 0 && claim === undefined)
    return {
      ...{
        name,
        state: 'broken',
        detail: 'nobody is known by whom the first could be confirmed: all who sign in are nobody',
      },
      remedy: 'say who is whom: broker.stepUp.people, or broker.stepUp.oidc.accountClaim',
    };
  const ways = [
    ...(people.length === 0 ? [] : [`${people.length} by broker.stepUp.people`]),
    ...(claim === undefined ? [] : [`by the claim ${claim}`]),
    ...(github === undefined ? [] : ['others by signing in at GitHub, once somebody has confirmed it']),
  ];
  return { name, state: 'ok', detail: `who is whom: ${ways.join(', ')}` };
}
