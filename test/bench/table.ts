import { format, median, percentile, ratio, type Series } from './measure.ts';

/** One line of the bench's table. */
export type Row = {
  what: string;
  figure: string;
  /** What it is held against, with its figure. */
  beside: string;
  /** How that was tuned, and what it cannot do: stands below the table. */
  note: string;
  ratio: string;
  /** What it should reach; empty where the row only informs. */
  goal: string;
  /** Null where there is no goal, or nothing was measured. */
  met: boolean | null;
  /** Stands among the goals, too. */
  headline: boolean;
};

export function row(of: Partial<Row> & Pick<Row, 'what' | 'figure'>): Row {
  return { beside: '', note: '', ratio: '', goal: '', met: null, headline: false, ...of };
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
    beside: `${other.name}: ${figure(other)}`,
    note: note ?? '',
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
  of: { unit: string; most: number; beside?: string; note?: string; headline?: boolean },
): Row {
  return row({
    what,
    figure: `${format(value)} ${of.unit}`,
    beside: of.beside ?? '',
    note: of.note ?? '',
    goal: `≤ ${of.most} ${of.unit}`,
    met: value <= of.most,
    headline: of.headline ?? false,
  });
}

export const figure = (series: Series) => `${format(median(series.values))} ${series.unit}`;

const head = ['| what | figure | beside it | ratio, median (min–max) | goal | |', '|---|---|---|---|---|---|'];

/** The table, and below it what is to be known of those whom ours is held against. */
export function markdown(rows: readonly Row[]): string {
  const notes = [...new Set(rows.map(({ note }) => note).filter((note) => note !== ''))];
  const line = (of: Row) => {
    const verdict = of.met === null ? '' : of.met ? 'met' : '**missed**';
    const mark = of.note === '' ? '' : ` [${notes.indexOf(of.note) + 1}]`;
    return `| ${[of.what, of.figure, of.beside + mark, of.ratio, of.goal, verdict].join(' | ')} |`;
  };
  const footnotes = notes.map((note, index) => `${index + 1}. ${note}`);
  return [...head, ...rows.map(line), ...(notes.length > 0 ? ['', ...footnotes] : [])].join('\n');
}

/** A row for each percentile that has a goal, in ms. */
export function spread(what: string, latenciesMs: number[], goals: { p50?: number; p99: number }, told: string): Row[] {
  if (latenciesMs.length === 0) return [row({ what, figure: 'nothing heard', beside: told, met: false })];
  return Object.entries(goals).map(([name, most]) =>
    bounded(`${what}, ${name}`, percentile(latenciesMs, Number(name.slice(1)) / 100), {
      unit: 'ms',
      most,
      beside: told,
      headline: true,
    }),
  );
}
