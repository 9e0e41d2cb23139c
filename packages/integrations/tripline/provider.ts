import { describeTarget, type Intent, verbOf } from '@tripline/contracts/response';
import type { OpenProvider, Provider } from '../provider.ts';
import { isOfIds, revokeAccess } from './actions/revoke-access.ts';
import { checkTripline } from './doctor.ts';
import type { Needs } from './settings.ts';

/** Tripline as a provider of responses: it ends what its access broker gave. What it can do: README.md. */
export const tripline: Provider<Needs> = {
  open: (_config, { grants }): OpenProvider => ({
    resolve(intent) {
      if (intent.action !== 'revoke-grant' || intent.grant !== 'access') {
        const what = `${verbOf(intent)} where it is (${describeTarget(intent)})`;
        return { byHand: `Tripline holds nothing but what its access broker gave: ${what}`.slice(0, 1000) };
      }
      return isOfIds(intent) ? revokeAccess(intent, grants) : { byHand: wordsFor(intent).slice(0, 1000) };
    },
  }),
  doctor: checkTripline,
};

/** Where only a name is known, another may bear it by now: a person looks first. */
function wordsFor({ of, name }: Extract<Intent, { grant: 'access' }>): string {
  const which = of === 'run' || of === 'repository' ? name : '<grant>';
  return `End it: \`tripline access grants --live\` lists what was given, \`tripline access revoke ${which} --reason …\` ends it`;
}
