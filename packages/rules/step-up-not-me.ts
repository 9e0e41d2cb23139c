import { type EventType, eventIs } from '@tripline/contracts/event';
import { entityOf, instanceOf, providerOf, runKeyOf } from '@tripline/facts/things';
import { match } from './builders/match.ts';
import { actorOf, repositoryOf } from './builders/seen.ts';

const refused = 'dev.cdeventsx.tripline-stepup.refused' satisfies EventType;
const isRefused = eventIs(refused);

export const rule = match({
  id: 'step-up-not-me',
  title: 'Somebody says that a run which wants their second factor is not theirs',
  description:
    'A run asked for access that a person must stand for. Whoever was asked signed in with a second factor, and answered that it was not they who set it off: somebody else acts with their account, or as the bot or schedule that their house owns. ' +
    'The run got nothing, and gets nothing by this attempt any more.',
  severity: 'high',
  principles: [2],
  attack: ['T1078.004', 'T1621'],
  owasp: ['CICD-SEC-2'],
  feeds: { needs: ['access'] },
  falseAlarms: [
    'Somebody who forgot what they started, or started it by a tool: they say so, and resolve it as false.',
    'A colleague who ran somebody’s run again: the token names who set it off at first, so that person is asked.',
  ],
  limits: [
    'It rests on the person’s word: whoever has both the account and its second factor says that it was they.',
    'Whoever does not answer says nothing: an unanswered prompt gives nothing, and finds nothing.',
  ],
  on: [refused],
  find(event) {
    if (!isRefused(event) || event.trust !== 'high') return undefined;
    const { data } = event;
    const [repository, actor] = [repositoryOf(event), actorOf(event)];
    const runId = data['cicd.pipeline.run.id'];
    if (repository === undefined) return undefined;
    const attempt = data['tripline.pipeline.run.attempt'] ?? 1;
    const { 'user.name': by, 'tripline.access.policy': policy, 'vcs.repository.id': repositoryId } = data;
    const run = `${repository.name}#${runId}`;
    const what =
      data['tripline.stepup.asked'] === 'owners'
        ? `${by}, who owns the policy ${policy ?? ''}, says that ${run}, set off by ${actor.name}, is none of theirs`
        : `${by} says that ${run}, set off by their account, was not they`;
    return {
      ...{ subject: run, occasion: `attempt ${attempt}`, what, title: `${by} did not set ${run} off` },
      summary: `${what}. It asked for what policy ${policy ?? ''} gives, and got nothing.`,
      entities: [entityOf('run', run, runKeyOf(event))],
      response: [
        {
          ...{ action: 'stop-run', provider: providerOf(event), instance: instanceOf(event) },
          ...{ repository: repository.name, runId, ...(repositoryId === undefined ? {} : { repositoryId }) },
        },
      ],
      remedy: [
        `End the sessions, tokens and keys of ${actor.name}, and have them sign in anew, before anything of theirs runs again.`,
        'Read what else the account did since: pushes, runs, rights that it gave.',
      ],
    };
  },
});
