import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type Captured, type Expected, readCaptured } from '@tripline/contracts/captured';
import type { AnyRule } from '@tripline/contracts/rule';
import { type LoggedEventInput, type Played, playTimeline } from './play.ts';

/**
 * Plays a fixture of `tripline capture` by `rules`, and expects of them the findings that it names, and no other. What it expects
 * of rules that are not among these is not looked at. `path`: a file.
 * @throws {Error} naming what of the file cannot be read, or what differs.
 */
export function expectCaptured(rules: AnyRule | readonly AnyRule[], path: string | URL): Played {
  const { head, events, expected } = readCaptured(readFileSync(path, 'utf8'));
  const judging = [rules].flat() as AnyRule[];
  const { learningDays, settings, untilMs } = head;
  const played = playTimeline({ rules: judging, events: timelineOf({ events }), learningDays, settings, untilMs });
  const isPlayed = ({ rule }: { rule: string }) => judging.some(({ id }) => id === rule);
  const found = played.findings.filter(({ id }) => !played.superseded.has(id));
  assert.deepEqual(
    found.map(inWords).sort(),
    expected.filter(isPlayed).map(inWords).sort(),
    `what is found in ${path} is not what it expects`,
  );
  return played;
}

const inWords = ({ rule, subject, severity }: Expected): string => `${rule} ${subject} [${severity}]`;

const timelineOf = ({ events }: Pick<Captured, 'events'>): LoggedEventInput[] =>
  events.map(({ atMs, event }) => ({ ...event, atMs }) as LoggedEventInput);
