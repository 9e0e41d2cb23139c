import type { ConcludeContext } from '@tripline/contracts/rule';
import type { DeploymentGate, GateEntry, GateQuestion, GateVerdict } from '@tripline/facts/deployment-gates';
import { gateVerdict, runIdOf } from './gate-words.ts';

/**
 * Jobs that a machine took although Tripline's own gate let none of them through. It writes to the log what it decides before it
 * tells the provider, and nothing else can let a job through: so there is nothing to wait for.
 */
export function pastTheApp(gate: DeploymentGate, key: string, { explain }: Pick<ConcludeContext<unknown>, 'explain'>) {
  const { questions = [], verdicts = [], entered } = gate;
  // A gate that nobody answers for lets nobody through but administrators: `gate-unanswered` tells of it.
  if (!verdicts.some(({ dryRun }) => dryRun === undefined)) return [];
  const asked = Map.groupBy(questions, ({ run }) => run);
  return [...asked].flatMap(([run, ofRun]) => {
    const attempts = Map.groupBy(
      entered.filter((one) => one.run === run),
      ({ attempt }) => attempt ?? 1,
    );
    return [...attempts].flatMap(([attempt, entries]) => {
      const about = questionsOf(attempt, ofRun, verdicts);
      if (about.length === 0) return [];
      const answers = verdicts.filter(({ question }) => about.some(({ eventId }) => eventId === question));
      if (answers.some(({ dryRun }) => dryRun)) return [];
      const letThrough = about.some(({ eventId }) => isGranted(eventId, verdicts));
      if (letThrough) explain('Tripline’s gate approved it');
      return letThrough ? [] : [passed(gate, key, run, attempt, entries, [...about, ...answers])];
    });
  });
}

/** A question names no attempt: the answer does, and one without an answer may be of any. */
function questionsOf(attempt: number, ofRun: readonly GateQuestion[], verdicts: readonly GateVerdict[]) {
  return ofRun.filter(({ eventId }) => {
    const answers = verdicts.filter(({ question }) => question === eventId);
    return answers.length === 0 || answers.some((one) => one.attempt === undefined || one.attempt === attempt);
  });
}

/** What was denied once is not granted any more. */
function isGranted(question: string, verdicts: readonly GateVerdict[]): boolean {
  const of = verdicts.filter((one) => one.question === question).map(({ decision }) => decision);
  return of.includes('granted') && !of.includes('denied');
}

function passed(
  gate: DeploymentGate,
  key: string,
  run: string,
  attempt: number,
  entries: readonly GateEntry[],
  because: readonly (GateQuestion | GateVerdict)[],
) {
  const wasDenied = because.some((one) => 'decision' in one && one.decision === 'denied');
  const how = wasDenied ? 'though Tripline’s gate rejected it' : 'before Tripline’s gate had approved it';
  return {
    ...gateVerdict(gate, key, run, { entries, because, severity: 'high' }),
    ...{ occasion: `app ${gate.environment} ${attempt}`, confidence: 'high' as const },
    title: `Run ${runIdOf(run)} of ${gate.repository} deployed to ${gate.environment} ${how}`,
    summary:
      'Tripline is a gate of the environment, and its approval is in the log before any job can start by it; there is none. ' +
      'Somebody with the right to went past the gate, or took it away while it was asked.',
  };
}
