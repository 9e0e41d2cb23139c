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
