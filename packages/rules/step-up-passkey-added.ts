import { type EventType, eventIs } from '@tripline/contracts/event';
import { match } from './builders/match.ts';

const linked = 'dev.cdeventsx.tripline-stepup.linked' satisfies EventType;
const isLinked = eventIs(linked);

export const rule = match({
  id: 'step-up-passkey-added',
  title: 'Another passkey stands for somebody',
  description:
    'An account by whose passkey runs are let through has another passkey from now on. Somebody who was signed in as its owner made it, and a second person confirmed it. Whoever got hold of both keeps a way in that outlives a changed password. ' +
    'The first passkey of an account is not found.',
  severity: 'low',
  principles: [2],
  attack: ['T1098.005'],
  owasp: ['CICD-SEC-2'],
  feeds: { needs: ['access'] },
  falseAlarms: ['A new laptop or phone: who owns the account acknowledges it. It informs, and pages nobody.'],
  limits: [
    'Who is whom by `broker.stepUp.people` and `accountClaim`: these change in your settings and at your OpenID provider.',
  ],
  on: [linked],
  where: { attribute: 'tripline.stepup.link', oneOf: ['another'] },
  find(event) {
    if (!isLinked(event) || event.trust !== 'high') return undefined;
    const { 'user.name': owner, 'tripline.stepup.confirmed_by': by = 'somebody' } = event.data;
    const what = `${owner} has another passkey, which ${by} confirmed`;
    return {
      ...{ subject: `passkeys:${owner}`, what, title: what },
      summary: `${what}. By it ${owner} can stand for runs.`,
      remedy: [
        `Ask ${owner} on another channel whether it is theirs, and ${by} how they knew.`,
        'If it is not: end their sessions at the OpenID provider, and end the passkey: `tripline access passkeys` names it, `tripline access passkeys end` ends it.',
      ],
    };
  },
});
