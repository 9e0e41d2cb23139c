import { type Confidence, confidences, type Entity, type Severity, severities } from '@tripline/contracts/finding';
import type { GuardVerdict } from '@tripline/contracts/job';
import type { ResponseStep } from '@tripline/contracts/response';
import type { Settings } from '@tripline/runtime/settings';

/** All that decides whether a step is carried out. */
export type GuardFacts = {
  settings: Pick<Settings['remediation'], 'policy' | 'breakGlass' | 'maxPerHour'>;
  /** As the step was planned; a step planned as a dry run stays one. */
  mode: 'dry-run' | 'live';
  /** A scenario that is played: it names things that are not ours, so it never acts. */
  drill: boolean;
  /** A GitHub App is configured. */
  configured: boolean;
  /** The step's target belongs to an organisation of the finding's workspace. */
  targetIsOurs: boolean;
  finding: {
    rule: string;
    severity: Severity;
    confidence: Confidence;
    entities: readonly Entity[];
    silenced: boolean;
    withdrawn: boolean;
  };
  step: ResponseStep;
  /** The kill switch is thrown. */
  stopped: boolean;
  begunLastHour: number;
};

/**
 * Whether a step is carried out, only shown, or refused, and why in a sentence. Pure. What is about the finding and the
 * people in it comes before the dry run, so that a dry run shows nothing that would not be done for their sake.
 */
export function guard(facts: GuardFacts): { verdict: GuardVerdict; said: string } {
  const { finding, step, settings } = facts;
  if (finding.withdrawn) return { verdict: 'withdrawn', said: 'The finding was withdrawn: late evidence explains it' };
  const spared = sparedBy(settings.breakGlass, finding.entities, step);
  if (spared !== undefined) {
    return { verdict: 'break-glass', said: `${spared} stands in remediation.breakGlass: a person must decide` };
  }
  if (facts.drill) return { verdict: 'dry-run', said: 'A drill: shown, not done' };
  if (facts.mode === 'dry-run') return { verdict: 'dry-run', said: 'Shown, not done: remediation.mode is dry-run' };
  if (facts.stopped) return { verdict: 'kill-switch', said: 'The kill switch of remediation is thrown' };
  if (finding.silenced) return { verdict: 'not-in-policy', said: 'The finding is silenced' };
  if (!facts.targetIsOurs) {
    return { verdict: 'not-in-policy', said: 'The target lies outside the organisations of the workspace' };
  }
  if (!inPolicy(settings.policy, finding, step)) {
    return {
      verdict: 'not-in-policy',
      said: `remediation.policy has no entry for ${step.action} on ${finding.rule} at ${finding.severity} severity and ${finding.confidence} confidence`,
    };
  }
  if (!facts.configured) return { verdict: 'not-configured', said: 'No GitHub App is configured (github.app)' };
  if (facts.begunLastHour >= settings.maxPerHour) {
    return {
      verdict: 'rate-capped',
      said: `${facts.begunLastHour} of ${step.action} were begun here within the hour; remediation.maxPerHour is ${settings.maxPerHour}`,
    };
  }
  return { verdict: 'act', said: 'The policy allows it' };
}

function inPolicy(policy: GuardFacts['settings']['policy'], finding: GuardFacts['finding'], step: ResponseStep) {
  return policy.some(
    (entry) =>
      entry.rule === finding.rule &&
      entry.actions.includes(step.action) &&
      severities.indexOf(finding.severity) >= severities.indexOf(entry.minSeverity) &&
      confidences.indexOf(finding.confidence) >= confidences.indexOf(entry.minConfidence),
  );
}

/** The entry of the break-glass list that the step or its finding touches. GitHub's names know no case. */
function sparedBy(breakGlass: readonly string[], entities: readonly Entity[], step: ResponseStep): string | undefined {
  const touched = new Set<string>();
  const targets = [
    'user' in step ? step.user : undefined,
    'invitee' in step ? step.invitee : undefined,
    'repository' in step ? step.repository : undefined,
    'runnerName' in step ? step.runnerName : undefined,
    'runnerId' in step ? step.runnerId : undefined,
  ];
  for (const name of targets) if (name !== undefined) touched.add(name.toLowerCase());
  for (const { kind, id } of entities) {
    if (kind === 'user' || kind === 'repository' || kind === 'runner') touched.add(id.toLowerCase());
    // A run is named `owner/name#run`, a commit `owner/name@revision`: their repository is touched too.
    if (kind === 'run' || kind === 'commit') touched.add(id.split(/[#@]/)[0]!.toLowerCase());
  }
  return breakGlass.find((name) => touched.has(name.toLowerCase()));
}
