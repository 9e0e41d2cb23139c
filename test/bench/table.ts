import { format, median, ratio, type Series } from './measure.ts';

/** One line of the bench's table. */
export type Row = {
  what: string;
  figure: string;
  /** What it is held against, with its figure and, where it matters, how it was tuned or what it cannot do. */
  beside: string;
  ratio: string;
  /** What it should reach; empty where the row only informs. */
  goal: string;
  /** Null where there is no goal, or nothing was measured. */
  met: boolean | null;
  /** Stands in the README too. */
  headline: boolean;
};

export function row(of: Partial<Row> & Pick<Row, 'what' | 'figure'>): Row {
  return { beside: '', ratio: '', goal: '', met: null, headline: false, ...of };
}

/** Ours beside another, round by round; `least`: the ratio that it should reach. */
export function beside(
  ours: Series,
  other: Series,
  options: { least?: number; most?: number; note?: string; headline?: boolean } = {},
): Row {
  const { median: middle, min, max } = ratio(ours, other);
  const { least, most, note } = options;
  const goal = least !== undefined ? `≥ ${least} ×` : most !== undefined ? `≤ ${most} ×` : '';
  return row({
    what: ours.name,
    figure: figure(ours),
    beside: `${other.name}: ${figure(other)}${note ? ` (${note})` : ''}`,
    ratio: `${format(middle)} (${format(min)}–${format(max)})`,
    goal,
    met: least !== undefined ? middle >= least : most !== undefined ? middle <= most : null,
    headline: options.headline ?? false,
  });
}

/** A figure that has no peer, against a bound of its own. */
export function bounded(
  what: string,
  value: number,
  of: { unit: string; most: number; beside?: string; headline?: boolean },
): Row {
  return row({
    what,
    figure: `${format(value)} ${of.unit}`,
    beside: of.beside ?? '',
    goal: `≤ ${of.most} ${of.unit}`,
    met: value <= of.most,
    headline: of.headline ?? false,
  });
}

const figure = (series: Series) => `${format(median(series.values))} ${series.unit}`;

const head = ['| what | figure | beside it | ratio, median (min–max) | goal | |', '|---|---|---|---|---|---|'];

export function markdown(rows: readonly Row[]): string {
  return [
    ...head,
    ...rows.map((of) => {
      const verdict = of.met === null ? '' : of.met ? 'met' : '**missed**';
      return `| ${[of.what, of.figure, of.beside, of.ratio, of.goal, verdict].join(' | ')} |`;
    }),
  ].join('\n');
}
