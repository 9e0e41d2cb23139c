import { UsageError } from './command.ts';

const unitsMs: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A moment as `--since` takes it: how long ago (`30m`, `24h`, `7d`), a day, or a time of RFC 3339.
 * @throws {UsageError} on anything else.
 */
export function momentOf(option: string, text: string, nowMs: number): Date {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (unit !== undefined) return new Date(nowMs - Number(count) * unitsMs[unit]!);
  const isTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text);
  const ms = isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new UsageError(
      `${option} must be how long ago (30m, 24h, 7d), a day (2026-03-02) or a time (2026-03-02T14:05:00Z)`,
    );
  }
  return new Date(ms);
}

export function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new UsageError(`${name} must be a whole number above 0`);
  return Number(text);
}
