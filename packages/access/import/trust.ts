import type { Give, StsName } from '../policy.ts';

/**
 * What another system lets in, as far as it says so by the subject of a job's id token of GitHub's, and what it gives. `subjects`:
 * every one of them may.
 */
export type Trust = {
  name: string;
  subjects: readonly Subject[];
  /** What else must hold of a token, each by one of these. `callers`: of `workflow_ref` or `job_workflow_ref`, where that is no whole text. */
  claims?: {
    events?: readonly string[];
    refs?: readonly Subject[];
    callers?: readonly Subject[];
    repositories?: readonly string[];
  };
  give: Give | undefined;
  /** By which octo-sts's clients go on asking for it. */
  sts?: StsName;
  /** What was looser there than a policy is, and what is not said there at all. */
  looser: string[];
  lacks: string[];
};
/** `whole`: exactly this; `prefix`: whatever begins with it. */
export type Subject = { whole: string } | { prefix: string };

/** Cannot be translated at all; the message says why. */
export class ImportError extends Error {
  readonly code = 'IMPORT';
}

export const githubIssuer = 'https://token.actions.githubusercontent.com';

/** A text with `*` at its end alone is a prefix; any other wildcard cannot be said. */
export function subjectOfGlob(glob: string, looser: string[]): Subject | undefined {
  if (!/[*?]/.test(glob)) return { whole: glob };
  const prefix = glob.slice(0, -1);
  if (glob.endsWith('*') && !/[*?]/.test(prefix)) return { prefix };
  looser.push(`${glob}: a wildcard within takes whatever stands there, and cannot be said here`);
  return undefined;
}

/** A regular expression that is a text, with `.*` at its end at most; anything else cannot be said. */
export function subjectOfPattern(pattern: string, looser: string[]): Subject | undefined {
  const bare = pattern.replace(/^\^/, '').replace(/\$$/, '');
  if (bare.includes('|')) {
    looser.push(
      `${pattern}: alternatives are anchored by halves where ^ and $ stand outside of them (^a|b$ takes all that begins with a); list the values`,
    );
    return undefined;
  }
  const isPrefix = bare.endsWith('.*') && !bare.endsWith('\\.*');
  const body = isPrefix ? bare.slice(0, -2) : bare;
  const text = body.replaceAll(/\\([^\w\s])/g, '$1');
  if (/[\\*+?()[\]{}^$]/.test(text)) {
    looser.push(`${pattern}: a pattern that no list and no prefix says`);
    return undefined;
  }
  if (/(?<!\\)\./.test(body))
    looser.push(`${pattern}: a dot that is not escaped takes any character; here it is a dot`);
  if (!isPrefix) return { whole: text };
  looser.push(`${pattern}: .* takes all that begins so`);
  return { prefix: text };
}

/**
 * A regular expression that is texts side by side, `push|schedule` or `refs/heads/(main|dev)`, each with `.*` at its end at most. However its
 * alternatives are anchored, it takes each of them.
 */
export function textsOfPattern(pattern: string, looser: string[]): Subject[] | undefined {
  const bare = pattern.replace(/^\^/, '').replace(/\$$/, '');
  const [, before = '', inner, after = ''] = /^([^()|]*)\(([^()]*)\)([^()|]*)$/.exec(bare) ?? [];
  const all = (inner === undefined ? bare.split('|') : inner.split('|').map((one) => `${before}${one}${after}`)).slice(
    0,
    50,
  );
  const read = all.map((one) => subjectOfPattern(one, looser));
  return read.some((one) => one === undefined) ? undefined : (read as Subject[]);
}
