import { z } from 'zod';

/** An account of the provider in settings. Logins change hands; an app keeps its own for as long as it is there. */
export const account = z
  .string()
  .regex(
    /^(?:\d+|[^\s:]+:\d+|[^\s:]+\[bot\])$/,
    'an account as `login:id` or by its id, since a login can change hands, or an app as `name[bot]`',
  );

/**
 * Whether an entry of settings means somebody: by id, and by login where they have none that was told, or where the entry is
 * nothing but a login, such as an app's. A number is an id, though logins may be numbers too.
 */
export function isAccount(
  entry: string,
  { id, login }: { id?: string | undefined; login?: string | undefined },
): boolean {
  if (/^\d+$/.test(entry)) return entry === id;
  const [, name = entry, number] = /^(.*):(\d+)$/.exec(entry) ?? [];
  if (number !== undefined && id !== undefined) return number === id;
  return name.toLowerCase() === login?.toLowerCase();
}
