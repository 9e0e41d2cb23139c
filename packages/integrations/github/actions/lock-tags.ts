import type { IntentOf } from '@tripline/contracts/response';
import { type GitHubRequest, ownerAndRepo } from '../client.ts';
import {
  type Action,
  type Asking,
  askByListing,
  changeOnce,
  checkByAsking,
  noTargets,
  scopeOnRepository,
} from './action.ts';

type LockTags = IntentOf<'lock-tags'>;

const onRulesets = (step: LockTags, method: 'GET' | 'POST', more: object): GitHubRequest => ({
  route: `${method} /repos/{owner}/{repo}/rulesets`,
  parameters: { ...ownerAndRepo(step.repository), ...more },
});
const listing = (step: LockTags) => onRulesets(step, 'GET', { includes_parents: false });
/** By its name it is known again. */
const nameOf = ({ tag }: LockTags) => `Tripline: ${tag === undefined ? 'all tags' : `tag ${tag}`} locked`.slice(0, 200);

type Ruleset = { name: string; enforcement?: string; target?: string };
const isLock = (step: LockTags, { name, enforcement, target }: Ruleset) =>
  name === nameOf(step) && enforcement === 'active' && target === 'tag';

/**
 * A14: makes a ruleset by which nobody moves or deletes a repository's tags but Tripline's own App, which may have to put back the
 * next one that was moved. New ones can still be made.
 */
export const lockTags: Action<LockTags> = {
  code: 'A14',
  reversible: true,
  undo: (step) => `delete the ruleset "${nameOf(step)}" at https://${step.instance}/${step.repository}/settings/rules`,
  scope: (step) => scopeOnRepository(step.repository, { administration: 'write' }),
  targets: ({ repository }) => ({ ...noTargets, repositories: [repository] }),
  request: (step) => request(step, undefined),
  ask,
  act: (step, context) => changeOnce(request(step, context.appId), context),
  check: checkByAsking(ask),
};

/** `appId`: whose number takes the place of the words that stand for it where nothing is sent. */
function request(step: LockTags, appId: string | undefined): GitHubRequest {
  const actor_id = appId === undefined ? 'number-of-this-app' : Number(appId);
  return onRulesets(step, 'POST', {
    name: nameOf(step),
    target: 'tag',
    enforcement: 'active',
    bypass_actors: [{ actor_id, actor_type: 'Integration', bypass_mode: 'always' }],
    conditions: { ref_name: { include: [step.tag === undefined ? '~ALL' : `refs/tags/${step.tag}`], exclude: [] } },
    rules: [{ type: 'update' }, { type: 'deletion' }],
  });
}

/** What is to be ended is that they can be moved. */
function ask(step: LockTags, context: Asking) {
  return askByListing<Ruleset>(context, listing(step), (ruleset) => isLock(step, ruleset), {
    absent: () => ({ result: 'so', detail: 'no ruleset of Tripline locks the tags' }),
    read: () => ({ result: 'not-so', detail: 'the tags are locked: none is moved or deleted any more' }),
  });
}
