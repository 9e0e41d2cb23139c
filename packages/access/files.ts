import type { PolicyFile } from './policy.ts';

/** Texts of the files that policies name, by their path there. */
export type NamedFiles = Readonly<Record<string, string>>;

/** AWS takes no longer policy for a session. */
const mostCharacters = 2048;
/** Each is read at GitHub by itself. */
const mostFiles = 50;

/** Files that policies name, relative to their own. */
export function filesNamed({ policies }: PolicyFile): string[] {
  const named = Object.values(policies).flatMap(({ give }) =>
    give.flatMap((one) => ('aws' in one && one.aws.policy !== undefined ? [one.aws.policy] : [])),
  );
  return [...new Set(named)].slice(0, mostFiles + 1);
}

/** Everything that keeps them from being used: a file that is not there must not mean that nothing narrows. */
export function faultsOfFiles(file: PolicyFile, files: NamedFiles): string[] {
  const named = filesNamed(file);
  if (named.length > mostFiles) return [`policies name more than ${mostFiles} files: use the same one for several`];
  return named.flatMap((path) => {
    const text = Object.hasOwn(files, path) ? files[path]! : undefined;
    if (text === undefined) return [`${path}, which a policy names, is not there`];
    if (text.length > mostCharacters)
      return [`${path} is longer than ${mostCharacters} characters, which AWS takes at most`];
    return faultsOfSessionPolicy(text).map((what) => `${path} ${what}`);
  });
}

/** Files that a policy is said to be narrowed by and is not: everything is allowed that the role may. */
export function filesThatNarrowNothing(file: PolicyFile, files: NamedFiles): string[] {
  return filesNamed(file).filter((path) =>
    statementsOf(Object.hasOwn(files, path) ? files[path]! : '').some(
      (one) => one['Effect'] === 'Allow' && isAll(one['Action']) && isAll(one['Resource']) && !('Condition' in one),
    ),
  );
}

/** As IAM takes a policy for a session; what it does not take is found at the first mint otherwise, which then fails. */
function faultsOfSessionPolicy(text: string): string[] {
  const read = parsed(text);
  if (read === undefined) return ['is no policy of IAM: it is no JSON object'];
  if (!('Statement' in read)) return ['is no policy of IAM: it has no Statement'];
  return statementsOf(text).flatMap((one, nth) => {
    const of = `is no policy of a session: statement ${nth + 1}`;
    const has = (...names: string[]) => names.filter((name) => name in one).length === 1;
    return [
      ...(one['Effect'] === 'Allow' || one['Effect'] === 'Deny' ? [] : [`${of} has no Effect, Allow or Deny`]),
      ...(has('Action', 'NotAction') ? [] : [`${of} says neither Action nor NotAction, or both`]),
      ...(has('Resource', 'NotResource') ? [] : [`${of} says neither Resource nor NotResource, or both`]),
      ...('Principal' in one || 'NotPrincipal' in one ? [`${of} names a Principal, which a trust does`] : []),
    ];
  });
}

const isAll = (told: unknown): boolean => [told].flat().includes('*');

function statementsOf(text: string): Record<string, unknown>[] {
  const of = (parsed(text) as { Statement?: unknown } | undefined)?.Statement;
  return [of].flat().filter((one) => typeof one === 'object' && one !== null) as Record<string, unknown>[];
}

function parsed(text: string): object | undefined {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? read : undefined;
  } catch {
    return undefined;
  }
}
