import assert from 'node:assert/strict';
import type { Attributes } from '@tripline/contracts/attributes';
import type { Finding } from '@tripline/contracts/finding';
import type { AnyRule } from '@tripline/contracts/rule';
import { seeded } from './any-order.ts';
import { type Line, type Mark, readLines } from './lines.ts';
import { late, type Played, permuted, playTimeline, type Timeline } from './play.ts';
import { createStage, type LoggedEvent, type Stage } from './stage.ts';
import { tellLine } from './verb.ts';
import { verbs } from './verbs/all.ts';

export type TimelineOptions = Partial<Pick<Timeline, 'settings' | 'learningDays'>> & {
  /** Events before the timeline, such as an inventory. They keep their place in every order. */
  before?: Timeline['events'];
  /** Log time that passes after the last line, so that timers fall due; a day unless told otherwise. */
  thenMs?: number;
  /** False where it says of one order alone what it says, such as of a lateness. */
  anyOrder?: boolean;
};

/**
 * Plays a timeline in words (see lines.ts) and expects what its marks say, line by line, and nothing else; then the same
 * to stand in the end when it is doubled, restarted after each event, cut in batches of two, each event an hour late, and
 * in 40 other orders. A failure shows the timeline in the order that failed.
 * @returns what came of it in order, for what marks do not say.
 * @throws {Error} naming the line that cannot be read, or what was found where nothing was marked.
 */
export function expectTimeline(
  rules: AnyRule | readonly AnyRule[],
  text: string,
  options: TimelineOptions = {},
): Played {
  const { lines, stage } = readTimeline(text);
  const { before = [], thenMs = 86_400_000, anyOrder = true, ...rest } = options;
  const untilMs = Math.max(...lines.map(({ heardMs }) => heardMs)) + thenMs;
  const timeline = { ...rest, rules: [rules].flat() as AnyRule[], untilMs };
  const play = (events: readonly LoggedEvent[], how: Partial<Timeline> = {}) => {
    const played = playTimeline({ ...timeline, events: [...before, ...events], ...how });
    assert.deepEqual(
      played.poison.map(({ rule, reason }) => `${rule}: ${reason}`),
      [],
      'a rule threw',
    );
    return played;
  };

  const inOrder = play(stage.told);
  expectMarks(lines, inOrder, { rules: timeline.rules, stage, untilMs });
  if (!anyOrder) return inOrder;
  const wanted = standing(inOrder, stage);
  const expectSame = (how: string, events: readonly LoggedEvent[], more: Partial<Timeline> = {}) => {
    const stands = standing(play(events, more), stage);
    if (stands.join('\n') !== wanted.join('\n')) assert.fail(differs(how, shown(events, lines), wanted, stands));
  };
  expectSame('every event twice', stage.told, { duplicated: true });
  expectSame('a restart after each event', stage.told, { restartAfterEach: true });
  expectSame('in batches of two', stage.told, { batchRecords: 2 });
  for (const [place, { line }] of stage.told.entries()) {
    expectSame(`line ${line} an hour late`, late(stage.told, 3_600_000, (_, at) => at === place) as LoggedEvent[]);
  }
  expectNothingNew(stage, (events) => play(events, { untilMs: untilMs + redeliveredMs }));
  const random = seeded(7);
  for (let shuffle = 1; shuffle <= 40; shuffle += 1) {
    const other = fairlyPermuted(stage.told, random);
    expectSame(`shuffle ${shuffle}`, other, { restartAfterEach: shuffle % 8 === 0 });
  }
  return inOrder;
}

/** Longer than the engine's table of duplicates reaches back. */
const redeliveredMs = 96 * 3_600_000;
/** Each delivery once more, days later, under its own id: it tells what it told, finds nothing more and takes nothing back. */
function expectNothingNew(stage: Stage, play: (events: readonly LoggedEvent[]) => Played): void {
  const again = stage.told.map((event) => {
    const isTimed = (event.data as Attributes)['tripline.time.received'] !== true;
    const atMs = event.atMs + redeliveredMs;
    return { ...event, atMs, time: isTimed ? event.time : new Date(atMs).toISOString() };
  });
  const tell = ({ all, retracted, changes }: Played) => [
    ...all.map((finding) => `found ${written(finding, stage)} of ${finding.occasion}`),
    ...retracted.map(({ finding }) => `retracted ${written(finding, stage)}`),
    ...changes.map(({ kind, findingId }) => `${kind} ${findingId}`),
  ];
  const [once, twice] = [play(stage.told), play([...stage.told, ...again])].map(tell);
  assert.deepEqual(twice, once, 'every event delivered again after four days');
}

/** Another order of what lies within the time that an event may be late; weeks do not change places. */
function fairlyPermuted(told: readonly LoggedEvent[], random: () => number): LoggedEvent[] {
  const groups: LoggedEvent[][] = [];
  for (const event of told.toSorted((a, b) => a.atMs - b.atMs)) {
    const group = groups.at(-1);
    if (group !== undefined && event.atMs - group[0]!.atMs <= latestMs) group.push(event);
    else groups.push([event]);
  }
  return groups.flatMap((group) => permuted(group, random) as LoggedEvent[]);
}
/** How late an event may come and still lead to the same. */
const latestMs = 72 * 3_600_000;

/** The events of a timeline in words, for a test that plays them in its own way. */
export function eventsOf(text: string): LoggedEvent[] {
  return [...readTimeline(text).stage.told];
}

function readTimeline(text: string): { lines: Line[]; stage: Stage } {
  const lines = readLines(text);
  const stage = createStage();
  for (const line of lines) {
    stage.begin(line);
    if (line.who === '') continue;
    try {
      tellLine(line, verbs, stage);
    } catch (error) {
      throw new Error(`line ${line.number}: ${(error as Error).message}\n    ${line.text}`);
    }
  }
  return { lines, stage };
}

/** Each mark's finding came with its line: after all that was received before it, by the time of the next line. */
function expectMarks(
  lines: readonly Line[],
  played: Played,
  { rules, stage, untilMs }: { rules: readonly AnyRule[]; stage: Stage; untilMs: number },
): void {
  const inTime = lines.toSorted((a, b) => a.heardMs - b.heardMs);
  const came = [
    ...played.all.map((finding) => ({ kind: 'FOUND' as const, finding, atMs: Date.parse(finding.detectedAt) })),
    ...played.retracted.map(({ finding, atMs }) => ({ kind: 'RETRACTED' as const, finding, atMs })),
  ];
  const wrong: string[] = [];
  for (const [place, line] of inTime.entries()) {
    const fromMs = inTime[place - 1]?.heardMs ?? Number.NEGATIVE_INFINITY;
    const here = came.filter(({ atMs }) => atMs > fromMs && atMs <= line.heardMs);
    for (const mark of line.marks) {
      const found = here.findIndex(({ kind, finding }) => kind === mark.kind && fits(finding, mark, stage));
      if (found >= 0) here.splice(found, 1);
      else {
        const unread = unreadOf(line, rules, stage);
        wrong.push(`line ${line.number} should have ${mark.kind} ${mark.subject}\n    ${line.text}${unread}`);
      }
    }
    for (const { kind, finding } of here) {
      wrong.push(`line ${line.number} says nothing of: ${kind} ${written(finding, stage)}\n    ${line.text}`);
    }
  }
  const lastMs = inTime.at(-1)!.heardMs;
  for (const { kind, finding } of came.filter(({ atMs }) => atMs > lastMs && atMs <= untilMs)) {
    wrong.push(`after the last line: ${kind} ${written(finding, stage)}; a line \`nothing happens\` can bear its mark`);
  }
  if (wrong.length > 0) assert.fail(`\n${wrong.join('\n')}`);
}

/** What a line tells, where no rule reads it: the provider may tell an act by another event than its name suggests. */
function unreadOf({ number }: Line, rules: readonly AnyRule[], stage: Stage): string {
  const told = stage.told.filter(({ line }) => line === number).map(({ type }) => type);
  const read = new Set(
    rules.flatMap(({ reads, concludes }) => [...reads, ...(concludes?.uses ?? []).flatMap((fact) => fact.reads)]),
  );
  if (told.length === 0 || told.some((type) => read.has(type))) return '';
  return `\n    it tells ${told.join(', ')}, which the rule does not read; it reads ${[...read].join(', ')}`;
}

function fits(finding: Finding, mark: Mark, stage: Stage): boolean {
  const subject = stage.named(finding.subject);
  if (subject !== mark.subject && `${finding.rule} ${subject}` !== mark.subject) return false;
  if (mark.severity !== undefined && mark.severity !== finding.severity) return false;
  return mark.confidence === undefined || mark.confidence === finding.confidence;
}

const written = (finding: Finding, stage: Stage) =>
  `${stage.named(finding.subject)} [${finding.severity}/${finding.confidence}] by ${finding.rule}: ${stage.named(finding.title)}`;

/** What stands in the end, each finding with all that must not depend on the order. */
function standing(played: Played, stage: Stage): string[] {
  return played.findings
    .map(({ rule, subject, occasion, severity }) => stage.named(`${rule}: ${subject} [${severity}] of ${occasion}`))
    .sort();
}

/** The lines in the order in which their events were received. */
function shown(events: readonly LoggedEvent[], lines: readonly Line[]): string {
  const told = events.toSorted((a, b) => a.atMs - b.atMs);
  const clock = (ms: number) => new Date(ms).toISOString().slice(8, 19).replace('T', ' ');
  return told
    .map((event) => `    heard ${clock(event.atMs)} | ${lines.find(({ number }) => number === event.line)!.text}`)
    .join('\n');
}

function differs(how: string, order: string, wanted: readonly string[], stands: readonly string[]): string {
  const list = (all: readonly string[]) =>
    all.length === 0 ? '    nothing' : all.map((one) => `    ${one}`).join('\n');
  return `\n${how}: it ends otherwise.\n${order}\n  in order there stands\n${list(wanted)}\n  but now\n${list(stands)}`;
}
