import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '@tripline/config/config';
import type { Captured, CapturedEvent, Expected } from '@tripline/contracts/captured';
import { toEventRecord } from '@tripline/contracts/event-record';
import { type ConfiguredRule, configureRule } from '@tripline/engine/settings';
import { topics } from '@tripline/stream/stream';
import type { KeptRecord } from '@tripline/trail/read-log';
import { type Played, play } from '../replay/play.ts';

const atOnce = 2000;

/** What rule sets make of captured events, from nothing; `untilMs` of the log's time is when what waits falls due. */
export async function judged(
  sets: readonly (readonly ConfiguredRule[])[],
  {
    head: { learningDays, untilMs },
    events,
  }: Pick<Captured, 'events'> & { head: Pick<Captured['head'], 'learningDays' | 'untilMs'> },
): Promise<Played[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-captured-'));
  // Of what only Tripline may say the names are replaced too, so no MAC fits.
  const config = { learningDays, internalKeys: undefined, workspaces: [], drillKey: undefined };
  try {
    return await play({ config, folder }, sets, inBatches(events), untilMs);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function* inBatches(events: readonly CapturedEvent[]): AsyncGenerator<KeptRecord[]> {
  for (let from = 0; from < events.length; from += atOnce) {
    yield events.slice(from, from + atOnce).map(({ atMs, event }, place) => ({
      ...toEventRecord(event),
      ...{ topic: topics.events, partition: 0, offset: from + place, appendedAtMs: atMs },
    }));
  }
}

/** What of it would be told, as a fixture expects it, in order. */
export const expectedOf = ({ findings }: Played): Expected[] =>
  findings
    .filter(({ isSuperseded }) => !isSuperseded)
    .map(({ finding: { rule, subject, severity } }) => ({ rule, subject, severity }))
    .sort((a, b) => (inWords(a) < inWords(b) ? -1 : 1));
export const inWords = ({ rule, subject, severity }: Expected): string => `${rule} ${subject} [${severity}]`;

/** The settings by which captured events are judged: a file's own, since names in those of tripline.yaml are others. */
export const configFor = <C extends Config>(config: C, { head }: Pick<Captured, 'head'>): C => ({
  ...config,
  learningDays: head.learningDays,
  rules: { ...config.rules, settings: head.settings },
  ...{ exceptions: [], overrides: [], silences: [] },
});

/** Rules with other settings, and without what overrides say of them. */
export const withSettings = (
  rules: readonly ConfiguredRule[],
  settingsOf: (one: ConfiguredRule) => Record<string, unknown>,
): ConfiguredRule[] => rules.map((one) => configureRule(one.rule, settingsOf(one)));
