import { parseTime } from '@tripline/contracts/time';
import type { StandingPrivilege } from '@tripline/facts/standing-privileges';
import { conclusion } from './builders/conclusion.ts';
import { common, howToRetire, said, standingLine } from './standing-words.ts';

const idleMs = 90 * 86_400_000;

/** By the time of the look, so that the same log gives the same finding. */
const isIdle = ({ idleSince, time, isGone }: StandingPrivilege): boolean =>
  !isGone && idleSince !== undefined && parseTime(time) - parseTime(idleSince) >= idleMs;

export const rule = conclusion({
  ...common,
  principles: [1],
  id: 'standing-privilege-unused',
  title: 'Standing privilege that nobody has used for 90 days',
  description:
    'A token, key or credential of the organisation, or a role or access key of AWS, stands, and the provider says that nobody has used it for 90 days, or never since it was made so long ago. Whoever finds it may use it all the same. ' +
    'One finding for each; taken back once it is used or gone.',
  severity: 'medium',
  attack: ['T1078'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-6'],
  falseAlarms: ['What is kept for an emergency or for a yearly task: resolve it as accepted, or let it be requested.'],
  limits: [
    'Things of whose use the provider says nothing (apps, secrets, people, teams, environments, machines, roles of Vault): that nothing was heard of them proves nothing. `tripline access standing` reads from the trail what was heard.',
  ],
  where: isIdle,
  conclude(seen, { key }) {
    const since = seen.idleSince!.slice(0, 10);
    const may = seen.scopes.length === 0 ? '' : ` It may do ${seen.scopes.join(', ')}.`;
    return [
      {
        ...{ subject: seen.thing, occasion: `since ${since}` },
        title: `Nobody has used ${said(seen)} since ${since}`,
        summary: `It stands, and the provider knows of no use since ${since}.${may} What nobody needs is only there to be stolen.`,
        because: [standingLine(key, seen, `${said(seen)} stood unused since ${since}`)],
        remedy: [`Ask ${seen.owner ?? 'whoever made it'} whether it is needed; if not, end it.`, howToRetire(seen)],
      },
    ];
  },
});
