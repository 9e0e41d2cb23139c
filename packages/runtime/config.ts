import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { type EnvironmentSetting, environment, type Settings, settings } from './settings.ts';

/** A setting is wrong. The message names each one, says what is wrong with it and never repeats a value. */
export class ConfigError extends Error {
  readonly code = 'CONFIG';
}

/** Settings with what they were resolved against. Paths are absolute. */
export type Config = Settings & {
  /** Folder of tripline.yaml, or the working directory: what `rules.files` are relative to. */
  baseDir: string;
  /** Path of the tripline.yaml that was read, or null. */
  file: string | null;
};

type Environment = Record<string, string | undefined>;

/**
 * Reads tripline.yaml (path in `TRIPLINE_CONFIG`, else `./tripline.yaml` where there is one), lays the environment
 * over it and checks the whole.
 * @throws {ConfigError} naming every wrong or unknown setting.
 */
export function loadConfig(env: Environment = process.env, cwd: string = process.cwd()): Config {
  const file = configFile(env, cwd);
  const written = file === null ? {} : readYaml(file);
  const faults: string[] = [];
  const merged = overlayEnvironment(written, env, cwd, faults);
  const parsed = settings.safeParse(merged);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) faults.push(describeIssue(issue));
  }
  if (faults.length > 0 || !parsed.success) throw new ConfigError(faults.join('\n'));
  const baseDir = file === null ? cwd : dirname(file);
  return { ...parsed.data, dataDir: resolve(cwd, parsed.data.dataDir), baseDir, file };
}

function configFile(env: Environment, cwd: string): string | null {
  const named = env['TRIPLINE_CONFIG'];
  if (named) return resolve(cwd, named);
  const usual = resolve(cwd, 'tripline.yaml');
  try {
    readFileSync(usual);
    return usual;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new ConfigError(`${usual} cannot be read: ${(error as Error).message}`);
  }
}

function readYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(
      `TRIPLINE_CONFIG names ${file}, which cannot be read: ${(error as NodeJS.ErrnoException).code}`,
    );
  }
  try {
    return parseYaml(text) ?? {};
  } catch (error) {
    // The parser quotes the line, which may hold a secret: keep its position only.
    const at = (error as { linePos?: { line: number; col: number }[] }).linePos?.[0];
    throw new ConfigError(`${file} is no valid YAML${at ? ` at line ${at.line}, column ${at.col}` : ''}`);
  }
}

function overlayEnvironment(written: unknown, env: Environment, cwd: string, faults: string[]): unknown {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) {
    faults.push('tripline.yaml must be a mapping of settings');
    return {};
  }
  const merged = structuredClone(written) as Record<string, unknown>;
  const known = new Set(['TRIPLINE_CONFIG']);
  for (const setting of environment) {
    known.add(setting.name);
    let value = env[setting.name];
    let named = setting.name;
    if (setting.secret) {
      const fileSetting = `${setting.name}_FILE`;
      known.add(fileSetting);
      const path = env[fileSetting];
      if (path) {
        if (value) faults.push(`${setting.name} and ${fileSetting} are both set; keep one`);
        named = fileSetting;
        try {
          value = readFileSync(resolve(cwd, path), 'utf8').trim();
        } catch (error) {
          faults.push(`${fileSetting} names a file that cannot be read: ${(error as NodeJS.ErrnoException).code}`);
          continue;
        }
      }
    }
    if (value === undefined || value === '') continue;
    const converted = convert(value, setting, named, faults);
    if (converted !== undefined) setPath(merged, setting.path.split('.'), converted);
  }
  for (const name of Object.keys(env)) {
    if (name.startsWith('TRIPLINE_') && !known.has(name)) {
      faults.push(`${name} is no setting of Tripline${nearest(name, known)}`);
    }
  }
  return merged;
}

function convert(value: string, setting: EnvironmentSetting, named: string, faults: string[]): unknown {
  if (setting.kind === 'list') {
    return value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }
  if (setting.kind === 'number') {
    if (/^-?\d+(\.\d+)?$/.test(value)) return Number(value);
    faults.push(`${named} must be a number`);
    return undefined;
  }
  if (setting.kind === 'boolean') {
    if (value === 'true' || value === 'false') return value === 'true';
    faults.push(`${named} must be true or false`);
    return undefined;
  }
  return value;
}

function setPath(target: Record<string, unknown>, path: string[], value: unknown): void {
  const [head, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) {
    target[head] = value;
    return;
  }
  const next = target[head];
  const inner = typeof next === 'object' && next !== null && !Array.isArray(next) ? next : {};
  target[head] = inner;
  setPath(inner as Record<string, unknown>, rest, value);
}

function describeIssue(issue: { path: PropertyKey[]; message: string; code?: string; keys?: string[] }): string {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return (issue.keys ?? []).map((key) => `${path ? `${path}.` : ''}${key} is no setting of Tripline`).join('\n');
  }
  const names = environment.filter((setting) => path === setting.path || path.startsWith(`${setting.path}.`));
  const also = names.length > 0 ? ` (${names.map((setting) => setting.name).join(', ')})` : '';
  return `${path}${also}: ${issue.message}`;
}

/** Offers the known name that is fewest edits away, when it is plainly a slip. */
function nearest(name: string, known: ReadonlySet<string>): string {
  const [best, distance] = [...known]
    .map((candidate): [string, number] => [candidate, editDistance(name, candidate)])
    .reduce((a, b) => (b[1] < a[1] ? b : a));
  return distance <= 3 ? `; did you mean ${best}?` : '';
}

/** Levenshtein's distance: the least number of letters to insert, drop or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
