import { plain } from '@tripline/runtime/plain';
import type { WaitingBreach } from '@tripline/scenarios/breaches';
import type { Io } from '../command.ts';
import { lineOf, type Style, styled, tookText, widthOf, wrap } from '../show.ts';
import type { Row } from './all.ts';

type Column = { title: string; of: (row: Row) => string; style?: (row: Row) => Style };

const tookOr = (ms: number | null, none: string): string => (ms === null ? none : tookText(ms));
const columns: readonly Column[] = [
  { title: '#', of: ({ breach }) => (breach === null ? '–' : String(breach.number)) },
  { title: 'breach', of: ({ breach, scenario }) => breach?.name ?? scenario },
  { title: 'began', of: ({ breach }) => breach?.date ?? '–' },
  {
    title: 'found',
    of: ({ foundMs }) => tookOr(foundMs, 'NOT'),
    style: ({ foundMs }) => (foundMs === null ? 'red' : 'bold'),
  },
  { title: 'response', of: ({ respondedMs }) => tookOr(respondedMs, '–'), style: () => 'magenta' },
  {
    title: 'twin',
    of: ({ isTwinQuiet }) => (isTwinQuiet ? 'quiet' : 'FOUND'),
    style: ({ isTwinQuiet }) => (isTwinQuiet ? 'green' : 'red'),
  },
];
/** So wide is the first column, that what belongs to a row stands beneath its name. */
const indent = 4;

/** A row of figures for each scenario, and beneath it the rule and the event by which it found. */
export function table(rows: readonly Row[], io: Io): string {
  const widths = columns.map(({ title, of }) => Math.max(title.length, ...rows.map((row) => of(row).length)));
  widths[0] = indent - 2;
  const heading = columns.map(({ title }, nth) => ({ text: title.padEnd(widths[nth]!), style: 'dim' as const }));
  return [lineOf(io, heading), ...rows.map((row) => rowText(row, widths, io))].join('');
}

function rowText(row: Row, widths: readonly number[], io: Io): string {
  const cells = columns.map(({ of, style }, nth) => ({
    text: of(row).padEnd(widths[nth]!),
    ...(style && { style: style(row) }),
  }));
  const { rule, event, says, further, faults } = row;
  const more = further === 0 ? '' : `; ${further} more expected finding${further === 1 ? '' : 's'}`;
  const by = `${rule}, at ${event}: ${says}${more}`;
  const room = widthOf(io) - indent;
  const beneath = (text: string, style: Style) => {
    const inLines = io.columns === undefined ? plain(text) : wrap(plain(text), room);
    return `${' '.repeat(indent)}${styled(io, style, inLines.replaceAll('\n', `\n${' '.repeat(indent)}`))}\n`;
  };
  return [lineOf(io, cells), beneath(by, 'dim'), ...faults.map((fault) => beneath(`✗ ${fault}`, 'red'))].join('');
}

/** What the table comes to, in two sentences, and which breaches are not in it. */
export function conclusion(rows: readonly Row[], waiting: readonly WaitingBreach[], tookMs: number, io: Io): string {
  const width = widthOf(io);
  const failed = rows.filter(({ faults }) => faults.length > 0);
  const breaches = rows.filter(({ breach }) => breach !== null).length;
  const others = rows.length - breaches;
  const played = `${breaches} breaches and ${others} weakness${others === 1 ? '' : 'es'} played with their honest twins in ${tookText(tookMs)}.`;
  const verdict =
    failed.length === 0
      ? styled(io, 'green', 'All was found at the event that it must be, and nothing in the twins.')
      : styled(io, 'red', `✗ ${failed.length} did not hold: ${failed.map(({ scenario }) => scenario).join(', ')}`);
  const missing = waiting.map(
    ({ number, name, date, waitsFor }) =>
      `${String(number).padEnd(indent)}${wrap(`${name} (${date}): ${waitsFor}`, width - indent).replaceAll('\n', `\n${' '.repeat(indent)}`)}\n`,
  );
  return `\n${wrap(played, width)}\n${verdict}\n\nNot played, since no feed that is read yet tells of them:\n${missing.join('')}`;
}
