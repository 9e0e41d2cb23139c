import { type EventType, eventIs } from '@tripline/contracts/event';
import { match } from './builders/match.ts';

const linked = 'dev.cdeventsx.tripline-stepup.linked' satisfies EventType;
const isLinked = eventIs(linked);

export const rule = match({
  id: 'step-up-link-changed',
  title: 'Somebody else signs in as an account that stands for runs',
  description:
    'Who at the OpenID provider is which account of GitHub’s was changed: either the account belonged to another sign-in before, or the sign-in to another account. Somebody who was signed in at both showed it, and a second person confirmed it. ' +
    'From then on the new sign-in stands for runs as that account, and the former one is nobody. The first link of an account is not found.',
  severity: 'medium',
  principles: [2],
  attack: ['T1098'],
  owasp: ['CICD-SEC-2'],
  feeds: { needs: ['access'] },
  falseAlarms: [
    'A person who has another account at GitHub or at the provider, and a move to another provider, which changes all at once: whoever runs it acknowledges them.',
  ],
  limits: [
    'Who is whom by `broker.stepUp.people` and `accountClaim`: these change in your settings and at your OpenID provider.',
  ],
  on: [linked],
  where: { attribute: 'tripline.stepup.link', oneOf: ['changed'] },
  find(event) {
    if (!isLinked(event) || event.trust !== 'high') return undefined;
    const { 'user.name': owner, 'tripline.stepup.confirmed_by': by = 'somebody' } = event.data;
    const what = `${owner} signs in otherwise than before, which ${by} confirmed`;
    return {
      ...{ subject: `links:${owner}`, what, title: what },
      summary: `${what}. Whoever has that sign-in can stand for runs as ${owner}.`,
      remedy: [
        `Ask ${owner} on another channel whether it was they, and ${by} how they knew.`,
        'If it was not: end the link (`tripline access links`), their sessions at GitHub and at the OpenID provider, and look at the passkeys of the account (`tripline access passkeys`).',
      ],
    };
  },
});
