/** One figure of a contestant over all rounds. */
export type Series = { name: string; unit: string; values: number[] };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value below which `share` (0 to 1) of the values lie, by the nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]!;
}

/**
 * Runs the contestants in turn, A B A B …, so that a machine whose speed drifts drifts for all of them; the first round
 * warms up and does not count.
 */
export async function interleave(
  contestants: readonly { name: string; unit: string; run: () => Promise<number> }[],
  rounds: number,
): Promise<Series[]> {
  const series = contestants.map(({ name, unit }): Series => ({ name, unit, values: [] }));
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, contestant] of contestants.entries()) {
      const value = await contestant.run();
      if (round > 0) series[index]!.values.push(value);
      process.stderr.write(
        `  ${round === 0 ? 'warm-up' : `round ${round}`}  ${contestant.name}: ${format(value)} ${contestant.unit}\n`,
      );
    }
  }
  return series;
}

/** Ratios of two contestants round by round: what of a figure survives the machine. */
export function ratio(of: Series, against: Series): { median: number; min: number; max: number } {
  const ratios = of.values.map((value, index) => value / against.values[index]!);
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}

export function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
