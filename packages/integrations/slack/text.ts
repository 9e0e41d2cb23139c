/**
 * Escaping of untrusted text for Slack. In Slack's markup `<…>` makes links, mentions and `@channel`; with `&`, `<` and
 * `>` escaped none of that can be written from outside. https://docs.slack.dev/messaging/formatting-message-text
 */

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
/** Control and format characters: a title that reverses the reading direction would display a different text. */
const invisible = /(?![\t\n])\p{Cc}|\p{Cf}/gu;

/** Escapes, and cuts so that the result is at most `max` UTF-16 units, an escape or a character never in half. */
export function escapeText(text: string, max: number): string {
  const clean = text.toWellFormed().replace(invisible, '');
  const whole = clean.replace(/[&<>]/g, (character) => entities[character]!);
  if (whole.length <= max) return whole;
  let cut = '';
  for (const character of clean) {
    const escaped = entities[character] ?? character;
    if (cut.length + escaped.length > max - 1) break;
    cut += escaped;
  }
  return `${cut}…`;
}

/** The same for text on one line, so that it cannot fake a line of Tripline's. */
export function escapeLine(text: string, max: number): string {
  return escapeText(text.replace(/[\s\u2028\u2029]+/gu, ' ').trim(), max);
}

/** Text for a code span or block: a backtick would end it. */
export function escapeCode(text: string, max: number): string {
  return escapeText(text.replaceAll('`', 'ˋ'), max);
}

/** `<url|label>` for an http(s) URL, otherwise the label alone. User name and password in it are dropped. */
export function link(url: string | undefined, label: string): string {
  const address = url === undefined ? undefined : safeUrl(url);
  return address === undefined ? label : `<${address}|${label}>`;
}

/** The URL as written into a link, or undefined when it is not http(s) or too long. */
export function safeUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  url.username = '';
  url.password = '';
  const address = url.href.replaceAll('&', '&amp;').replace(/[<>|`\s]/g, encodeURIComponent);
  return address.length <= 1000 ? address : undefined;
}
