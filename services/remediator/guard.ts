import type { Settings } from '@tripline/config/settings';
import { type Confidence, type Entity, isAsGraveAs, isAsSureAs, type Severity } from '@tripline/contracts/finding';
import type { GuardVerdict } from '@tripline/contracts/job';
import type { IntentName, PersonRef, RunnerRef, StepTargets } from '@tripline/contracts/response';
import { readRunnerKey } from '@tripline/facts/runner-keys';
import type { Owner } from '@tripline/integrations/provider';

/** All that decides whether a step is carried out. */
export type GuardFacts = {
  settings: Pick<Settings['remediation'], 'policy' | 'protected' | 'maxPerHour'>;
  /** The mode in which the step was planned; a step planned as a dry run stays one. */
  mode: 'dry-run' | 'live';
  /** A drill of `tripline attack`: it names things that do not exist, so it never acts. */
  drill: boolean;
  /** Why its provider cannot be called under the present settings; null when it can. */
  notReady: string | null;
  /** Whose the target is, and whether that belongs to the finding's workspace. */
  owner: Pick<Owner, 'name' | 'isOurs' | 'remedy'>;
  finding: {
    rule: string;
    severity: Severity;
    confidence: Confidence;
    entities: readonly Entity[];
    silenced: boolean;
    retracted: boolean;
    /** A finding of a narrower rule supersedes it, and acts. */
    superseded?: boolean;
    /** Why it proves too little to act upon, in a sentence: GitHub's own list has not named the delivery that it rests on. */
    doubt: string | null;
    /** A person resolved its incident as false or accepted: who, and as what. */
    resolved: { as: string; by: string } | null;
  };
  action: IntentName;
  /** How a person does it, where no integration can; null where one can. */
  byHand: string | null;
  /** Whom and what the step touches, as its action says. */
  targets: StepTargets;
  /** The kill switch is thrown. */
  stopped: boolean;
  /** Steps of this action in this workspace within the last hour, and those that wait; without the step itself. */
  load: Load;
};

export type Load = {
  /** Requests that were sent, and those that are about to be. */
  sent: number;
  /** Steps that were begun: GitHub was asked, whether anything was sent or not. */
  begun: number;
  /** Steps that wait for a place and come before this one. */
  ahead: number;
};

/**
 * A step that turns out to have nothing to do takes no place under the rate cap, so forged events could cause any
 * number of questions to the provider. GitHub allows an installation some 5,000 requests an hour, and a question with
 * its token takes three.
 */
const asksPerHour = 500;

/**
 * Whether a step is carried out, only shown, queued or refused, and why in a sentence. Pure. Checks of the finding and
 * of protected people come before the dry run, so that a dry run shows nothing that they would prevent.
 */
export function guard(facts: GuardFacts): { verdict: GuardVerdict; detail: string } {
  const { finding, action, settings, load } = facts;
  if (finding.retracted)
    return { verdict: 'withdrawn', detail: 'The finding was retracted: late evidence explains it' };
  if (finding.superseded) return { verdict: 'withdrawn', detail: 'A finding of a narrower rule supersedes it' };
  if (finding.resolved !== null) {
    const { as, by } = finding.resolved;
    return { verdict: 'resolved', detail: `${by} resolved the incident as ${as}` };
  }
  if (facts.byHand !== null) return { verdict: 'by-hand', detail: facts.byHand };
  const spared = protectedBy(settings.protected, facts.targets) ?? protectedBy(settings.protected, touched(finding));
  if (spared !== undefined) return { verdict: 'protected', detail: describeProtected(spared) };
  if (facts.drill) return { verdict: 'dry-run', detail: 'A drill: shown, not done' };
  if (finding.doubt !== null) return { verdict: 'unproven', detail: finding.doubt };
  if (facts.mode === 'dry-run') return { verdict: 'dry-run', detail: 'Shown, not done: remediation.mode is dry-run' };
  if (facts.stopped) return { verdict: 'kill-switch', detail: 'The kill switch of remediation is thrown' };
  if (finding.silenced) return { verdict: 'not-in-policy', detail: 'The finding is silenced' };
  if (!inPolicy(settings.policy, finding, action)) {
    return {
      verdict: 'not-in-policy',
      detail: `remediation.policy has no entry for ${action} on ${finding.rule} at ${finding.severity} severity and ${finding.confidence} confidence`,
    };
  }
  if (!facts.owner.isOurs) {
    return {
      verdict: 'not-configured',
      detail: `${facts.owner.name} is no organisation of this workspace: ${facts.owner.remedy}`,
    };
  }
  if (facts.notReady !== null) return { verdict: 'not-configured', detail: facts.notReady };
  const { maxPerHour } = settings;
  if (load.sent + load.ahead >= maxPerHour) {
    const others = load.ahead === 0 ? '' : ', and others at least as severe wait before it';
    return {
      verdict: 'rate-capped',
      detail: `${load.sent} of ${action} were carried out here within the hour${others}; remediation.maxPerHour is ${maxPerHour}`,
    };
  }
  if (load.begun >= Math.max(asksPerHour, maxPerHour)) {
    return {
      verdict: 'rate-capped',
      detail: `The provider was asked ${load.begun} times about ${action} here within the hour`,
    };
  }
  return { verdict: 'act', detail: 'The policy allows it' };
}

function inPolicy(policy: GuardFacts['settings']['policy'], finding: GuardFacts['finding'], action: IntentName) {
  return policy.some(
    (entry) =>
      entry.rule === finding.rule &&
      entry.actions.includes(action) &&
      isAsGraveAs(finding.severity, entry.minSeverity) &&
      isAsSureAs(finding.confidence, entry.minConfidence),
  );
}

type Protected = Settings['remediation']['protected'];

/** The entry of `remediation.protected` that is among `targets`, kind by kind. GitHub's names know no case. */
export function protectedBy(protectedOnes: Protected, targets: StepTargets): string | undefined {
  const user = protectedOnes.users.find((entry) =>
    targets.people.some((person) => isSame(entry.login, entry.id, person)),
  );
  if (user !== undefined) return user.login ?? `account ${user.id}`;
  const runner = protectedOnes.runners.find((entry) =>
    targets.runners.some(({ name, id }) => isSame(entry.name, entry.id, { login: name, id })),
  );
  if (runner !== undefined) return `runner ${runner.name ?? runner.id}`;
  return protectedOnes.repositories.find((entry) =>
    targets.repositories.some((name) => name.toLowerCase() === entry.toLowerCase()),
  );
}

export function describeProtected(spared: string): string {
  return `${spared} is in remediation.protected: a person must decide`;
}

/**
 * By id where both sides know it, else by name. An entry with an id alone cannot match somebody known by name alone:
 * GitHub is asked for their id before anything is done (perform.ts).
 */
function isSame(name: string | undefined, id: string | undefined, one: PersonRef): boolean {
  if (id !== undefined && one.id !== undefined) return id === one.id;
  return name !== undefined && name.toLowerCase() === one.login?.toLowerCase();
}

/** Whom and what a finding is about: `remediation.protected` holds for them too. */
export function touched({ entities }: { entities: readonly Entity[] }): StepTargets {
  const people: PersonRef[] = [];
  const runners: RunnerRef[] = [];
  const repositories: string[] = [];
  for (const { kind, id, key } of entities) {
    if (kind === 'user') people.push(personOf(id, key));
    if (kind === 'runner') runners.push(runnerOf(id));
    if (kind === 'repository') repositories.push(id);
    // A run is named `owner/name#run`, a commit `owner/name@revision`: their repository is touched too.
    if (kind === 'run' || kind === 'commit') repositories.push(id.split(/[#@]/)[0]!);
  }
  return { people, runners, repositories };
}

/** By the account's id too where the finding knows it: logins change hands. */
function personOf(login: string, key: string | undefined): PersonRef {
  const id = /:user:(\d+)$/.exec(key ?? '')?.[1];
  return id === undefined ? { login } : { login, id };
}

/**
 * Findings name a self-hosted runner by its key in the fact `runners`, and classes of runners by texts of other forms.
 */
function runnerOf(entity: string): RunnerRef {
  return readRunnerKey(entity) ?? { name: entity };
}
