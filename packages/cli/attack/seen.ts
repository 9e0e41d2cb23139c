import type { Expectation } from '@tripline/scenarios/contract';
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
};
export type Told = {
  what: 'told';
  atMs: number;
  sink: string;
  /** posted, updated, trigger … */
  kind: string;
  incident: string;
  dryRun: boolean;
};
export type Revoked = {
  what: 'revoked';
  atMs: number;
  finding: string;
  ordinal: number;
  action: string;
  /** The guard's verdict: `act`, `dry-run` or why not. */
  verdict: string;
  /** `done`, `failed`, or `refused`, which a dry run is too. */
  state: string;
};
export type Withdrawn = { what: 'withdrawn'; atMs: number; finding: string; reason: string };
export type Seen = Found | Told | Revoked | Withdrawn;

/** Which finding answers which expectation: the first of its rule that no other expectation has taken. */
export function pairUp(expects: readonly Expectation[], seen: readonly Seen[]): Map<string, Expectation> {
  const pairs = new Map<string, Expectation>();
  for (const expectation of expects) {
    const answer = seen.find((item) => item.what === 'found' && item.rule === expectation.rule && !pairs.has(item.id));
    if (answer?.what === 'found') pairs.set(answer.id, expectation);
  }
  return pairs;
}

/**
 * What is still wrong, a sentence each; empty when all came true that the scenario expects, and nothing else. The
 * benign twin is judged with no expectations.
 */
export function faults(expects: readonly Expectation[], seen: readonly Seen[]): string[] {
  const wrong: string[] = [];
  const pairs = pairUp(expects, seen);
  const answered = new Set(pairs.values());
  for (const expectation of expects) {
    if (!answered.has(expectation)) wrong.push(`${expectation.rule} was expected and not found`);
  }
  for (const item of seen) {
    if (item.what === 'withdrawn' && pairs.has(item.finding)) {
      wrong.push(`${pairs.get(item.finding)!.rule} was found and withdrawn: ${item.reason}`);
    }
    if (item.what !== 'found') continue;
    const expectation = pairs.get(item.id);
    if (!expectation) {
      wrong.push(`${item.rule} was found on ${item.subject}, and nothing of the kind was expected`);
      continue;
    }
    if (!seen.some((other) => other.what === 'told' && other.incident === item.incident)) {
      wrong.push(`nobody was told of ${item.rule} (${item.incident ?? 'it was silenced'})`);
    }
    const actions = seen
      .filter((other) => other.what === 'revoked' && other.finding === item.id)
      .sort((a, b) => (a as Revoked).ordinal - (b as Revoked).ordinal)
      .map((other) => (other as Revoked).action);
    if (actions.join() !== expectation.responses.join()) {
      const recorded = actions.length > 0 ? actions.join(', ') : 'nothing';
      wrong.push(
        `${item.rule} should have led to ${expectation.responses.join(', ') || 'nothing'}, and led to ${recorded}`,
      );
    }
  }
  return wrong;
}

/** Milliseconds from the deciding event to `item`, for what belongs to an expected finding; otherwise undefined. */
export function afterDeciding(
  item: Seen,
  expects: readonly Expectation[],
  seen: readonly Seen[],
  timeline: Timeline,
): number | undefined {
  const pairs = pairUp(expects, seen);
  const finding =
    item.what === 'found'
      ? item.id
      : item.what === 'told'
        ? seen.find((other): other is Found => other.what === 'found' && other.incident === item.incident)?.id
        : item.finding;
  const expectation = finding === undefined ? undefined : pairs.get(finding);
  const due = expectation && dueMs(expectation, timeline);
  return due === undefined ? undefined : item.atMs - due;
}
