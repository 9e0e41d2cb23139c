import type { IntentName } from '@tripline/contracts/response';
import type { Expectation } from '@tripline/scenarios/scenario';
import { dueMs, type Timeline } from './timeline.ts';

/** What Tripline did in the drill's workspace, as it was noticed. `atMs` is on the clock of `performance.now()`. */
export type Found = {
  what: 'found';
  atMs: number;
  id: string;
  rule: string;
  severity: string;
  confidence: string;
  subject: string;
  title: string;
  incident: string | null;
  decidingEvent: string;
};
export type NotificationSeen = {
  what: 'notified';
  atMs: number;
  channel: string;
  /** posted, updated, trigger … */
  kind: string;
  incident: string;
  dryRun: boolean;
};
export type Responded = {
  what: 'responded';
  atMs: number;
  finding: string;
  ordinal: number;
  action: IntentName;
  /** The guard's verdict: `act`, `dry-run` or why not. */
  verdict: string;
  /** `queued`, `done`, `failed`, or `refused`, which a dry run is too. */
  state: string;
  /** Why it was not done, or what came of it, in a sentence. */
  detail: string | null;
};
export type Retracted = { what: 'retracted'; atMs: number; finding: string; reason: string };
export type DrillEvent = Found | NotificationSeen | Responded | Retracted;

/** What is expected of one playing, and the id of the event that its deciding step becomes. */
export type Expected = Expectation & { decidingEvent: string };

/**
 * Which finding answers which expectation: of its rule, by its event, and taken by no other expectation; of several the one that
 * led to what is expected, else the first.
 */
function pairUp<One extends Expected>(expects: readonly One[], seen: readonly DrillEvent[]): Map<string, One> {
  const pairs = new Map<string, One>();
  for (const expectation of expects) {
    const { rule, decidingEvent, responses } = expectation;
    const answers = seen.filter(
      (item): item is Found =>
        item.what === 'found' && item.rule === rule && item.decidingEvent === decidingEvent && !pairs.has(item.id),
    );
    const isFitting = (found: Found) => actionsOn(found, seen).join() === responses.join();
    const answer = answers.find(isFitting) ?? answers[0];
    if (answer !== undefined) pairs.set(answer.id, expectation);
  }
  return pairs;
}

const actionsOn = (found: Found, seen: readonly DrillEvent[]): IntentName[] =>
  responsesTo(found, seen).map(({ action }) => action);

/**
 * What is still wrong, a sentence each; empty when every expectation is met. In an attack, other rules may find
 * something too; a benign twin is `strict`: nothing at all may be found.
 */
export function faults(
  expects: readonly Expected[],
  seen: readonly DrillEvent[],
  { strict }: { strict: boolean },
): string[] {
  const wrong: string[] = [];
  const pairs = pairUp(expects, seen);
  const answered = new Set(pairs.values());
  for (const expectation of expects) {
    const { rule, decidingStep } = expectation;
    if (!answered.has(expectation)) wrong.push(`${rule} was expected and not found at ${decidingStep}`);
  }
  if (strict) for (const item of unexpected(expects, seen)) wrong.push(`${nameOf(item)} was found, and nothing may be`);
  for (const item of seen) {
    if (item.what === 'retracted' && pairs.has(item.finding)) {
      wrong.push(`${pairs.get(item.finding)!.rule} was found and retracted: ${item.reason}`);
    }
    const expectation = item.what === 'found' ? pairs.get(item.id) : undefined;
    if (item.what !== 'found' || !expectation) continue;
    if (!seen.some((other) => other.what === 'notified' && other.incident === item.incident)) {
      wrong.push(`nobody was notified of ${item.rule} (${item.incident ?? 'it was silenced'})`);
    }
    const actions = actionsOn(item, seen);
    if (actions.join() !== expectation.responses.join()) {
      const recorded = actions.length > 0 ? actions.join(', ') : 'nothing';
      wrong.push(
        `${item.rule} should have led to ${expectation.responses.join(', ') || 'nothing'}, and led to ${recorded}`,
      );
    }
  }
  return wrong;
}

/**
 * Findings beyond the expected ones, a line each: a user's own rule may find something in a scenario that does not know
 * it.
 */
export function alsoFound(expects: readonly Expected[], seen: readonly DrillEvent[]): string[] {
  return unexpected(expects, seen).map(nameOf);
}

function unexpected(expects: readonly Expected[], seen: readonly DrillEvent[]): Found[] {
  const pairs = pairUp(expects, seen);
  return seen.filter((item): item is Found => item.what === 'found' && !pairs.has(item.id));
}

const nameOf = ({ rule, subject }: Found): string => `${rule} on ${subject}`;

/** Each step of the finding's playbook once, in order: one that waited for a place is seen twice. */
function responsesTo(found: Found, seen: readonly DrillEvent[]): Responded[] {
  const steps = seen.filter((item): item is Responded => item.what === 'responded' && item.finding === found.id);
  return [...new Map(steps.map((step) => [step.ordinal, step])).values()].sort((a, b) => a.ordinal - b.ordinal);
}

/** How long after its own deciding event each expected finding was found, first notified of, and last responded to, in ms. */
export type Timing = {
  rule: string;
  decidingStep: string;
  foundMs: number;
  notifiedMs: number | null;
  respondedMs: number | null;
};

export function timings(expects: readonly Expected[], seen: readonly DrillEvent[], timeline: Timeline): Timing[] {
  const pairs = pairUp(expects, seen);
  return seen.flatMap((found): Timing[] => {
    const expectation = found.what === 'found' ? pairs.get(found.id) : undefined;
    const due = expectation && dueMs(expectation, timeline);
    if (found.what !== 'found' || expectation === undefined || due === undefined) return [];
    const notifiedAt = seen.flatMap((item) =>
      item.what === 'notified' && item.incident === found.incident && item.atMs >= found.atMs ? [item.atMs] : [],
    );
    const responded = responsesTo(found, seen).map(({ atMs }) => atMs);
    return [
      {
        rule: found.rule,
        decidingStep: expectation.decidingStep,
        foundMs: round(found.atMs - due),
        notifiedMs: notifiedAt.length > 0 ? round(Math.min(...notifiedAt) - due) : null,
        respondedMs: responded.length > 0 ? round(Math.max(...responded) - due) : null,
      },
    ];
  });
}

/** To a tenth of a millisecond. */
export const round = (ms: number): number => Math.round(ms * 10) / 10;
