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
    return isObject(text) ? [] : [`${path} is no policy of IAM: it is no JSON object`];
  });
}

function isObject(text: string): boolean {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null && !Array.isArray(read);
  } catch {
    return false;
  }
}
