import { conclusion } from './builders/conclusion.ts';
import { common, howToRetire, said, standingLine } from './standing-words.ts';

export const rule = conclusion({
  ...common,
  principles: [1, 3],
  id: 'standing-privilege-covered',
  title: 'Standing privilege that a policy of access makes needless',
  description:
    'A token or deploy key stands, and a policy of the access broker gives jobs all that it may do, on every repository that it reaches, for the length of a job. Until it is ended, whoever has it needs no job. ' +
    'One finding for each and policy; taken back once it is gone, or no policy gives the same.',
  severity: 'medium',
  attack: ['T1078'],
  owasp: ['CICD-SEC-2', 'CICD-SEC-6'],
  falseAlarms: ['A trial, while both are in force: acknowledge it, and end the old one when nobody uses it any more.'],
  limits: [
    'What a secret holds, no provider tells: of secrets nothing is said.',
    'Whether the jobs that use it are those that the policy is for.',
  ],
  where: ({ coveredBy, isGone }) => !isGone && coveredBy !== undefined,
  conclude(seen, { key }) {
    const policy = seen.coveredBy!;
    return [
      {
        ...{ subject: seen.thing, occasion: `policy ${policy}` },
        title: `Policy ${policy} gives what ${said(seen)} stands for`,
        summary: `Jobs get ${seen.scopes.join(', ')} by policy ${policy}, for as long as they run. The ${said(seen)} gives the same to whoever has it, at any hour.`,
        because: [standingLine(key, seen, `${said(seen)} stood beside policy ${policy}`)],
        remedy: ['Let its jobs ask the broker, see that it is used no more, and end it.', howToRetire(seen)],
      },
    ];
  },
});
