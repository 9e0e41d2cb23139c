/**
 * A timeline in words: one line an event, as
 *
 *     09:00           ada      pushes c1 to acme/app main
 *     day 2  14:30    mallory  moves tag v1 of acme/app to c2   (heard 15:00)   ← FOUND acme/app@v1 [critical]
 *
 * `time  who  sentence  (options; apart; by semicolons)  ← marks`. Times are UTC; days count from 1. `heard` is when the
 * log took it in, where that is later. Marks say what stands once the line was received: `FOUND <subject>`, with
 * `[severity]` or `[severity/confidence]` where that matters, `RETRACTED <subject>`, apart by semicolons. A line that
 * says `nothing happens` only lets time pass. `#` begins a comment. `⟨⟩` and `¦` stand for brackets and a semicolon in what people write.
 */
export type Line = {
  /** From 1, as an editor counts. */
  number: number;
  text: string;
  /** When it happened and when the log heard of it, ms since the epoch. */
  atMs: number;
  heardMs: number;
  /** Empty where nothing happens. */
  who: string;
  words: readonly string[];
  options: readonly string[];
  marks: readonly Mark[];
};
export type Mark = { kind: 'FOUND' | 'RETRACTED'; subject: string; severity?: string; confidence?: string };

/** Day 1 of every timeline. */
export const firstDayMs = Date.parse('2026-03-11T00:00:00Z');
const dayMs = 86_400_000;

/** @throws {Error} naming the line that says nothing, and what it lacks. */
export function readLines(text: string): Line[] {
  const lines: Line[] = [];
  for (const [place, raw] of text.split('\n').entries()) {
    const written = raw.trim();
    if (written === '' || written.startsWith('#')) continue;
    try {
      const line = readLine(written, place + 1);
      // The log takes one event after another in, so that it is told which line brought what about.
      while (lines.some(({ heardMs }) => heardMs === line.heardMs)) line.heardMs += 1;
      lines.push(line);
    } catch (error) {
      throw new Error(`line ${place + 1}: ${(error as Error).message}\n    ${written}`);
    }
  }
  if (lines.length === 0) throw new Error('the timeline has no line');
  return lines;
}

function readLine(text: string, number: number): Line {
  const [happening = '', marked = ''] = text.split('←', 2);
  const { rest, options } = withoutOptions(happening.trim());
  const words = rest.match(/"[^"]*"|\S+/g) ?? [];
  const atMs = readTime(words, firstDayMs);
  const midnightMs = Math.floor(atMs / dayMs) * dayMs;
  const heard = options.find((option) => option.startsWith('heard '));
  const heardMs = heard === undefined ? atMs : readTime(heard.slice(6).split(' '), midnightMs);
  if (heardMs < atMs)
    throw new Error('it is received before it happens; say `heard day N HH:MM` where that is on another day');
  const passes = words.join(' ') === 'nothing happens';
  const who = passes ? '' : words.shift();
  if (who === undefined || (!passes && words.length === 0)) throw new Error('who does what? `time  who  sentence`');
  return {
    ...{ number, text, atMs, heardMs, who, words: words.map(asWritten) },
    options: options.filter((option) => option !== heard).map(asWritten),
    marks: marked.split(';').flatMap((mark) => (mark.trim() === '' ? [] : [readMark(asWritten(mark.trim()))])),
  };
}

const asWritten = (text: string): string => text.replaceAll('⟨', '(').replaceAll('⟩', ')').replaceAll('¦', ';');

/** What stands in the last brackets is options. */
function withoutOptions(text: string): { rest: string; options: string[] } {
  const open = text.indexOf('(');
  if (open < 0) return { rest: text, options: [] };
  if (!text.endsWith(')'))
    throw new Error('what stands in brackets are options, and they end the line or stand before its `←`');
  const options = text.slice(open + 1, -1).split(';');
  return { rest: text.slice(0, open).trim(), options: options.map((option) => option.trim()) };
}

/** Takes `[day N] HH:MM[:SS]` off the front of `words`. */
function readTime(words: string[], fromMs: number): number {
  const isDated = words[0] === 'day';
  const days = isDated ? Number(words[1]) - 1 : 0;
  const clock = words[isDated ? 2 : 0];
  const time = /^(\d\d):(\d\d)(?::(\d\d))?$/.exec(clock ?? '');
  if (!time || !Number.isInteger(days) || days < 0) throw new Error('a line begins with `HH:MM`, or `day 3  HH:MM`');
  words.splice(0, isDated ? 3 : 1);
  const [hours, minutes, seconds] = [time[1], time[2], time[3] ?? '0'].map(Number) as [number, number, number];
  return (isDated ? firstDayMs + days * dayMs : fromMs) + ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

function readMark(text: string): Mark {
  const [kind, ...words] = text.split(/\s+/);
  if (kind !== 'FOUND' && kind !== 'RETRACTED') throw new Error(`a mark says FOUND or RETRACTED, not ${kind}`);
  const last = words.at(-1) ?? '';
  const isGraded = last.startsWith('[') && last.endsWith(']');
  const subject = (isGraded ? words.slice(0, -1) : words).join(' ');
  if (subject === '') throw new Error(`${kind} what?`);
  if (!isGraded) return { kind, subject };
  const [severity = '', confidence] = last.slice(1, -1).split('/');
  return { kind, subject, severity, ...(confidence === undefined ? {} : { confidence }) };
}
