import { parseDocument, visit } from 'yaml';
import type { z } from 'zod';

/** A file of access cannot be used: what is wrong, and where it stands, a line each. */
export class AccessFileError extends Error {
  readonly code = 'ACCESS_FILE';
}

const maxCharacters = 1_048_576;

/**
 * Reads a file of YAML as `schema` has it. A key that is written twice, an alias and `__proto__` are refused: who reads the
 * file reads one thing, and we must not read another.
 * @throws {AccessFileError}
 */
export function readYaml<T>(text: string, schema: z.ZodType<T>): T {
  if (text.length > maxCharacters) throw new AccessFileError(`it is longer than ${maxCharacters} characters: split it`);
  const document = parseDocument(text, { uniqueKeys: true, strict: true });
  const [fault] = document.errors;
  if (fault !== undefined) throw new AccessFileError(`it is no YAML: ${fault.message}`);
  visit(document, {
    Alias: () => {
      throw new AccessFileError('it has an alias (*name): write the value out where it holds');
    },
    Pair: (_, { key }) => {
      if (String(key) === '__proto__') throw new AccessFileError('`__proto__` is no name that can be used');
    },
  });
  const read = schema.safeParse(document.toJS());
  if (read.success) return read.data;
  const at = (path: readonly PropertyKey[]) => {
    const node = path.length === 0 ? undefined : document.getIn(path, true);
    const range = (node as { range?: [number, number, number] } | undefined)?.range;
    const line = range === undefined ? '' : ` (line ${text.slice(0, range[0]).split('\n').length})`;
    return `${path.map(String).join('.') || 'the file'}${line}`;
  };
  const faults = read.error.issues.flatMap((issue) => innermost(issue));
  throw new AccessFileError(faults.map(({ path, message }) => `${at(path)}: ${message}`).join('\n'));
}

/** What is wrong within the form that was meant, where something is one of several: the one that was followed furthest. */
function innermost(issue: z.core.$ZodIssue): { path: PropertyKey[]; message: string }[] {
  if (issue.code !== 'invalid_union') return [issue];
  const depth = (issues: readonly z.core.$ZodIssue[]) => Math.max(...issues.map(({ path }) => path.length));
  const [meant] = issue.errors.toSorted((a, b) => depth(b) - depth(a));
  if (meant === undefined || depth(meant) < 2) return [issue];
  return meant.flatMap((one) => innermost({ ...one, path: [...issue.path, ...one.path] }));
}
