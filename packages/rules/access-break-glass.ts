import { type EventType, eventIs } from '@tripline/contracts/event';
import { entityOf, repositoryKeyOf } from '@tripline/facts/things';
import { match } from './builders/match.ts';

const granted = 'dev.cdeventsx.tripline-access.granted' satisfies EventType;
const isGranted = eventIs(granted);

export const rule = match({
  id: 'access-break-glass',
  title: 'Somebody approved their own right, since nobody answered',
  description:
    'A policy lets whoever asked for a right approve it alone once nobody has answered for some time (`breakGlass`), by a second factor that resists phishing. They did, and have the right until its end. ' +
    'It is meant for a night in which nobody is there, and each time is to be looked at.',
  severity: 'critical',
  principles: [2, 3],
  attack: ['T1098.003'],
  owasp: ['CICD-SEC-2'],
  feeds: { needs: ['access'] },
  falseAlarms: ['None: whoever had to do it says so, and somebody else resolves the incident after they looked.'],
  limits: ['What was done with the right: other rules find that where it is told.'],
  on: [granted],
  find(event) {
    if (!isGranted(event) || event.trust !== 'high') return undefined;
    const { data } = event;
    const { 'user.id': by, 'tripline.grant.grantee': grantee, 'tripline.grant.target': target } = data;
    // Given by nobody's word it has no approver, and an extension by another has theirs.
    if (by === undefined || by !== data['tripline.grant.grantee_id']) return undefined;
    const grant = data['tripline.access.grant'];
    const right = `${data['tripline.grant.permission'] ?? data['tripline.grant.kind']} on ${target}`;
    const what = `${grantee} gave themselves ${right} until ${data['tripline.grant.expires_at']}, since nobody answered`;
    const repository = data['vcs.repository.name'];
    const reason = data['tripline.access.reason'];
    return {
      ...{ subject: `access:${grant}`, occasion: grant, what, title: `${grantee} approved ${right} alone` },
      summary: `${what}.${reason === undefined ? '' : ` They say why: ${reason}`}`,
      entities: repository === undefined ? [] : [entityOf('repository', repository, repositoryKeyOf(event))],
      remedy: [
        `Ask ${grantee} on another channel whether it was they, and why; end it before its time by \`tripline access end ${grant}\`.`,
        'Read what they did with it, and see why nobody who may approve answered.',
      ],
    };
  },
});
