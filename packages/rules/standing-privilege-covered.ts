import { conclusion } from './builders/conclusion.ts';
import { common, howToRetire, said, standingLine } from './standing-words.ts';

export const rule = conclusion({
  ...common,
  principles: [1, 3],
  id: 'standing-privilege-covered',
  title: 'Standing privilege that a policy of access makes needless',
  description:
    'A token, a deploy key or a role of AWS that id tokens open stands, and a policy of the access broker gives jobs all that it may do, on every repository that it reaches, for the length of a job. Until it is ended, whoever has it needs no job. ' +
    'Or an outside collaborator has rights, or people have a role of the organisation, that policies let them ask for, for minutes and by somebody else’s word (`people`). ' +
    'One finding for each and policy; taken back once it is gone, or no policy gives the same.',
  severity: 'medium',
  attack: ['T1078'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-6'],
  falseAlarms: ['A trial, while both are in force: acknowledge it, and end the old one when nobody uses it any more.'],
  limits: [
    'What a secret holds, what an access key of AWS or a role of Vault may do, and on what an app of selected repositories does it, is not told: of these nothing is said.',
    'A role of the organisation is covered where policies let everybody who has it in person ask for it, and no team has it.',
    'Whether the jobs that use it are those that the policy is for.',
  ],
  where: ({ coveredBy, isGone }) => !isGone && coveredBy !== undefined,
  conclude(seen, { key }) {
    const policy = seen.coveredBy!;
    const isOfPeople = policy.startsWith('people.');
    const gets = isOfPeople
      ? `By ${policy} people may ask for ${seen.scopes.join(', ') || 'it'}, for minutes and by somebody else’s word. The ${said(seen)} is theirs at any hour.`
      : `Jobs get ${seen.scopes.join(', ')} by policy ${policy}, for as long as they run. The ${said(seen)} gives the same to whoever has it, at any hour.`;
    return [
      {
        ...{ subject: seen.thing, occasion: `policy ${policy}` },
        title: `Policy ${policy} gives what ${said(seen)} stands for`,
        summary: gets,
        because: [standingLine(key, seen, `${said(seen)} stood beside policy ${policy}`)],
        remedy: [
          isOfPeople
            ? 'Let them ask the broker when they need it, and take it from them.'
            : 'Let its jobs ask the broker, see that it is used no more, and end it.',
          howToRetire(seen),
        ],
      },
    ];
  },
});
