import { clip } from '@tripline/contracts/text';
import { redactText, redactValue, shortestCredential } from '@tripline/runtime/redact';

/**
 * Sanitises untrusted text for attributes: well-formed, without control characters (Postgres cannot store NUL), without
 * credentials, no longer than the attribute's schema allows. Never throws.
 */
const textLimit = 4096;
const bodyLimit = 65_536;
const identifierLimit = 512;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this takes out.
const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/**
 * Anything but printable ASCII, tab and line breaks: a text without it has neither surrogates nor control characters.
 */
const unusual = /[^\t\n\r -~]/;

/** Replaces lone surrogates and control characters by U+FFFD. */
function wellFormed(value: string): string {
  return unusual.test(value) ? value.toWellFormed().replace(controls, '\ufffd') : value;
}

/**
 * Whether `value` is printable ASCII, shorter than any credential and without a colon, so that nothing in it is ever
 * replaced. Two of three texts are; for so few units a loop is faster than a regular expression.
 */
function isPlain(value: string): boolean {
  if (value.length >= shortestCredential) return false;
  for (let at = 0; at < value.length; at += 1) {
    const unit = value.charCodeAt(at);
    if (unit < 0x20 || unit > 0x7e || unit === 0x3a) return false;
  }
  return true;
}

/** Untrusted text: a title, name, message or URL. Credentials in it are replaced by their hashes before it is cut. */
export function text(value: string | null | undefined, limit: number = textLimit): string | undefined {
  if (value === null || value === undefined) return undefined;
  return clip(isPlain(value) ? value : redactText(wellFormed(value)), limit);
}

/**
 * The login of a user, organisation, bot or enterprise. A login of GitHub's form is an identity and is not redacted:
 * otherwise somebody who is called `xoxb-0123456789` could not be addressed at GitHub any more.
 */
export function loginText(value: string | null | undefined): string | undefined {
  return typeof value === 'string' && loginForm.test(value) ? value : text(value, 256);
}
/** A managed user's login ends in `_` and the enterprise's short name. */
const loginForm = /^[A-Za-z0-9-]{1,39}(?:_[A-Za-z0-9]{3,8})?(?:\[bot\])?$/;

/** A long text, such as a comment's body; absent when empty. */
export function longText(value: string | null | undefined): string | undefined {
  return value ? text(value, bodyLimit) : undefined;
}

/** An id as a string, whatever type the provider sends; absent when empty. */
export function identifier(value: string | number | null | undefined): string | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  return typeof value === 'number' ? String(value) : text(value, identifierLimit);
}

/** At most `limit` texts; more would let an attacker make a record too large for the log. */
export function texts(values: readonly (string | null | undefined)[] | null | undefined, limit = 100) {
  return values?.slice(0, limit).flatMap((value) => text(value, 512) ?? []);
}

/** A record of text values; anything but text is given as JSON. At most 100 entries, of 2,048 units unless `limits` says more. */
export function textRecord(
  values: Record<string, unknown> | null | undefined,
  limits: Readonly<Record<string, number>> = {},
): Record<string, string> | undefined {
  if (!values) return undefined;
  const entries = Object.entries(values).slice(0, 100);
  return Object.fromEntries(
    entries.map(([key, value]) => [
      text(key, 128)!,
      text(asText(value), Object.hasOwn(limits, key) ? limits[key] : 2048)!,
    ]),
  );
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : JSON.stringify(value);
}

/** Cleans every string within a JSON value, keys included, without shortening any. */
export function cleanJson(value: unknown): unknown {
  return redactValue(value, (text) => redactText(wellFormed(text)));
}

/** A time as providers send it: RFC 3339 with any offset, or whole seconds since the epoch. */
export type Instant = string | number | null | undefined;

/** Whole seconds or milliseconds in UTC, on a day that every month has: normalising changes only the fraction. */
const inUtc =
  /^(?:19[7-9]|[2-9]\d\d)\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3})?Z$/;

/** RFC 3339 in UTC, or undefined for what is no time between the years 1970 and 9999. */
export function utc(value: Instant): string | undefined {
  // The form that GitHub nearly always sends.
  if (typeof value === 'string' && inUtc.test(value)) return value.length === 24 ? value : `${value.slice(0, 19)}.000Z`;
  const ms = toMs(value);
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** Ms since the epoch, or undefined likewise. */
export function toMs(value: Instant): number | undefined {
  if (value === null || value === undefined) return undefined;
  const ms = typeof value === 'number' ? value * 1000 : Date.parse(value);
  return ms >= 0 && ms < 253_402_300_800_000 ? ms : undefined;
}
