import { styleText } from 'node:util';
import type { Severity } from '@tripline/contracts/finding';
import type { Io } from './command.ts';

type Style = Parameters<typeof styleText>[0];

/** Colours text where there is a terminal to show them. */
export function styled(io: Io, style: Style, text: string): string {
  return io.isTerminal ? styleText(style, text, { validateStream: false }) : text;
}

const severityStyles: Record<Severity, Style> = {
  critical: ['bold', 'red'],
  high: 'red',
  medium: 'yellow',
  low: 'cyan',
};

export function severity(io: Io, of: Severity): string {
  return styled(io, severityStyles[of], of.padEnd('critical'.length));
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
