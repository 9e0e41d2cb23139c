import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { extname, join, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { faultOfOwnership } from '@tripline/runtime/ownership';

/** A file of own rules, or one that such a file imports: its path, and the SHA-256 of what was loaded. */
export type RuleFile = { path: string; sha256: string };

const ours = join(import.meta.dirname, '../..') + sep;
const rooms = ['packages', 'services'].map((folder) => join(ours, folder) + sep);
const runnable: ReadonlySet<string> = new Set(['.ts', '.mts', '.js', '.mjs']);
const generationName = 'generation';
/** Files loaded by each generation, by path; only of generations that are still loading. */
const loading = new Map<string, Map<string, string>>();
let generations = 0;

/**
 * What a rule of the user's imports runs with Tripline's tokens like the rule itself: a file outside this installation
 * is loaded only where nobody but root and the running user can write it.
 *
 * Node keeps each module that it loaded for good, by its URL. So each time files are loaded they bear a number in their
 * URL, which passes on to what they import, except packages (`node_modules`) and CommonJS, which stay as they were first
 * loaded. Our own rooms have no number: there is one of each.
 */
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const generation = context.parentURL === undefined ? null : generationOf(context.parentURL);
    if (generation === null || !found.url.startsWith('file:')) return found;
    const path = fileURLToPath(found.url);
    const staysAsItIs = rooms.some((room) => path.startsWith(room)) || path.includes(`${sep}node_modules${sep}`);
    return staysAsItIs ? found : { ...found, url: urlOf(path, generation) };
  },
  load(url, context, next) {
    if (!url.startsWith('file:')) return next(url, context);
    const path = fileURLToPath(url);
    const fault = path.startsWith(ours) ? null : faultOfOwnership(path);
    if (fault !== null) throw new Error(fault);
    const generation = generationOf(url);
    const files = generation === null ? undefined : loading.get(generation);
    // One that cannot be read as a program is known as well.
    files?.set(path, hashOf(readFileSync(path)));
    const loaded = next(url, context);
    const bytes = files === undefined ? undefined : bytesOf(loaded.source);
    if (bytes !== undefined) files?.set(path, hashOf(bytes));
    return loaded;
  },
});

const urlOf = (path: string, generation: string): string =>
  `${pathToFileURL(path).href}?${generationName}=${generation}`;
const generationOf = (url: string): string | null =>
  url.startsWith('file:') ? new URL(url).searchParams.get(generationName) : null;
function bytesOf(source: string | ArrayBuffer | NodeJS.TypedArray | null | undefined): Uint8Array | undefined {
  if (source === null || source === undefined) return undefined;
  if (typeof source === 'string') return Buffer.from(source);
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
}
const hashOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

/**
 * Begins to load files of rules anew: all that one generation imports is loaded once, as it lies there now. `files`: what was
 * loaded so far, also where an import failed; in order of path.
 */
export function beginLoading() {
  generations += 1;
  const generation = String(generations);
  const files = new Map<string, string>();
  loading.set(generation, files);
  return {
    import: async (path: string): Promise<Record<string, unknown>> => {
      const fault = faultOfOwnership(path);
      if (fault !== null) throw new Error(fault);
      files.set(path, hashOf(readFileSync(path)));
      return import(urlOf(path, generation));
    },
    files: (): RuleFile[] =>
      [...files].map(([path, sha256]) => ({ path, sha256 })).sort((a, b) => (a.path < b.path ? -1 : 1)),
    end: () => void loading.delete(generation),
  };
}

/** Whether all files still hold what was loaded of them. */
export function areAsLoaded(files: readonly RuleFile[]): boolean {
  try {
    return files.every(({ path, sha256 }) => hashOf(readFileSync(path)) === sha256);
  } catch {
    return false;
  }
}

/**
 * The files that one of `rules.files` names: itself or, where it is a folder, those in it that Node runs, in order of name,
 * but for tests and declarations. What rules share lies in a folder beneath.
 * @throws the file system's own error, when there is none.
 */
export function filesNamedBy(named: string, baseDir: string): string[] {
  const path = resolve(baseDir, named);
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => runnable.has(extname(name)) && !name.startsWith('.'))
    .filter((name) => !name.includes('.test.') && !name.includes('.d.'))
    .sort()
    .map((name) => join(path, name));
}

/** Most files of Sigma rules beneath one folder, and how deep they may lie. */
const mostFiles = 5000;
const deepest = 12;

/**
 * The files that one of `rules.sigma` names: itself or, where it is a folder, those in it and beneath that end in .yml or .yaml,
 * in order of name. What begins with a dot is left out, as what a mounted ConfigMap keeps beside its files.
 * @throws the file system's own error, when there is none, and where there are more than anybody wrote.
 */
export function sigmaFilesOf(named: string, baseDir: string): string[] {
  const found: string[] = [];
  const visit = (path: string, depth: number): void => {
    if (!statSync(path).isDirectory()) {
      if (depth === 0 || ['.yml', '.yaml'].includes(extname(path))) found.push(path);
    } else if (depth < deepest) {
      for (const name of readdirSync(path).sort()) if (!name.startsWith('.')) visit(join(path, name), depth + 1);
    }
    if (found.length > mostFiles)
      throw new Error(`it holds more than ${mostFiles} files; name the folders that are meant`);
  };
  visit(resolve(baseDir, named), 0);
  return found;
}
