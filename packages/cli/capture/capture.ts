import type { Captured, CapturedEvent } from '@tripline/contracts/captured';
import type { ConfiguredRule } from '@tripline/engine/settings';
import { withSuperseders } from '../replay/replay.ts';
import { expectedOf, judged, withSettings } from './judged.ts';
import { createPseudonyms } from './pseudonyms.ts';
import { publicWords } from './public-words.ts';
import { replacedEvent, replacedSettings } from './replaced-event.ts';

export type CaptureOptions = {
  /** In force. Overrides of their severities are not part of a fixture. */
  rules: readonly ConfiguredRule[];
  /** Ids of those that are to judge; all where there are none. */
  only: readonly string[];
  learningDays: number;
  untilMs: number;
  /** 0 ≤ x < 1. */
  random: () => number;
};

/** How many findings of a rule the events lead to, as they were and with names replaced. */
export type Difference = { rule: string; original: number; captured: number };

/**
 * A fixture of events: names, numbers, hashes and texts replaced, and what the rules find in them then. `differences`: where
 * that is not what they find in the events as they were, such as for a rule of the user's that names somebody itself.
 */
export async function captured(
  events: readonly CapturedEvent[],
  { rules, only, learningDays, untilMs, random }: CaptureOptions,
): Promise<{ fixture: Captured; differences: Difference[] }> {
  const known = publicWords();
  const names = createPseudonyms((word) => known.has(word), random);
  const judging = withSuperseders(rules, only);
  const written = judging.filter((one) => Object.keys(one.written).length > 0);
  names.note(JSON.stringify([events.map(({ event }) => event), written.map((one) => one.written)]));

  const replaced = events.map(({ atMs, event }) => ({ atMs, event: replacedEvent(event, names) }));
  const settings = Object.fromEntries(
    written.map(({ rule, written: own }) => [rule.id, replacedSettings(rule.settings, own, names)]),
  );
  const head = {
    captured: 1 as const,
    untilMs,
    learningDays,
    ...(only.length === 0 ? {} : { rules: [...only] }),
    settings,
  };
  const [before] = await judged([withSettings(judging, (one) => one.written)], { head, events });
  const [after] = await judged([withSettings(judging, ({ rule }) => settings[rule.id] ?? {})], {
    head,
    events: replaced,
  });
  const isAsked = ({ rule }: { rule: string }) => only.length === 0 || only.includes(rule);
  const [original, expected] = [expectedOf(before!).filter(isAsked), expectedOf(after!).filter(isAsked)];
  const counted = (list: readonly { rule: string }[], id: string) => list.filter(({ rule }) => rule === id).length;
  const ids = [...new Set([...original, ...expected].map(({ rule }) => rule))].sort();
  const counts = ids.map((rule) => ({ rule, original: counted(original, rule), captured: counted(expected, rule) }));
  return {
    fixture: { head, expected, events: replaced },
    differences: counts.filter((one) => one.original !== one.captured),
  };
}
