import { deploymentGates, repositoryKeyOfGate } from '@tripline/facts/deployment-gates';
import { entityOf } from '@tripline/facts/things';
import { conclusion } from './builders/conclusion.ts';
import { runIdOf } from './gate-words.ts';

/** How long Tripline may take to answer, or to say what it waits for, ms. */
const answerMs = 10 * 60_000;

export const rule = conclusion({
  id: 'gate-unanswered',
  title: 'Tripline’s gate does not answer',
  description:
    'GitHub asked Tripline, which is a protection rule of an environment, whether a deployment may go on, and for ten minutes Tripline neither decided nor said what it waits for. The deployment stands still until it is answered, or until somebody goes past the gate, which is what they will learn to do. One finding an environment, as long as questions are open.',
  severity: 'medium',
  principles: [4],
  attack: ['T1499'],
  owasp: ['CICD-SEC-1'],
  feeds: { needs: ['github'] },
  falseAlarms: [
    'The broker was stopped on purpose, or has no policies yet: take the rule off the environment meanwhile.',
  ],
  limits: [
    'A question whose delivery never came, as with a webhook that is switched off: GitHub shows that the run waits.',
  ],
  about: deploymentGates,
  where: ({ questions = [] }) => questions.length > 0,
  conclude({ repository, environment, questions = [], verdicts = [] }, { key, nowMs, recheckAt, explain }) {
    const answered = new Set(verdicts.map(({ question }) => question));
    const open = questions.filter(({ eventId }) => !answered.has(eventId));
    if (open.length === 0) explain('Tripline’s gate answered, or said what it waits for');
    const late = open.filter(({ heardMs }) => nowMs >= heardMs + answerMs);
    const next = open.filter((one) => !late.includes(one)).map(({ heardMs }) => heardMs + answerMs);
    if (next.length > 0) recheckAt(Math.min(...next));
    const [first] = late;
    if (first === undefined) return [];
    const place = entityOf('repository', repository, repositoryKeyOfGate(key));
    const runs = [...new Set(late.map(({ run }) => run))];
    return [
      {
        ...{ subject: `${repository}@${environment}`, occasion: `since ${first.eventId}` },
        because: late.slice(0, 10).map((seen) => ({
          ...{ fact: deploymentGates, key, seen, entities: [place] },
          what: `GitHub asked whether run ${runIdOf(seen.run)} may deploy to ${environment}, and was not answered`,
        })),
        title: `${runs.length === 1 ? 'A deployment' : `${runs.length} deployments`} of ${repository} to ${environment} ${runs.length === 1 ? 'waits' : 'wait'} for Tripline’s answer`,
        summary: `Tripline’s gate has not answered for ten minutes, so nothing is deployed to ${environment}.`,
        entities: runs.slice(0, 10).map((run) => entityOf('run', `${repository}#${runIdOf(run)}`, run)),
        remedy: [
          'See `tripline doctor` and the log of `tripline broker`: it says why it cannot decide or cannot reach GitHub.',
          'It answers what still waits as soon as it can. Until then a person may review the deployment at GitHub.',
        ],
      },
    ];
  },
});
