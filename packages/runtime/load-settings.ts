import { lstatSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { parse as parseYaml } from 'yaml';
import type { z } from 'zod';
import { faultOfOwnership } from './ownership.ts';
import { type EnvironmentSetting, shortestSecret } from './setting.ts';

/** A setting is wrong. The message names each one, says what is wrong with it and never repeats a value. */
export class ConfigError extends Error {
  readonly code = 'CONFIG';
}

/** Where settings came from. Paths are absolute. */
export type Origin = {
  /** Folder of tripline.yaml, or the working directory: what `rules.files` are relative to. */
  baseDir: string;
  /** Path of the tripline.yaml that was read, or null. */
  file: string | null;
  /** Remarks on the settings for whoever starts Tripline, a sentence each. */
  remarks: readonly string[];
};

type Environment = Record<string, string | undefined>;

/** The settings that exist. */
export type KnownSettings<Settings> = {
  schema: z.ZodType<Settings>;
  environment: readonly EnvironmentSetting[];
  /** Renamed settings: path → what to write instead. */
  renamed: Readonly<Record<string, string>>;
};

/**
 * Reads tripline.yaml (path in `TRIPLINE_CONFIG`, else `./tripline.yaml` where there is one), applies the environment
 * over it and validates the result. Whoever can write that file decides where tokens are sent and what code runs, so it
 * is read only if nobody but root and the running user can write it.
 * @throws {ConfigError} naming every wrong or unknown setting, or the file that is not trusted.
 */
export function loadSettings<Settings extends { dataDir: string }>(
  known: KnownSettings<Settings>,
  env: Environment,
  cwd: string,
): Settings & Origin {
  const file = configFile(env, cwd);
  const written = file === null ? {} : readYaml(file);
  const faults: string[] = [];
  const remarks: string[] = [];
  const merged = overlayEnvironment(written, env, { environment: known.environment, cwd, faults, remarks });
  const parsed = known.schema.safeParse(merged);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) faults.push(describeIssue(issue, known));
  }
  if (faults.length > 0 || !parsed.success) throw new ConfigError(faults.join('\n'));
  const baseDir = file === null ? cwd : dirname(file);
  const dataDir = resolve(cwd, parsed.data.dataDir);
  if ((merged as { dataDir?: unknown }).dataDir === undefined) refuseFolderOfAnother(dataDir);
  return { ...parsed.data, dataDir, baseDir, file, remarks };
}

/**
 * Addresses, secrets and database are read from the data folder: another user's is refused, unless a setting names it.
 */
function refuseFolderOfAnother(dataDir: string): void {
  const owner = statSync(dataDir, { throwIfNoEntry: false })?.uid;
  if (owner === undefined || owner === 0 || owner === process.geteuid?.()) return;
  throw new ConfigError(
    `${dataDir} belongs to another user (id ${owner}) and is not used: start where it is yours, or name it in TRIPLINE_DATA`,
  );
}

function configFile(env: Environment, cwd: string): string | null {
  const named = env['TRIPLINE_CONFIG'];
  if (named) return believed(resolve(cwd, named), 'TRIPLINE_CONFIG names');
  const usual = resolve(cwd, 'tripline.yaml');
  return lstatSync(usual, { throwIfNoEntry: false }) === undefined ? null : believed(usual, 'this folder has');
}

function believed(file: string, whence: string): string {
  let fault: string | null;
  try {
    fault = faultOfOwnership(file);
  } catch (error) {
    throw new ConfigError(`${whence} ${file}, which cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  if (fault !== null) throw new ConfigError(`${whence} ${file}, which is not used: ${fault}`);
  return file;
}

/** What a file of YAML holds. @throws {ConfigError} it cannot be read, or where it is no YAML; never quoting it. */
export function readYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  try {
    return parseYaml(text) ?? {};
  } catch (error) {
    // The parser quotes the line, which may hold a secret: keep its position only.
    const at = (error as { linePos?: { line: number; col: number }[] }).linePos?.[0];
    throw new ConfigError(`${file} is no valid YAML${at ? ` at line ${at.line}, column ${at.col}` : ''}`);
  }
}

function overlayEnvironment(
  written: unknown,
  env: Environment,
  {
    environment,
    cwd,
    faults,
    remarks,
  }: { environment: readonly EnvironmentSetting[]; cwd: string; faults: string[]; remarks: string[] },
): unknown {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) {
    faults.push('tripline.yaml must be a mapping of settings');
    return {};
  }
  const merged = structuredClone(written) as Record<string, unknown>;
  const known = new Set(['TRIPLINE_CONFIG']);
  for (const setting of environment) {
    known.add(setting.name);
    let value = isServiceLink(setting.name, env[setting.name]) ? undefined : env[setting.name];
    let named = setting.name;
    if (setting.secret) {
      const fileSetting = `${setting.name}_FILE`;
      known.add(fileSetting);
      const path = env[fileSetting];
      if (path) {
        if (value) faults.push(`${setting.name} and ${fileSetting} are both set; keep one`);
        named = fileSetting;
        try {
          value = readSecretFile(resolve(cwd, path), named, faults);
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
  const links: string[] = [];
  for (const name of Object.keys(env)) {
    if (!name.startsWith('TRIPLINE_')) continue;
    if (isServiceLink(name, env[name])) links.push(name);
    else if (!known.has(name)) faults.push(`${name} is no setting of Tripline${nearest(name, known)}`);
  }
  if (links.length > 0) {
    const [first, ...more] = links.sort();
    const others = more.length > 0 ? ` and ${more.length} more` : '';
    remarks.push(
      `ignored ${first}${others}, by which Kubernetes names its services (enableServiceLinks: false stops it)`,
    );
  }
  return merged;
}

/**
 * Whether Kubernetes made this variable: for each service of a namespace, `tripline` or `tripline-receiver` say, it sets
 * `…_SERVICE_HOST`, `…_SERVICE_PORT`, `…_PORT=tcp://…` and `…_PORT_8080_TCP…` in every container.
 */
function isServiceLink(name: string, value: string | undefined): boolean {
  if (value === undefined) return false;
  if (name.startsWith('TRIPLINE_') && /_SERVICE_(HOST$|PORT$|PORT_)/.test(name)) return true;
  if (/_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name)) return true;
  return /_PORT$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value);
}

/**
 * Whoever may write the file decides the secret. Its owner is not checked: Docker mounts it with the owner that it has
 * outside.
 */
function readSecretFile(path: string, named: string, faults: string[]): string {
  if ((statSync(path).mode & 0o002) !== 0) {
    faults.push(`${named} names a file that everybody can write, so its secret cannot be trusted: chmod o-w it`);
  }
  return readFileSync(path, 'utf8').trim();
}

function convert(value: string, setting: EnvironmentSetting, named: string, faults: string[]): unknown {
  if (setting.kind === 'list') {
    const parts = (by: string) =>
      value
        .split(by)
        .map((item) => item.trim())
        .filter((item) => item !== '');
    return setting.secret ? secretsOf(value, named.endsWith('_FILE'), parts) : parts(',');
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

/**
 * One per line; in the environment also separated by commas, but only where each part is long enough to be a secret.
 */
function secretsOf(value: string, isFile: boolean, parts: (by: string) => string[]): string[] {
  const lines = parts('\n');
  if (isFile || lines.length > 1) return lines;
  const listed = parts(',');
  return listed.every((item) => item.length >= shortestSecret) ? listed : [value.trim()];
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

function describeIssue(
  issue: { path: PropertyKey[]; message: string; code?: string; keys?: string[] },
  { environment, renamed }: Pick<KnownSettings<unknown>, 'environment' | 'renamed'>,
): string {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const named = (issue.keys ?? []).map((key) => `${path ? `${path}.` : ''}${key}`);
    return named.map((name) => `${name} ${renamed[name] ?? 'is no setting of Tripline'}`).join('\n');
  }
  const names = environment.filter((setting) => path === setting.path || path.startsWith(`${setting.path}.`));
  const also = names.length > 0 ? ` (${names.map((setting) => setting.name).join(', ')})` : '';
  return `${path}${also}: ${issue.message}`;
}

/** Suggests the known name with the smallest edit distance, when it is probably a typo. */
function nearest(name: string, known: ReadonlySet<string>): string {
  const [best, distance] = [...known]
    .map((candidate): [string, number] => [candidate, editDistance(name, candidate)])
    .reduce((a, b) => (b[1] < a[1] ? b : a));
  return distance <= 3 ? `; did you mean ${best}?` : '';
}

/** Levenshtein distance: the least number of insertions, deletions and replacements. */
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
