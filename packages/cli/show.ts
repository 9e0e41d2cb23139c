import { styleText } from 'node:util';
import type { Severity } from '@tripline/contracts/finding';
import { plain } from '@tripline/runtime/plain';
import type { Io } from './command.ts';

export type Style = Parameters<typeof styleText>[0];

/** Colours text where there is a terminal to show them. */
export function styled(io: Io, style: Style, text: string): string {
  return io.isTerminal ? styleText(style, text, { validateStream: false }) : text;
}

export const severityStyles: Record<Severity, Style> = {
  critical: ['bold', 'red'],
  high: 'red',
  medium: 'yellow',
  low: 'cyan',
};

export function severity(io: Io, of: Severity): string {
  return styled(io, severityStyles[of], of.padEnd('critical'.length));
}

/**
 * One line of parts, two spaces apart, made safe for a terminal and cut to its width; piped output is not cut. A part
 * without text is left out.
 */
export function lineOf(io: Io, parts: readonly { text: string | undefined; style?: Style }[]): string {
  let room = io.columns === undefined ? Number.POSITIVE_INFINITY : widthOf(io);
  const shown: string[] = [];
  const there = parts.filter(({ text }) => text !== undefined && text !== '');
  for (const [nth, { text, style }] of there.entries()) {
    const isLast = nth === there.length - 1;
    const symbols = [...plain(isLast ? text!.trimEnd() : text!)];
    const cut = symbols.length > room ? [...symbols.slice(0, Math.max(0, room - 1)), '…'] : symbols;
    shown.push(style === undefined ? cut.join('') : styled(io, style, cut.join('')));
    room -= cut.length + 2;
    if (room < 1) break;
  }
  return `${shown.join('  ').trimEnd()}\n`;
}

/** Text in lines that fit the terminal, all but the first indented; unwrapped where the output is no terminal. */
export function wrapped(io: Io, text: string, indent: number): string {
  if (io.columns === undefined) return text;
  return wrap(text, widthOf(io) - indent).replaceAll('\n', `\n${' '.repeat(indent)}`);
}

/** `2026-03-02 14:05:09` in UTC. */
export function moment(time: string | Date): string {
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}

/** `+34 ms`, `−1.2 s`. */
export function sinceText(ms: number): string {
  const sign = ms < 0 ? '−' : '+';
  const size = Math.abs(ms);
  return size < 1000 ? `${sign}${Math.round(size)} ms` : `${sign}${(size / 1000).toFixed(1)} s`;
}

/** `34 ms`, `1.2 s`: how long something took, and no time of a clock. */
export const tookText = (ms: number): string => sinceText(ms).replace(/^\+/, '');

/** How wide lines may be, in characters. A terminal too narrow to be read on counts as one of 40. */
export const widthOf = (io: Io): number => Math.max(40, io.columns ?? 80);

/**
 * Text in lines of at most `width` characters, the second and later ones indented; cut within a word only where that is
 * longer than a line. Without styles, whose escapes would count.
 */
export function wrap(text: string, width: number, indent = 0): string {
  const lines: string[] = [];
  let line = '';
  const room = () => width - (lines.length > 0 ? indent : 0);
  for (let word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > room()) {
      lines.push(line);
      line = '';
    }
    while (line === '' && word.length > room()) {
      const fits = room();
      lines.push(word.slice(0, fits));
      word = word.slice(fits);
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`);
}
