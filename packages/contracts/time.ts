/** The day that was asked for last, `2026-11-25`, and when it began. */
let day = '';
let dayMs = Number.NaN;

/**
 * `Date.parse`, several times as fast for what nearly every event bears, `2026-11-25T22:48:10.979Z` with a fraction or
 * without: the day was mostly asked for just before, and the rest is arithmetic. NaN when `text` is no time.
 */
export function parseTime(text: string): number {
  const hours = digits(text, 11, 13);
  const minutes = digits(text, 14, 16);
  const seconds = digits(text, 17, 19);
  const ms = text.length === 24 && text[19] === '.' ? digits(text, 20, 23) : text.length === 20 ? 0 : Number.NaN;
  const isCanonical =
    hours < 24 && minutes < 60 && seconds < 60 && ms >= 0 && text[10] === 'T' && text[13] === ':' && text[16] === ':';
  if (!isCanonical || !text.endsWith('Z')) return Date.parse(text);
  if (!text.startsWith(day) || day === '') {
    const asked = text.slice(0, 10);
    if (!/^\d{4}-\d\d-\d\d$/.test(asked)) return Date.parse(text);
    const askedMs = Date.parse(asked);
    // What is no day of the calendar, such as month 13, Date.parse may read by other rules where no time follows.
    if (Number.isNaN(askedMs) || new Date(askedMs).toISOString().slice(0, 10) !== asked) return Date.parse(text);
    day = asked;
    dayMs = askedMs;
  }
  return dayMs + hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + ms;
}

/** How long `later` comes after `earlier`, in ms by their times; below zero where it comes before. NaN where either is no time. */
export function msBetween(earlier: { time: string }, later: { time: string }): number {
  return parseTime(later.time) - parseTime(earlier.time);
}

/** The number that digits from `from` to before `to` make; NaN when something else stands there. */
function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
