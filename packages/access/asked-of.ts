import type { Version } from './diff.ts';

/** What policies ask about: what must be kept of what is received, so that they can be answered. */
export type AskedOf = {
  /** Ids of GitHub repositories whose jobs may ask, sorted. */
  repositories: readonly string[];
  /** Paths of workflow files of which a policy is, in small letters, sorted. */
  workflows: readonly string[];
};

/** A name that is not pinned is nobody's, so nothing is asked about it. */
export function askedOf({ file, lock }: Version): AskedOf {
  const asked = Object.values(file.policies).flatMap(({ who }) => ('github' in who ? [who.github] : []));
  const ids = asked.flatMap(({ repository }) => lock.github[repository]?.id ?? []);
  const paths = asked.flatMap(({ caller }) =>
    caller.map((one) => (typeof one === 'string' ? one : one.prefix).split('@')[0]!.toLowerCase()),
  );
  return { repositories: sorted(ids), workflows: sorted(paths) };
}

const sorted = (texts: readonly string[]): string[] => [...new Set(texts)].sort();
