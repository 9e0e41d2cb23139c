import { readFileSync } from 'node:fs';

/** The version in this package's package.json. */
export function version(): string {
  return JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')).version;
}
